// spdlog, set up for the daemon: lines to stderr, one write each, "HH:MM:SS.mmm musterd: TEXT"; when stderr
// is the journal, "<N>TEXT" with syslog's priority. What is not printable in a text, a client's names for
// example, is told as \xNN. A reader of stderr that stands still costs lines, never the daemon.
#pragma once

#include <string>

namespace muster {

// `level`: debug, info, warning, error.
void set_up_log(const std::string& level);

// Is this descriptor the stream that $JOURNAL_STREAM names?
bool is_journal(int fd);

}  // namespace muster

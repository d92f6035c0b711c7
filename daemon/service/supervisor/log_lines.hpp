// Cuts what a process writes into lines that are fit for the log: bounded, valid UTF-8, no control characters.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace muster::service {

inline constexpr std::size_t max_log_line = 4096;  // bytes of output in one line; a longer one becomes several

class LogLines {
  public:
    using Sink = std::function<void(std::string_view line)>;

    explicit LogLines(Sink sink) : sink_(std::move(sink)) {}
    void feed(std::string_view bytes);
    void end();  // what is left without a newline is a line, too

  private:
    void emit(std::string_view line);

    Sink sink_;
    std::string partial_;
};

}  // namespace muster::service

#include "sync/occupant.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace muster::sync {
namespace {

std::string file_of(pid_t tid, const char* name) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/%s", static_cast<int>(tid), name);
    const base::UniqueFd fd{::open(path, O_RDONLY | O_CLOEXEC)};
    std::string text;
    std::array<char, 4096> piece;
    while (fd && text.size() < (std::size_t{4} << 20)) {
        const ssize_t size = base::retry_interrupted([&] { return ::read(fd.get(), piece.data(), piece.size()); });
        if (size <= 0) break;
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
    return text;
}

std::string_view line_of(const std::string& status, std::string_view key) {
    const std::size_t at = status.find(key);
    if (at == std::string::npos) return {};
    std::string_view rest = std::string_view(status).substr(at + key.size());
    rest = rest.substr(0, rest.find('\n'));
    while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest.front())) != 0) rest.remove_prefix(1);
    return rest;
}

}  // namespace

Occupant occupant(pid_t tid) {
    Occupant found;
    found.tid = tid;
    if (tid == 0) return found;
    const std::string status = "\n" + file_of(tid, "status");
    const std::string_view group = line_of(status, "\nTgid:"), state = line_of(status, "\nState:");
    if (group.empty() || file_of(tid, "maps").find("/memfd:muster:") == std::string::npos) return found;
    found.pid = static_cast<pid_t>(std::strtol(std::string(group).c_str(), nullptr, 10));
    if (!state.empty()) found.state = state.front();
    found.program = line_of(status, "\nName:");
    for (char& c : found.program)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return found;
}

std::string Occupant::text() const {
    if (tid == 0) return "a process";
    if (pid == 0) return "thread " + std::to_string(tid) + " (ended since, or of another PID namespace)";
    std::string who = (tid != pid ? "thread " + std::to_string(tid) + " of " : "") + "PID " + std::to_string(pid) + " (" +
                      program + ")";
    if (state == 'T') who += ", stopped";
    if (state == 't') who += ", stopped by a debugger";
    return who;
}

std::string seconds_text(std::chrono::nanoseconds time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(time).count());
    return text;
}

std::string domain_text(const segment::Segment& segment, const tx::DomainRep& domain) {
    const segment::Regions& regions = segment.regions();
    const std::uint64_t at = segment.offset_of(&domain);
    if (at == regions.segment_domain) return "the realm's page table";
    if (at == regions.directory_domain) return "the realm's directory";
    if (at == regions.sessions_domain) return "the table of sessions";
    return "object #" + std::to_string((at - regions.objects) / segment::object_size + 1);
}

std::string describe(const segment::Segment& segment, const tx::Busy& busy) {
    const Occupant found = occupant(busy.seen.owner);
    std::string text = found.text() + " has been inside " + domain_text(segment, *busy.domain) + " for at least " +
                       seconds_text(busy.seen.for_at_least);
    if (found.stopped())
        text += "; continue it (kill -CONT " + std::to_string(found.pid) + ") or end it: then its change is undone";
    return text;
}

}  // namespace muster::sync

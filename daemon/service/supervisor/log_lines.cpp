#include "service/supervisor/log_lines.hpp"

#include <algorithm>

#include "printable.hpp"

namespace muster::service {

void LogLines::emit(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    sink_(printable(line));
}

void LogLines::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto newline = bytes.find('\n');
        const std::size_t size = std::min(newline, bytes.size());
        const std::size_t room = max_log_line - partial_.size();
        if (size <= room && newline != std::string_view::npos) {
            partial_ += bytes.substr(0, size);
            bytes.remove_prefix(size + 1);
            emit(partial_);
            partial_.clear();
        } else if (size <= room) {
            partial_ += bytes;
            return;
        } else {
            std::size_t take = room;
            while (take > 0 && room - take < 3 && inside_character(bytes[take])) --take;  // not inside a character
            partial_ += bytes.substr(0, take);
            bytes.remove_prefix(take);
            emit(partial_);
            partial_.clear();
        }
    }
}

void LogLines::end() {
    if (!partial_.empty()) emit(partial_);
    partial_.clear();
}

}  // namespace muster::service

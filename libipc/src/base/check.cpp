#include "base/check.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace muster::base {

void check_failed(const char* text, const char* file, int line) noexcept {
    char buffer[512];
    std::size_t used = 0;
    const auto add = [&](const char* part) {
        const std::size_t n = std::strlen(part);
        const std::size_t take = n < sizeof buffer - 16 - used ? n : sizeof buffer - 16 - used;
        std::memcpy(buffer + used, part, take);
        used += take;
    };
    add("muster: check failed: ");
    add(text);
    add(" (");
    add(file);
    add(":");
    used = static_cast<std::size_t>(std::to_chars(buffer + used, buffer + sizeof buffer - 2, line).ptr - buffer);
    buffer[used++] = ')';
    buffer[used++] = '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, buffer, used);
    std::abort();
}

}  // namespace muster::base

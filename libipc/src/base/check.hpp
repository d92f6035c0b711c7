// Checks that stay on in every build. A failed one is a bug of ours, never of the input.
#pragma once

namespace muster::base {

// Prints "muster: check failed: TEXT (FILE:LINE)" to stderr and aborts. Async-signal-safe.
[[noreturn]] void check_failed(const char* text, const char* file, int line) noexcept;

}  // namespace muster::base

#define MUSTER_CHECK(condition) \
    (__builtin_expect(static_cast<bool>(condition), 1) ? void(0) : ::muster::base::check_failed(#condition, __FILE__, __LINE__))

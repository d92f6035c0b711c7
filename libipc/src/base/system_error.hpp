// errno to muster::Error, in this one place.
#pragma once

#include <cerrno>
#include <string>

#include <muster/error.hpp>

namespace muster::base {

// The Error for `error` (an errno value): ENOENT/ECONNREFUSED -> unreachable for "connect", EACCES and EPERM ->
// refused, ENOMEM/ENOSPC -> out_of_memory, the rest -> system; the detail is "CALL: strerror".
Error from_errno(int error, std::string operation, std::string subject, std::string_view call);
[[noreturn]] void throw_errno(int error, std::string operation, std::string subject, std::string_view call);
// strerror, thread-safe.
std::string errno_text(int error);

// Repeats a call that a signal interrupted.
template <typename Call>
auto retry_interrupted(Call&& call) {
    decltype(call()) result;
    do result = call();
    while (result == -1 && errno == EINTR);
    return result;
}

}  // namespace muster::base

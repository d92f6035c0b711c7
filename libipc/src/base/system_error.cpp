#include "base/system_error.hpp"

#include <cstring>

namespace muster::base {
namespace {

Errc classify(int error) noexcept {
    switch (error) {
        case EACCES:
        case EPERM: return Errc::refused;
        case ENOMEM:
        case ENOSPC: return Errc::out_of_memory;
        case ECONNREFUSED:
        case ENOENT:
        case ECONNRESET:
        case EPIPE:
        case ENOTCONN: return Errc::unreachable;
        case ETIMEDOUT: return Errc::timeout;
        case EINVAL:
        case ENAMETOOLONG: return Errc::invalid_argument;
        default: return Errc::system;
    }
}

}  // namespace

std::string errno_text(int error) { return std::generic_category().message(error); }

Error from_errno(int error, std::string operation, std::string subject, std::string_view call) {
    return Error(classify(error), std::move(operation), std::move(subject),
                 std::string(call) + ": " + errno_text(error));
}

void throw_errno(int error, std::string operation, std::string subject, std::string_view call) {
    throw from_errno(error, std::move(operation), std::move(subject), call);
}

}  // namespace muster::base

#include "ctl/exit_code.hpp"

namespace muster::ctl {

int exit_code(Errc code) noexcept {
    switch (code) {
        case Errc::key_error:
        case Errc::no_attribute:
        case Errc::index_error:
        case Errc::empty:
        case Errc::full:
        case Errc::timeout:
            return exit_no;
        case Errc::invalid_argument:
            return exit_usage;
        case Errc::unreachable:
            return exit_unreachable;
        default:
            return exit_failed;
    }
}

}  // namespace muster::ctl

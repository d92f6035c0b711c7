// Whether what was looked for is not there, or could not be looked for.
#pragma once

#include <cerrno>

namespace muster {

// For want of descriptors or memory, or as a file could not be read. The user database has other errno values, too, for a
// user that it does not know.
inline bool could_not_look(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO || error == EINTR;
}

}  // namespace muster

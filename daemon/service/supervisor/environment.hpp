// The environment of a spawned process: a clean default for its user, and what the spec adds or replaces.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace muster::service {

// A user as the passwd database knows it; a uid that it does not know has "/" and /bin/sh and its number as a name.
struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name, home, shell;

    // Throws Error when the database cannot be read now.
    static User of(uid_t uid, gid_t fallback_gid);
};

// PATH, HOME, USER, LOGNAME, SHELL, LANG and MUSTER_ADDRESS, then `entries` (NAME=VALUE), the last one of a name
// counting.
std::vector<std::string> environment(const User& user, const std::string& address,
                                     const std::vector<std::string>& entries);

}  // namespace muster::service

// One operation under crash test.
#pragma once

#include <ostream>

#include "crash/operations.hpp"
#include "support/crash_image.hpp"

namespace muster::test {

struct Depth {
    bool every_instruction = true;
    std::size_t images = 4000;    // looked at, of the operation's
    std::size_t recoveries = 40;  // of these images, whose recovery is examined likewise
    std::size_t images_of_recovery = 400;
    std::size_t kills = 12;       // real ones
};

struct Examination {
    std::string name;
    std::uint64_t instructions = 0;
    std::size_t images = 0, images_of_recovery = 0, kills = 0;
    std::vector<std::string> failures;
};
std::ostream& operator<<(std::ostream& out, const Examination& examination);  // one line

// For every image: recovery leads to the state before or the one after, nothing is wrong or leaked, all mutexes are
// free, and from the state before the operation still works. The same for whoever dies during recovery.
Examination examine(const Operation& operation, const Depth& depth = {});

// In a process of its own: what kills or blocks the examination is one of its failures.
Examination examine_apart(const Operation& operation, const Depth& depth, unsigned seconds);

}  // namespace muster::test

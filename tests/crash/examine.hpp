// One operation under crash test.
#pragma once

#include <chrono>
#include <ostream>

#include "crash/operations.hpp"
#include "support/crash_image.hpp"

namespace muster::test {

struct Depth {
    bool every_instruction = true;
    std::size_t images = 4000;    // looked at, of the operation's
    std::size_t recoveries = 6;  // of these images, whose recovery is examined likewise
    std::size_t images_of_recovery = 200;
    std::size_t second_recoveries = 3;  // of all those, whose recovery is examined once more
    std::size_t images_of_second = 60;
    std::size_t kills = 8;       // real ones
    std::chrono::milliseconds patience{5000};  // of the second that a wake-up may take, under load
};

struct Examination {
    std::string name;
    std::uint64_t instructions = 0;
    std::size_t images = 0, images_of_recovery = 0, images_of_second = 0, kills = 0;
    std::uint64_t log_entries = 0;  // the most that were in force
    std::vector<std::string> failures;
};
std::ostream& operator<<(std::ostream& out, const Examination& examination);  // one line

// For every image: recovery (by whoever comes next, by the service, by a reader) leads to the state before or the one
// after; nothing is wrong or leaked, all mutexes are free, who slept has been woken; from the state before the
// operation still works, everything else works, too, and all that is erased gives its memory back. The same for
// whoever dies during recovery, and during the recovery of that.
Examination examine(const Operation& operation, const Depth& depth = {});

// In a process of its own: what kills or blocks the examination is one of its failures. Only these come back.
Examination examine_apart(const Operation& operation, const Depth& depth, unsigned seconds);

}  // namespace muster::test

// What the rows of one object share: the object itself, the first of a fresh segment, as what it is.
#pragma once

#include "containers/containers.hpp"
#include "crash/operations.hpp"
#include "support/bytes.hpp"

namespace muster::test {

inline constexpr heap::ObjectRef subject{1, 1};

inline containers::Table table(const segment::Segment& segment) { return {segment, subject}; }
inline containers::Queue queue(const segment::Segment& segment) { return {segment, subject}; }

inline void get(const segment::Segment& segment) {
    Out out;
    queue(segment).try_get(out);
}
// Looks at it, leaves it, and takes it then.
inline void get_seen(const segment::Segment& segment) {
    muster::detail::Buffer item;
    containers::Queue::Seen seen;
    queue(segment).try_get(item, seen, [] { return false; });
    queue(segment).take_seen(item, seen);
}

inline std::string letters(std::size_t count, char letter) { return std::string(count, letter); }

}  // namespace muster::test

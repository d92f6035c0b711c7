// A queue of strings over the bytes of containers::Queue, for its tests.
#pragma once

#include "containers/containers.hpp"
#include "support/random.hpp"
#include "support/temp_segment.hpp"

namespace muster::test {

using containers::Queue;
using Result = Queue::Result;

// A queue of strings; "(empty)" and "(closed)" are what it gives without an item.
struct StringQueue {
    StringQueue(const TempSegment& within, heap::ObjectRef named)
        : segment(*within), ref(named), queue(segment, ref) {}

    Result put(const std::string& item) { return queue.try_put(bytes(item)); }
    std::string get() {
        muster::detail::Buffer out;
        const Result result = queue.try_get(out);
        return result == Result::ok ? text(out.bytes()) : result == Result::empty ? "(empty)" : "(closed)";
    }
    std::string peek() const {
        muster::detail::Buffer out;
        return queue.peek(out) == Result::ok ? text(out.bytes()) : "(empty)";
    }
    std::vector<std::string> contents() const {
        std::vector<std::string> all;
        queue.for_each([&](std::uint64_t) { all.clear(); }, [&](containers::Bytes item) { all.push_back(text(item)); });
        return all;
    }
    std::vector<std::string> violations() const {
        std::vector<std::string> found;
        queue.verify([&](std::string what) { found.push_back(std::move(what)); });
        const heap::ObjectLock lock(segment, ref);
        lock.heap().verify([&](const char* what) { found.emplace_back(what); });
        return found;
    }
    std::uint64_t bytes_held() const { return heap::ObjectLock(segment, ref).heap().bytes(); }
    std::uint64_t live_bytes() const { return heap::ObjectLock(segment, ref).heap().live_bytes(); }
    containers::QueueRep& rep() const { return heap::root_of<containers::QueueRep>(heap::object_at(segment, ref.id)); }

    const segment::Segment& segment;
    heap::ObjectRef ref;
    Queue queue;
};

inline heap::ObjectRef bounded(const TempSegment& segment, std::int64_t maxsize) {
    return containers::Directory(*segment).create(
        heap::Kind::queue, 0u, [&](heap::ObjectRep& object) { Queue::init(object, maxsize); });
}

inline const std::vector<std::string> none;

}  // namespace muster::test

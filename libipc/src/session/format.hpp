// A new realm's structures, and what can be said of an object by its kind alone.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "heap/heap.hpp"

namespace muster::session {

// On a segment that was just created.
void format(const segment::Segment& segment);

std::string_view kind_name(heap::Kind kind) noexcept;

// Elements; for a lock 1 while it is held, for an event 1 while it is set; a semaphore's value; who waits at a barrier or on a condition.
std::uint64_t size_of(const segment::Segment& segment, heap::ObjectRef ref, heap::Kind kind);

void verify_object(const segment::Segment& segment, heap::ObjectRef ref, heap::Kind kind,
                   const std::function<void(const char* invariant, std::string text)>& violation);

}  // namespace muster::session

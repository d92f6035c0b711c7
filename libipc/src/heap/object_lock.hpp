// Holding an object's lock, and running a mutation of it that may need memory.
#pragma once

#include "heap/heap_of.hpp"

namespace muster::heap {

// The handle's object has been erased.
struct Destroyed {};

// Who takes values out of an object says what they may be: `plain`, no handles to objects. Nothing has to be done then for
// what they name (handles/nesting.hpp); so it is refused where a handle was ever stored.
enum class Taking { plain, anything };
struct HandlesInside {};

// How long those who only look (verify) wait for an object's lock.
inline constexpr std::chrono::milliseconds inspection_patience{50};

// Wakes all who sleep on the word; returns how many. They then look at what it is that they wait for.
int wake_watchers(std::uint32_t& word) noexcept;

// Declared before an object's lock: tells those who wait for a change once the lock is released. Nobody watches, as a
// rule: then it is the look at one word. A waiter announces itself in it and then looks at the sequence number, so here
// the look must come after the change is visible (as sync/wait_point.hpp has it); who dies in between leaves the waiter to
// its slices (I9).
class TellWatchers {
  public:
    explicit TellWatchers(std::uint32_t& word) noexcept : word_(word) {}
    TellWatchers(const TellWatchers&) = delete;
    TellWatchers& operator=(const TellWatchers&) = delete;
    ~TellWatchers() {
        tx::fence_after_unlock();
        if (__builtin_expect((__atomic_load_n(&word_, __ATOMIC_RELAXED) & 1) != 0, false)) wake_watchers(word_);
    }

  private:
    std::uint32_t& word_;
};

// Holds the domain of the object that `ref` names. Throws Destroyed, tx::Busy (deadline), segment::Damage.
// When a predecessor died inside: its mutation has been undone and its extents reconciled (I6).
class ObjectLock {
  public:
    ObjectLock(const Segment& segment, ObjectRef ref) : ObjectLock(segment, ref, segment.lock_deadline()) {}
    ObjectLock(const Segment& segment, ObjectRef ref, base::Deadline deadline)
        : segment_(segment),
          object_(object_at(segment, ref.id)),
          ref_(ref),
          tell_(object_.watchers),
          lock_(segment, object_.domain, deadline) {
        const Ident ident = Ident::unpack(object_.ident);
        if (ident.generation != ref.generation || ident.life != Life::live) throw Destroyed{};
        if (__builtin_expect(object_.domain.unreconciled != 0, false)) mend();
    }

    const Segment& segment() const noexcept { return segment_; }
    ObjectRep& object() const noexcept { return object_; }
    ObjectRef ref() const noexcept { return ref_; }
    // Before something is taken out. Throws HandlesInside.
    void allow(Taking what) const {
        if (__builtin_expect((object_.flags & flag_with_handles) != 0, false) && what == Taking::plain) throw HandlesInside{};
    }
    Heap heap() const noexcept { return Heap(segment_, object_, ref_.id); }

  private:
    void mend() {
        if (object_.heap.body != 0) {
            Heap own = heap();
            own.reconcile();
            own.collect();
        }
        tx::reconciled(object_.domain);
    }

    const Segment& segment_;
    ObjectRep& object_;
    ObjectRef ref_;
    TellWatchers tell_;  // after lock_ is gone
    tx::DomainLock lock_;
};

// Runs fn(Tx&, Heap&) as one mutation and commits it; its result is passed on. When it needs memory it is undone, the
// heap grown, and it runs again: so it must not change anything but through the Tx. Where the realm has no more, the
// object's own spare extents are given back once, as they may lie beside each other or be of the wrong size. Throws
// OutOfMemory with nothing changed. An exception of fn undoes the mutation.
template <typename Fn>
auto mutate(ObjectLock& lock, Fn&& fn) {
    Heap heap = lock.heap();
    if (heap.has_garbage()) heap.collect();
    bool trimmed = false;  // only once, or two large blocks could take turns for ever
    for (;;) {
        std::uint64_t missing = 0;
        try {
            Tx tx(lock.segment(), lock.object().domain);
            if constexpr (std::is_void_v<decltype(fn(tx, heap))>) {
                fn(tx, heap);
                tx.commit();
                if (heap.has_garbage()) heap.collect();
                return;
            } else {
                auto result = fn(tx, heap);
                tx.commit();
                if (heap.has_garbage()) heap.collect();
                return result;
            }
        } catch (const NeedMemory& need) {
            missing = need.bytes;
        }
        try {
            heap.grow(missing);
        } catch (const OutOfMemory&) {
            if (trimmed || !heap.has_spare()) {
                heap.shrink();
                throw;
            }
            heap.trim();
            trimmed = true;
        }
    }
}

}  // namespace muster::heap

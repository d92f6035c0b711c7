// A line of those who wait for something of an object: a record each, in the order in which they came, in the object's
// heap. And the thread that waits: its number in its slot, by which others see that it still does, and the word on which
// it sleeps alone, so that exactly those are woken whose turn it is.
//
// Bit 0 of a waiting number: the thread waits. It is stored before its record is linked and changed when the wait is
// over, also where the record could not be unlinked (somebody is stopped inside the object): a record whose number is not
// its thread's any more is nobody's. Only the thread itself writes the number, and it never returns to an old value.
// I9: the word is a wait point (sync/wait_point.hpp) at a place that outlives every object; the service wakes it after a
// death as all others.
// Thread safety: the caller holds the object's lock; slots are each thread's own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "heap/heap.hpp"
#include "sync/sessions.hpp"
#include "sync/wait_point.hpp"

namespace muster::sync {

// In SlotRep::reserved.
inline constexpr std::size_t slot_sleep_word = 1, slot_wait_number = 2;

SlotRep& slot_at(const Segment& segment, SlotId slot);
// The word that the thread sleeps on.
std::uint32_t& sleep_word(const Segment& segment, std::uint32_t slot_index);

// Generation << 32 | index + 1, as of leases.
inline std::uint64_t owner_of(SessionId session) noexcept {
    return std::uint64_t{session.generation} << 32 | (session.index + 1);
}

struct Waiter {
    SlotId slot;
    std::uint64_t owner = 0;
    std::uint64_t number = 0;
};

// The calling thread waits, from here to the end of the scope.
class WaitingThread {
  public:
    WaitingThread(const Segment& segment, SlotId self, SessionId session);
    WaitingThread(const WaitingThread&) = delete;
    WaitingThread& operator=(const WaitingThread&) = delete;
    ~WaitingThread();
    const Waiter& who() const noexcept { return who_; }
    std::uint32_t& word() const noexcept { return word_; }

  private:
    SlotRep& slot_;
    std::uint32_t& word_;
    Waiter who_;
};

struct WaiterRep {
    Cell<std::uint64_t> next, prev;
    Cell<std::uint64_t> owner;   // session generation << 32 | index + 1
    Cell<std::uint64_t> slot;    // SlotId
    Cell<std::uint64_t> number;  // the thread's, while it waits
    Cell<std::uint64_t> ticket;  // 1, 2, ... of the line
    Cell<std::uint64_t> state;   // what has become of it; the object's kind says
    Cell<std::uint64_t> data;
};
static_assert(sizeof(WaiterRep) == 64);

struct LineRep {
    Cell<std::uint64_t> head, tail, count;
    Cell<std::uint64_t> ticket;  // the last one given
    std::uint64_t looked;        // when somebody last looked whether all live, in ms; outside every Tx
};
static_assert(sizeof(LineRep) == 40);

// Whom to wake, by the index of their slots, once the object's lock is released.
using Woken = std::vector<std::uint32_t>;
void wake(const Segment& segment, const Woken& woken);

class Line {
  public:
    Line(const Segment& segment, LineRep& rep) noexcept : segment_(segment), rep_(rep) {}

    std::uint64_t size() const noexcept { return rep_.count; }
    // At the end; returns its place. At most 16 log words.
    std::uint64_t append(Tx& tx, heap::Heap& heap, const Waiter& who, std::uint64_t state = 0, std::uint64_t data = 0);
    // At most 12 log words.
    void remove(Tx& tx, heap::Heap& heap, std::uint64_t at);

    WaiterRep& at(std::uint64_t place) const { return *segment_.block<WaiterRep>(place); }
    // The caller's own record, which nobody else takes out while it waits.
    WaiterRep& own(std::uint64_t place, const Waiter& who) const;
    // Does its thread still wait there? Yes, too, for one whose process was killed and not reclaimed yet.
    bool present(const WaiterRep& record) const;

    // fn(place, record) from the first on; it may remove that one. True from fn: enough.
    template <typename Fn>
    void for_each(Fn&& fn) const {
        std::uint64_t left = rep_.count;
        for (std::uint64_t place = rep_.head; place != 0;) {
            if (left-- == 0) throw segment::Damage{"a line of waiters is longer than it says"};
            WaiterRep& record = at(place);
            const std::uint64_t next = record.next;
            if (fn(place, record)) return;
            place = next;
        }
    }
    void add_owners(std::vector<std::uint64_t>& owners) const;

    // Is it time that somebody looks whether the others live? True for one of all who ask, once in a slice.
    bool may_look() const noexcept;

    // fn(place, size) of each block; and what is wrong.
    void verify(const std::function<void(std::uint64_t, std::uint64_t)>& block,
                const std::function<void(std::string)>& violation) const;

  private:
    const Segment& segment_;
    LineRep& rep_;
};

// Whether an owner is dead, as those say who know.
using Dead = std::function<bool(std::uint64_t owner)>;
// Adds it once.
void add_owner(std::vector<std::uint64_t>& owners, std::uint64_t owner);

}  // namespace muster::sync

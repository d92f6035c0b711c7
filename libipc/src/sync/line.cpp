#include "sync/line.hpp"

#include <algorithm>
#include <ctime>

namespace muster::sync {
namespace {

std::uint64_t load(const std::uint64_t& word) noexcept { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

std::uint64_t milliseconds() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

SlotRep& slot_at(const Segment& segment, SlotId slot) {
    return segment.at<SlotRep>(segment.regions().slots, segment::max_slots)[slot.index()];
}

std::uint32_t& sleep_word(const Segment& segment, std::uint32_t slot_index) {
    const std::uint64_t slot = segment.regions().slots + std::uint64_t{slot_index % segment::max_slots} * sizeof(SlotRep);
    return *segment.at<std::uint32_t>(slot + offsetof(SlotRep, reserved) + slot_sleep_word * sizeof(std::uint64_t));
}

WaitingThread::WaitingThread(const Segment& segment, SlotId self, SessionId session)
    : slot_(slot_at(segment, self)), word_(sleep_word(segment, self.index())), who_{self, owner_of(session), 0} {
    std::uint64_t& number = slot_.reserved[slot_wait_number];
    who_.number = (load(number) | 1) + 2;
    __atomic_store_n(&number, who_.number, __ATOMIC_RELEASE);
}

WaitingThread::~WaitingThread() { __atomic_store_n(&slot_.reserved[slot_wait_number], who_.number + 1, __ATOMIC_RELEASE); }

void wake(const Segment& segment, const Woken& woken) {
    for (const std::uint32_t index : woken) WaitPoint(sleep_word(segment, index)).notify(1);
}

std::uint64_t Line::append(Tx& tx, heap::Heap& heap, const Waiter& who, std::uint64_t state, std::uint64_t data) {
    const std::uint64_t place = heap.allocate(tx, sizeof(WaiterRep)), last = rep_.tail, ticket = rep_.ticket + 1;
    WaiterRep& record = at(place);
    Tx::init(record.next, 0);
    Tx::init(record.prev, last);
    Tx::init(record.owner, who.owner);
    Tx::init(record.slot, who.slot.word());
    Tx::init(record.number, who.number);
    Tx::init(record.ticket, ticket);
    Tx::init(record.state, state);
    Tx::init(record.data, data);
    tx.set(last == 0 ? rep_.head : at(last).next, place);
    tx.set(rep_.tail, place);
    tx.set(rep_.count, rep_.count + 1);
    tx.set(rep_.ticket, ticket);
    return place;
}

void Line::remove(Tx& tx, heap::Heap& heap, std::uint64_t place) {
    const WaiterRep& record = at(place);
    const std::uint64_t next = record.next, prev = record.prev;
    tx.set(prev == 0 ? rep_.head : at(prev).next, next);
    tx.set(next == 0 ? rep_.tail : at(next).prev, prev);
    tx.set(rep_.count, rep_.count - 1);
    heap.free(tx, place, sizeof(WaiterRep));
}

WaiterRep& Line::own(std::uint64_t place, const Waiter& who) const {
    WaiterRep& record = at(place);
    if (record.number != who.number || record.slot != who.slot.word() || record.owner != who.owner)
        throw segment::Damage{"a waiter's record is not in its line"};
    return record;
}

bool Line::present(const WaiterRep& record) const {
    const SlotId slot{static_cast<std::uint32_t>(record.slot.get())};
    const SlotRep& rep = slot_at(segment_, slot);
    const std::uint64_t ident = rep.ident;
    return static_cast<std::uint32_t>(ident) != 0 &&
           SlotId::make(slot.index(), static_cast<std::uint32_t>(ident >> 32)) == slot &&
           load(rep.reserved[slot_wait_number]) == record.number;
}

void add_owner(std::vector<std::uint64_t>& owners, std::uint64_t owner) {
    if (std::find(owners.begin(), owners.end(), owner) == owners.end()) owners.push_back(owner);
}

void Line::add_owners(std::vector<std::uint64_t>& owners) const {
    for_each([&](std::uint64_t, const WaiterRep& record) { return add_owner(owners, record.owner), false; });
}

bool Line::may_look() const noexcept {
    const std::uint64_t now = milliseconds();
    std::uint64_t last = load(rep_.looked);
    return now - last >= static_cast<std::uint64_t>(wait_slice.count()) &&
           __atomic_compare_exchange_n(&rep_.looked, &last, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void Line::verify(const std::function<void(std::uint64_t, std::uint64_t)>& block,
                  const std::function<void(std::string)>& violation) const {
    std::uint64_t count = 0, prev = 0, ticket = 0;
    for_each([&](std::uint64_t place, const WaiterRep& record) {
        block(place, sizeof(WaiterRep));
        if (record.prev != prev) violation("a waiter's record does not lead back to the one before it");
        if (record.ticket <= ticket || record.ticket > rep_.ticket) violation("a waiter's ticket is out of its order");
        ticket = record.ticket;
        prev = place;
        ++count;
        return false;
    });
    if (count != rep_.count || prev != rep_.tail) violation("a line of waiters is not as long as it says");
}

}  // namespace muster::sync

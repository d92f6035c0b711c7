#include "sync/condition.hpp"

#include <algorithm>

#include "containers/containers.hpp"

namespace muster::sync {

using heap::Heap;
using heap::ObjectLock;

namespace {

constexpr std::size_t at_once = 100;  // records that one transaction marks (I5)

std::uint32_t slot_index(const WaiterRep& record) { return SlotId{static_cast<std::uint32_t>(record.slot.get())}.index(); }

}  // namespace

void Condition::init(heap::ObjectRep& object, heap::ObjectRef lock) {
    Tx::init(heap::root_of<ConditionRep>(object).lock, std::uint64_t{lock.generation} << 32 | lock.id);
}

std::uint64_t Condition::enter(const Waiter& who) {
    ObjectLock lock(segment_, ref_);
    return heap::mutate(lock, [&](Tx& tx, Heap& heap) { return line().append(tx, heap, who); });
}

bool Condition::notified(std::uint64_t place, const Waiter& who) const {
    ObjectLock lock(segment_, ref_);
    return is_notified(line().own(place, who));
}

bool Condition::leave(std::uint64_t place, const Waiter& who) {
    ObjectLock lock(segment_, ref_);
    const bool was = is_notified(line().own(place, who));
    heap::mutate(lock, [&](Tx& tx, Heap& heap) { line().remove(tx, heap, place); });
    return was;
}

void Condition::give_up(std::uint64_t place, const Waiter& who, Woken& woken) {
    ObjectLock lock(segment_, ref_);
    (void)line().own(place, who);
    remove_passing_on(lock, place, [](std::uint64_t) { return false; }, woken);
}

void Condition::notify(std::uint64_t count, Woken& woken) {
    ObjectLock lock(segment_, ref_);
    std::vector<std::uint64_t> places;
    bool more = false;
    line().for_each([&](std::uint64_t place, const WaiterRep& record) {
        if (is_notified(record)) return false;
        if (!line().present(record)) {
            heap::mutate(lock, [&](Tx& tx, Heap& heap) { line().remove(tx, heap, place); });
            return false;
        }
        if (places.size() == count) return more = true;
        places.push_back(place);
        woken.push_back(slot_index(record));
        return false;
    });
    if (places.empty()) return;
    const std::uint64_t now = rep().line.ticket;
    if (!more) return heap::mutate(lock, [&](Tx& tx, Heap&) { tx.set(rep().all_through, now); });
    for (std::size_t first = 0; first < places.size(); first += at_once)
        heap::mutate(lock, [&](Tx& tx, Heap&) {
            for (std::size_t i = first; i < std::min(places.size(), first + at_once); ++i)
                tx.set(line().at(places[i]).state, now);
        });
}

std::uint64_t Condition::waiting() const {
    ObjectLock lock(segment_, ref_);
    std::uint64_t count = 0;
    line().for_each([&](std::uint64_t, const WaiterRep& record) { return count += is_notified(record) ? 0 : 1, false; });
    return count;
}

std::vector<std::uint64_t> Condition::owners() const {
    ObjectLock lock(segment_, ref_);
    std::vector<std::uint64_t> all;
    line().add_owners(all);
    return all;
}

// The first who waits and has a ticket up to that one.
WaiterRep* Condition::next_for(std::uint64_t ticket, const Dead& dead) const {
    WaiterRep* found = nullptr;
    line().for_each([&](std::uint64_t, WaiterRep& record) {
        if (record.ticket > ticket) return true;
        if (is_notified(record) || dead(record.owner) || !line().present(record)) return false;
        found = &record;
        return true;
    });
    return found;
}

void Condition::remove_passing_on(ObjectLock& lock, std::uint64_t place, const Dead& dead, Woken& woken) {
    const std::uint64_t notice = line().at(place).state;
    WaiterRep* const next = notice == 0 ? nullptr : next_for(notice, dead);
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        if (next != nullptr) tx.set(next->state, notice);
        line().remove(tx, heap, place);
    });
    if (next != nullptr) woken.push_back(slot_index(*next));
}

bool Condition::drop_dead(const Dead& dead, Woken& woken, base::Deadline deadline) {
    ObjectLock lock(segment_, ref_, deadline);
    bool changed = false;
    line().for_each([&](std::uint64_t place, const WaiterRep& record) {
        if (!dead(record.owner) && line().present(record)) return false;
        remove_passing_on(lock, place, dead, woken);
        return changed = true, false;
    });
    // Whoever notified may have died before it woke them.
    line().for_each([&](std::uint64_t, const WaiterRep& record) {
        if (is_notified(record)) woken.push_back(slot_index(record));
        return false;
    });
    return changed;
}

void Condition::verify(const std::function<void(std::string)>& violation) const {
    ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    containers::Audit audit(lock, violation);
    try {
        line().verify([&](std::uint64_t at, std::uint64_t size) { audit.block(at, size, "a waiter"); }, violation);
        if (rep().all_through > rep().line.ticket) violation("a condition has notified who never came");
        line().for_each([&](std::uint64_t, const WaiterRep& record) {
            if (record.state > rep().line.ticket || (record.state != 0 && record.state < record.ticket))
                violation("a waiter was notified before it came");
            return false;
        });
        audit.finish();
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    }
}

}  // namespace muster::sync

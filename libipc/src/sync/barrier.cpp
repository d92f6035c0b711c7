#include "sync/barrier.hpp"

#include "containers/containers.hpp"

namespace muster::sync {

using heap::Heap;
using heap::ObjectLock;

void Barrier::init(heap::ObjectRep& object, std::uint64_t parties, std::uint64_t timeout_ns) {
    BarrierRep& root = heap::root_of<BarrierRep>(object);
    Tx::init(root.parties, parties);
    Tx::init(root.timeout, timeout_ns);
    Tx::init(root.round, 1);
}

void Barrier::set_phase(Tx& tx, BarrierPhase to) {
    if (phase() != to) tx.set(rep().phase, static_cast<std::uint64_t>(to));
}

// The round has come together. The one who runs this is not in the line, and has left.
void Barrier::complete(Tx& tx) {
    tx.set(rep().released, rep().round);
    tx.set(rep().round, rep().round + 1);
    set_phase(tx, rep().line.count == 0 ? BarrierPhase::filling : BarrierPhase::draining);
}

void Barrier::take_out(Tx& tx, Heap& heap, std::uint64_t place) {
    line().remove(tx, heap, place);
    const bool over = phase() == BarrierPhase::draining || phase() == BarrierPhase::resetting;
    if (over && rep().line.count == 0) set_phase(tx, BarrierPhase::filling);
}

// The smallest that nobody has.
std::uint64_t Barrier::free_index() const {
    const std::uint64_t count = rep().line.count;
    if (count == 0 || rep().next == count) return count;
    std::vector<bool> taken(max_parties);
    line().for_each([&](std::uint64_t, const WaiterRep& record) {
        if (record.state < max_parties) taken[record.state] = true;
        return false;
    });
    std::uint64_t index = 0;
    while (index + 1 < max_parties && taken[index]) ++index;
    return index;
}

Barrier::Arrival Barrier::arrive(const Waiter& who, bool has_action, bool all_live) {
    ObjectLock lock(segment_, ref_);
    if (phase() == BarrierPhase::broken) return {Arrival::What::broken};
    if (phase() != BarrierPhase::filling) return {Arrival::What::outside};
    const std::uint64_t index = free_index(), count = rep().line.count;
    if (!all_live && count + 1 >= rep().parties && count != 0) return {Arrival::What::completes};
    return heap::mutate(lock, [&](Tx& tx, Heap& heap) -> Arrival {
        if (count + 1 < rep().parties) {
            const std::uint64_t place = line().append(tx, heap, who, index, rep().round);
            if (count == 0 || rep().next == count) tx.set(rep().next, count + 1);
            return {Arrival::What::in_line, index, place, 0};
        }
        if (!has_action) {
            complete(tx);
            return {Arrival::What::passed, index, 0, 0};
        }
        const std::uint64_t run = rep().run + 1;
        tx.set(rep().run, run);
        tx.set(rep().runner_slot, who.slot.word());
        tx.set(rep().runner_owner, who.owner);
        set_phase(tx, BarrierPhase::running);
        return {Arrival::What::runs_action, index, 0, run};
    });
}

bool Barrier::finish(std::uint64_t run) {
    ObjectLock lock(segment_, ref_);
    if (phase() != BarrierPhase::running || rep().run != run) return false;
    heap::mutate(lock, [&](Tx& tx, Heap&) { complete(tx); });
    return true;
}

Barrier::Look Barrier::state_of(const WaiterRep& record) const {
    if (record.data <= rep().released) return Look::passed;
    return phase() == BarrierPhase::broken || phase() == BarrierPhase::resetting ? Look::broken : Look::waits;
}

Barrier::Look Barrier::look(std::uint64_t place, const Waiter& who) {
    ObjectLock lock(segment_, ref_);
    const Look state = state_of(line().own(place, who));
    if (state == Look::waits) return state;
    heap::mutate(lock, [&](Tx& tx, Heap& heap) { take_out(tx, heap, place); });
    return state;
}

Barrier::Look Barrier::give_up(std::uint64_t place, const Waiter& who) {
    ObjectLock lock(segment_, ref_);
    const Look state = state_of(line().own(place, who));
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        take_out(tx, heap, place);
        if (state == Look::waits) set_phase(tx, BarrierPhase::broken);
    });
    return state;
}

void Barrier::abort() {
    ObjectLock lock(segment_, ref_);
    heap::mutate(lock, [&](Tx& tx, Heap&) { set_phase(tx, BarrierPhase::broken); });
}

void Barrier::reset() {
    ObjectLock lock(segment_, ref_);
    // Who has come together is not called back.
    if (phase() == BarrierPhase::draining) return;
    heap::mutate(lock, [&](Tx& tx, Heap&) {
        set_phase(tx, rep().line.count == 0 ? BarrierPhase::filling : BarrierPhase::resetting);
    });
}

Barrier::Status Barrier::status() const {
    ObjectLock lock(segment_, ref_);
    return {phase(), phase() == BarrierPhase::filling ? rep().line.count.get() : 0};
}

std::vector<std::uint64_t> Barrier::owners() const {
    ObjectLock lock(segment_, ref_);
    std::vector<std::uint64_t> all;
    line().add_owners(all);
    if (phase() == BarrierPhase::running) add_owner(all, rep().runner_owner);
    return all;
}

bool Barrier::runner_lives(const Dead& dead) const {
    const SlotId slot{static_cast<std::uint32_t>(rep().runner_slot.get())};
    const std::uint64_t ident = slot_at(segment_, slot).ident;
    return !dead(rep().runner_owner) && static_cast<std::uint32_t>(ident) != 0 &&
           SlotId::make(slot.index(), static_cast<std::uint32_t>(ident >> 32)) == slot;
}

bool Barrier::drop_dead(const Dead& dead, base::Deadline deadline) {
    ObjectLock lock(segment_, ref_, deadline);
    bool changed = false;
    line().for_each([&](std::uint64_t place, const WaiterRep& record) {
        if (!dead(record.owner) && line().present(record)) return false;
        heap::mutate(lock, [&](Tx& tx, Heap& heap) { take_out(tx, heap, place); });
        return changed = true, false;
    });
    if (phase() == BarrierPhase::running && !runner_lives(dead)) {
        heap::mutate(lock, [&](Tx& tx, Heap&) { set_phase(tx, BarrierPhase::broken); });
        changed = true;
    }
    return changed;
}

void Barrier::verify(const std::function<void(std::string)>& violation) const {
    ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    containers::Audit audit(lock, violation);
    try {
        line().verify([&](std::uint64_t at, std::uint64_t size) { audit.block(at, size, "a waiter"); }, violation);
        if (rep().phase > 4) violation("a barrier is in no phase that there is");
        if (rep().parties == 0 || rep().parties > max_parties) violation("a barrier of an impossible number of parties");
        if (rep().line.count >= rep().parties) violation("more wait at a barrier than it takes");
        if (rep().released >= rep().round) violation("a barrier's round is over before it began");
        std::vector<bool> taken(max_parties);
        line().for_each([&](std::uint64_t, const WaiterRep& record) {
            const std::uint64_t index = record.state;
            if (index >= rep().parties || taken[index]) violation("the indices at a barrier are not of their own each");
            else taken[index] = true;
            if (record.data > rep().round) violation("a waiter at a barrier is of a round to come");
            return false;
        });
        audit.finish();
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    }
}

}  // namespace muster::sync

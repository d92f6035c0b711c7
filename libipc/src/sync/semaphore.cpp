#include "sync/semaphore.hpp"

#include <algorithm>

#include "containers/containers.hpp"
#include "sync/halves.hpp"

namespace muster::sync {
namespace {

constexpr std::uint64_t waits = 0, granted = 1;
constexpr std::uint64_t share_bytes = sessions_of_a_share * sizeof(Cell<std::uint64_t>);
constexpr std::uint64_t settled_at_once = 64;  // shares of others that one transaction changes (I5)

std::uint32_t session_of(std::uint64_t owner) {
    const std::uint32_t index = low(owner) - 1;
    if (index >= segment::max_sessions) throw segment::Damage{"semaphore: no such session"};
    return index;
}
std::uint64_t count_of(std::uint64_t word, std::uint64_t owner) noexcept {
    return high(word) == high(owner) ? low(word) : 0;
}

}  // namespace

void Semaphore::init(heap::ObjectRep& object, std::uint64_t value, bool bounded) {
    SemaphoreRep& root = heap::root_of<SemaphoreRep>(object);
    Tx::init(root.value, value);
    Tx::init(root.bound, value);
    Tx::init(root.bounded, bounded ? 1 : 0);
}

Cell<std::uint64_t>* Semaphore::share(std::uint32_t session) const {
    const std::uint64_t block = rep().shares[session / sessions_of_a_share];
    return block == 0 ? nullptr
                      : segment_.block<Cell<std::uint64_t>>(block, sessions_of_a_share) + session % sessions_of_a_share;
}

Cell<std::uint64_t>& Semaphore::make_share(Tx& tx, heap::Heap& heap, std::uint32_t session) {
    if (Cell<std::uint64_t>* found = share(session)) return *found;
    const std::uint64_t block = heap.allocate(tx, share_bytes);
    auto* words = segment_.block<Cell<std::uint64_t>>(block, sessions_of_a_share);
    for (std::uint64_t i = 0; i < sessions_of_a_share; ++i) Tx::init(words[i], 0);
    tx.set(rep().shares[session / sessions_of_a_share], block);
    return words[session % sessions_of_a_share];
}

// A free permit is the owner's. What a former session of the same index left is free.
void Semaphore::take(Tx& tx, heap::Heap& heap, std::uint64_t owner) {
    Cell<std::uint64_t>& word = make_share(tx, heap, session_of(owner));
    const std::uint64_t had = word, mine = count_of(had, owner), left = high(had) == high(owner) ? 0 : low(had);
    tx.set(word, pack(high(owner), mine + 1));
    tx.set(rep().value, rep().value + left - 1);
}

bool Semaphore::try_acquire(std::uint64_t owner) {
    heap::ObjectLock lock(segment_, ref_);
    if (rep().value == 0 || rep().line.count != 0) return false;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { take(tx, heap, owner); });
    return true;
}

std::optional<std::uint64_t> Semaphore::enter(const Waiter& who) {
    heap::ObjectLock lock(segment_, ref_);
    return heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) -> std::optional<std::uint64_t> {
        if (rep().value != 0 && rep().line.count == 0) {
            take(tx, heap, who.owner);
            return {};
        }
        (void)make_share(tx, heap, session_of(who.owner));  // so that handing over needs no memory
        return line().append(tx, heap, who, waits);
    });
}

bool Semaphore::looks_waiting(std::uint64_t place) const { return line().at(place).state == waits; }

bool Semaphore::claim(std::uint64_t place, const Waiter& who) {
    heap::ObjectLock lock(segment_, ref_);
    if (line().own(place, who).state != granted) return false;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { line().remove(tx, heap, place); });
    return true;
}

bool Semaphore::leave(std::uint64_t place, const Waiter& who) {
    heap::ObjectLock lock(segment_, ref_);
    const bool has = line().own(place, who).state == granted;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { line().remove(tx, heap, place); });
    return has;
}

void Semaphore::give_up(std::uint64_t place, const Waiter& who, Woken& woken) {
    heap::ObjectLock lock(segment_, ref_);
    remove_unclaimed(lock, place, line().own(place, who));
    hand_out(lock, woken);
}

// One that its process does not know to have is free again. True: there was one.
bool Semaphore::remove_unclaimed(heap::ObjectLock& lock, std::uint64_t place, const WaiterRep& record) {
    const std::uint64_t owner = record.owner;
    Cell<std::uint64_t>* const word = share(session_of(owner));
    const bool unclaimed = record.state == granted && word != nullptr && count_of(*word, owner) != 0;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        if (unclaimed) {
            tx.set(*word, *word - 1);
            tx.set(rep().value, rep().value + 1);
        }
        line().remove(tx, heap, place);
    });
    return unclaimed;
}

// Each permit by a transaction of its own: whoever comes next goes on where a death interrupted.
void Semaphore::hand_out(heap::ObjectLock& lock, Woken& woken) {
    if (rep().value == 0 || rep().line.count == 0) return;
    line().for_each([&](std::uint64_t place, WaiterRep& record) {
        if (record.state == granted) return false;
        const bool present = line().present(record);
        const std::uint64_t owner = record.owner;
        heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
            if (!present) return line().remove(tx, heap, place);
            tx.set(record.state, granted);
            take(tx, heap, owner);
        });
        if (present) woken.push_back(SlotId{low(record.slot)}.index());
        return rep().value == 0;
    });
}

// One transaction of a release: as many of the permits as it can account for. Returns how many.
std::uint64_t Semaphore::release_some(heap::ObjectLock& lock, std::uint64_t owner, std::uint64_t count) {
    return heap::mutate(lock, [&](Tx& tx, heap::Heap&) {
        std::uint64_t left = count, changed = 0;
        const auto settle = [&](Cell<std::uint64_t>& word, std::uint64_t has, std::uint64_t rest) {
            const std::uint64_t some = std::min(left, has);
            if (some != 0) tx.set(word, rest | (has - some)), left -= some, ++changed;
        };
        const std::uint32_t self = session_of(owner);
        if (Cell<std::uint64_t>* own = share(self))
            settle(*own, count_of(*own, owner), pack(high(*own), 0));
        settle(rep().disowned, rep().disowned, 0);
        for (std::uint32_t session = 0; session < segment::max_sessions && left != 0 && changed < settled_at_once; ++session) {
            Cell<std::uint64_t>* word = share(session);
            if (word == nullptr) {
                session += sessions_of_a_share - 1;
                continue;
            }
            settle(*word, low(*word), pack(high(*word), 0));
        }
        const std::uint64_t released = changed < settled_at_once ? count : count - left;
        tx.set(rep().value, rep().value + released);
        return released;
    });
}

Semaphore::Released Semaphore::release(std::uint64_t owner, std::uint64_t count, Woken& woken) {
    heap::ObjectLock lock(segment_, ref_);
    const std::uint64_t value = rep().value, bound = rep().bound;
    if (count > max_value || value > max_value - count) return Released::too_many;
    if (bounded() && value + count > bound) return Released::too_often;
    for (std::uint64_t left = count; left != 0;) left -= release_some(lock, owner, left);
    hand_out(lock, woken);
    return Released::yes;
}

bool Semaphore::disown(std::uint64_t owner, std::uint64_t count) {
    heap::ObjectLock lock(segment_, ref_);
    Cell<std::uint64_t>* const word = share(session_of(owner));
    if (word == nullptr || count_of(*word, owner) < count) return false;
    heap::mutate(lock, [&](Tx& tx, heap::Heap&) {
        tx.set(*word, *word - count);
        tx.set(rep().disowned, rep().disowned + count);
    });
    return true;
}

std::uint64_t Semaphore::value() const {
    const std::uint64_t seen = rep().value;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);  // the object was this one when its word was read
    const heap::Ident ident = heap::Ident::unpack(object_.ident);
    if (ident.generation != ref_.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
    return seen;
}

std::uint64_t Semaphore::held(std::uint64_t owner) const {
    heap::ObjectLock lock(segment_, ref_);
    const Cell<std::uint64_t>* word = share(session_of(owner));
    return word == nullptr ? 0 : count_of(*word, owner);
}

std::vector<std::uint64_t> Semaphore::owners() const {
    heap::ObjectLock lock(segment_, ref_);
    std::vector<std::uint64_t> all;
    line().add_owners(all);
    for (std::uint32_t session = 0; session < segment::max_sessions; ++session) {
        const Cell<std::uint64_t>* word = share(session);
        if (word == nullptr) session += sessions_of_a_share - 1;
        else if (low(*word) != 0) add_owner(all, pack(high(*word), session + 1));
    }
    return all;
}

std::uint64_t Semaphore::drop_dead(const Dead& dead, Woken& woken, base::Deadline deadline) {
    heap::ObjectLock lock(segment_, ref_, deadline);
    std::uint64_t back = 0;
    for (std::uint32_t session = 0; session < segment::max_sessions; ++session) {
        Cell<std::uint64_t>* const word = share(session);
        if (word == nullptr) {
            session += sessions_of_a_share - 1;
            continue;
        }
        const std::uint64_t count = low(*word);
        if (count == 0 || !dead(pack(high(*word), session + 1))) continue;
        heap::mutate(lock, [&](Tx& tx, heap::Heap&) {
            tx.set(*word, 0);
            tx.set(rep().value, rep().value + count);
        });
        back += count;
    }
    line().for_each([&](std::uint64_t place, const WaiterRep& record) {
        if (!dead(record.owner) && line().present(record)) return false;
        back += remove_unclaimed(lock, place, record) ? 1 : 0;
        return false;
    });
    hand_out(lock, woken);
    return back;
}

void Semaphore::verify(const std::function<void(std::string)>& violation) const {
    heap::ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    containers::Audit audit(lock, violation);
    try {
        std::uint64_t taken = rep().disowned;
        for (const Cell<std::uint64_t>& block : rep().shares)
            if (block != 0) audit.block(block, share_bytes, "shares of a semaphore");
        for (std::uint32_t session = 0; session < segment::max_sessions; ++session)
            if (const Cell<std::uint64_t>* word = share(session)) taken += low(*word);
        line().verify([&](std::uint64_t at, std::uint64_t size) { audit.block(at, size, "a waiter"); }, violation);
        if (rep().bounded > 1) violation("a semaphore is neither bounded nor not");
        if (rep().value > max_value) violation("a semaphore's value is too large");
        if (bounded() && rep().value + taken != rep().bound)
            violation("the permits of a bounded semaphore are not as many as it began with");
        audit.finish();
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    }
}

}  // namespace muster::sync

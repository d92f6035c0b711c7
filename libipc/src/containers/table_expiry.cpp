// What expires in a table: when, until when, and away with it.
#include <algorithm>
#include <ctime>

#include "containers/table.hpp"

namespace muster::containers {

std::uint64_t boot_time() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

void Table::count_expiring(Tx& tx, std::uint64_t before, std::uint64_t after) {
    if (__builtin_expect(before == never && after == never, true)) return;
    TableRep& root = rep();
    const std::uint64_t others = root.expiring - (before != never ? 1 : 0);
    if (after != never) {
        const std::uint64_t earliest = others == 0 ? after : std::min<std::uint64_t>(root.earliest, after);
        if (root.earliest != earliest) tx.set(root.earliest, earliest);
        if (root.sweep_at != 0 && root.sweep_earliest > after) tx.set(root.sweep_earliest, after);
    } else if (others == 0 && root.sweep_at != 0) {
        tx.set(root.sweep_at, 0);
    }
    const std::uint64_t now = others + (after != never ? 1 : 0);
    if (root.expiring != now) tx.set(root.expiring, now);
}

std::uint64_t Table::count_expired(std::uint64_t now) const {
    if (!may_have_expired(now)) return 0;
    const std::uint64_t size = rep().size;
    if (size > most_entries()) throw segment::Damage{"dict: size"};
    std::uint64_t steps = 0, expired = 0;
    for (std::uint64_t at = rep().head; at != 0;) {
        if (++steps > size) throw segment::Damage{"dict: more entries than its size"};
        const EntryRep& entry = entry_at(at);
        if (expiry_of(entry) <= now) ++expired;
        at = entry.next;
    }
    return expired;
}

std::optional<std::uint64_t> Table::expiry(Bytes key) const {
    const std::uint64_t hash = hash_of(key);
    std::optional<std::uint64_t> found;
    const auto look = [&] {
        check_live();
        const EntryRep* entry = find(key, hash);
        found.reset();
        if (entry != nullptr && !expired(*entry)) found = expiry_of(*entry);
    };
    if (tx::read_validated(object_.domain, look)) return found;
    ObjectLock lock(segment_, ref_);
    look();
    return found;
}

bool Table::expire(Bytes key, std::uint64_t expiry) {
    const std::uint64_t hash = hash_of(key);
    ObjectLock lock(segment_, ref_);
    std::uint64_t slot = 0;
    EntryRep* entry = find_present(lock, key, hash, &slot);
    if (entry == nullptr) return false;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        if (!entry->timed()) return overwrite(tx, heap, {entry, slot, hash}, key, value_of(*entry), expiry);
        Cell<std::uint64_t>& cell = expiry_cell(*entry);
        const std::uint64_t before = cell;
        tx.set(cell, expiry);
        count_expiring(tx, before, expiry);
    });
    return true;
}

bool Table::persist(Bytes key) {
    const std::uint64_t hash = hash_of(key);
    ObjectLock lock(segment_, ref_);
    EntryRep* entry = find_present(lock, key, hash, nullptr);
    if (entry == nullptr || expiry_of(*entry) == never) return false;
    Tx tx(segment_, object_.domain);
    Cell<std::uint64_t>& cell = expiry_cell(*entry);  // the word stays until a new value takes its place
    const std::uint64_t before = cell;
    tx.set(cell, never);
    count_expiring(tx, before, never);
    tx.commit();
    return true;
}

Table::Swept Table::sweep(std::uint64_t most, base::Deadline deadline) {
    ObjectLock lock(segment_, ref_, deadline);
    return sweep(lock, most);
}

Table::Swept Table::sweep(ObjectLock& lock, std::uint64_t most) {
    TableRep& root = rep();
    const std::uint64_t now = expiry_clock();
    Swept swept;
    if (!may_have_expired(now)) return swept;
    const bool fresh = root.sweep_at == 0;
    std::uint64_t at = fresh ? root.head : root.sweep_at, lowest = fresh ? never : root.sweep_earliest.get();
    const std::uint64_t size = root.size;
    while (at != 0 && swept.looked < most) {
        if (swept.looked++ == size) throw segment::Damage{"dict: more entries than its size"};
        EntryRep& entry = entry_at(at);
        const std::uint64_t next = entry.next, expiry = expiry_of(entry);
        if (expiry > now) {
            lowest = std::min(lowest, expiry);
        } else {
            std::uint64_t slot = 0;
            if (find({key_of(entry), entry.key_size}, entry.hash, &slot) != &entry)
                throw segment::Damage{"dict: entry not in the index"};
            heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { unlink(tx, heap, entry, slot); });
            ++swept.removed;
        }
        at = next;
    }
    swept.complete = at == 0;
    if (root.expiring == 0) return swept;
    // A pass that was begun before ends where the list does: what it passed then may have expired since.
    Tx tx(segment_, object_.domain);
    if (root.sweep_at != at) tx.set(root.sweep_at, at);
    tx.set(at == 0 ? root.earliest : root.sweep_earliest, lowest);
    tx.commit();
    return swept;
}

}  // namespace muster::containers

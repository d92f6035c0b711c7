#include "containers/table.hpp"

#include <algorithm>
#include <vector>

namespace muster::containers {
namespace {

constexpr std::uint64_t first_slots = 16;
// Grows when more than 3/4 of the slots are not empty.
constexpr bool crowded(std::uint64_t used, std::uint64_t count, std::uint64_t more = 1) noexcept {
    return used + more > count / 4 * 3;
}

}  // namespace

bool Table::plausible(const EntryRep& entry, std::uint64_t value_size) const {
    const std::uint64_t block = segment_.offset_of(&entry);
    const std::uint64_t size = block_size(entry.key_size, entry.original_size, value_size, entry.timed());
    if (size <= heap::largest_class) return true;
    const heap::Extents extents(segment_);
    return size + sizeof(heap::ExtentHeader) <= extents.bytes_at(block - sizeof(heap::ExtentHeader));
}

bool Table::contains(Bytes key) const {
    const std::uint64_t hash = hash_of(key);
    bool found = false;
    const auto look = [&] {
        check_live();
        const EntryRep* entry = find(key, hash);
        found = entry != nullptr && !expired(*entry);
    };
    if (tx::read_validated(object_.domain, look)) return found;
    ObjectLock lock(segment_, ref_);
    look();
    return found;
}

std::uint64_t Table::size() const {
    std::uint64_t size = 0;
    const auto look = [&] {
        check_live();
        size = rep().size;
        if (__builtin_expect(rep().expiring != 0, false)) size -= count_expired(expiry_clock());
    };
    if (tx::read_validated(object_.domain, look)) return size;
    ObjectLock lock(segment_, ref_);
    look();
    return size;
}

std::uint64_t Table::glance_size() const {
    const std::uint64_t all = rep().size;
    std::uint64_t expired = 0;
    if (rep().expiring == 0) return all;
    try {
        if (!tx::read_validated(object_.domain, [&] { expired = count_expired(expiry_clock()); }, 2)) return all;
    } catch (const segment::Damage&) {
        return all;
    }
    return all - std::min(expired, all);
}

EntryRep* Table::find(Bytes key, std::uint64_t hash, std::uint64_t* slot) const { return search(key, hash, slot); }

Table::Stored Table::store(Bytes key, Bytes original, Bytes value, If condition, Bytes expected,
                           const std::function<void(Bytes)>& refused, std::uint64_t expiry) {
    const std::uint64_t hash = hash_of(key);
    ObjectLock lock(segment_, ref_);
    std::uint64_t slot = 0;
    EntryRep* entry = find_present(lock, key, hash, &slot);
    if (entry != nullptr && condition != If::always) {
        const Bytes present = value_of(*entry);
        const bool equal = condition == If::equal && present.size() == expected.size() &&
                           std::equal(present.begin(), present.end(), expected.begin());
        if (!equal) {
            if (refused) refused(present);
            return {false, true};
        }
    }
    if (entry == nullptr && condition == If::equal) return {false, false};
    if (condition == If::equal && expiry == never) expiry = expiry_of(*entry);
    store_at(lock, {entry, slot, hash}, key, original, value, expiry);
    return {true, entry != nullptr};
}

EntryRep* Table::find_present(ObjectLock& lock, Bytes key, std::uint64_t hash, std::uint64_t* slot) {
    std::uint64_t at = 0;
    EntryRep* const entry = find(key, hash, &at);
    if (slot != nullptr) *slot = at;
    if (entry == nullptr || !expired(*entry)) return entry;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { unlink(tx, heap, *entry, at); });
    return nullptr;
}

void Table::store_at(ObjectLock& lock, const Place& place, Bytes key, Bytes original, Bytes value, std::uint64_t expiry) {
    if (place.entry != nullptr && !expired(*place.entry)) {
        heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { overwrite(tx, heap, place, key, value, expiry); });
        return;
    }
    // One that has expired goes first: the key's new value comes last in the order.
    if (place.entry != nullptr)
        heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { unlink(tx, heap, *place.entry, place.slot); });
    if (crowded(rep().used, rep().slot_count)) grow_index(lock);
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { insert(tx, heap, key, original, value, place.hash, expiry); });
}

std::uint64_t Table::vacant_slot(const Cell<std::uint64_t>* slots, std::uint64_t count, std::uint64_t hash) {
    std::uint64_t slot = first_slot(hash, count);
    for (std::uint64_t steps = 0; steps < count; ++steps) {
        if (slots[slot] <= tombstone) return slot;
        if (++slot == count) slot = 0;
    }
    throw segment::Damage{"dict: index without room"};
}

// A mutation of its own: the contents stay the same, so it does not matter whether the insertion follows.
void Table::grow_index(ObjectLock& lock, std::uint64_t more) {
    if (rep().expiring != 0) sweep(lock, never);
    // Many tombstones: the same size will do.
    const std::uint64_t old_count = rep().slot_count, old_index = rep().index;
    std::uint64_t wanted = rep().size + more > old_count / 2 ? std::max(first_slots, old_count * 2) : old_count;
    while (crowded(rep().size + more, wanted)) wanted *= 2;  // of one more never
    // An index in an extent of its own takes all of it but the header.
    std::uint64_t count = wanted;
    if (wanted * 8 > heap::largest_class) count -= sizeof(heap::ExtentHeader) / 8;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        const std::uint64_t index = heap.allocate(tx, count * 8);
        auto* slots = segment_.block<Cell<std::uint64_t>>(index, count);
        for (std::uint64_t i = 0; i < count; ++i) Tx::init(slots[i], 0);
        for (std::uint64_t at = rep().head; at != 0;) {
            const EntryRep& entry = entry_at(at);
            const std::uint64_t hash = entry.hash;
            Tx::init(slots[vacant_slot(slots, count, hash)], slot_for(hash, at));
            at = entry.next;
        }
        tx.set(rep().index, index);
        tx.set(rep().slot_count, count);
        tx.set(rep().used, rep().size);
        if (old_index != 0) heap.free(tx, old_index, old_count * 8);
    });
}

void Table::reserve(ObjectLock& lock, std::uint64_t more) {
    if (rep().expiring != 0) sweep(lock, never);  // what is set next is new where it has expired
    if (crowded(rep().used, rep().slot_count, more)) grow_index(lock, more);
}

void Table::set_within(Tx& tx, heap::Heap& heap, Bytes key, Bytes original, Bytes value) {
    const std::uint64_t hash = hash_of(key);
    std::uint64_t slot = 0;
    EntryRep* entry = find(key, hash, &slot);
    if (entry == nullptr)
        insert(tx, heap, key, original, value, hash, never);
    else
        overwrite(tx, heap, {entry, slot, hash}, key, value, never);
}

bool Table::remove_within(Tx& tx, heap::Heap& heap, Bytes key) {
    std::uint64_t slot = 0;
    EntryRep* entry = find(key, hash_of(key), &slot);
    const bool there = entry != nullptr && !expired(*entry);
    if (entry != nullptr) unlink(tx, heap, *entry, slot);
    return there;
}

std::uint64_t Table::build_entry(Tx& tx, heap::Heap& heap, Bytes key, Bytes original, Bytes value, std::uint64_t hash,
                                 std::uint64_t expiry) {
    const bool timed = expiry != never;
    const std::uint64_t size = block_size(key.size(), original.size(), value.size(), timed);
    const std::uint64_t block = heap.allocate(tx, size);
    EntryRep& entry = entry_at(block);
    Tx::init(entry.hash, hash);
    Tx::init(entry.key_size, static_cast<std::uint32_t>(key.size()));
    Tx::init(entry.original_size, static_cast<std::uint32_t>(original.size()));
    Tx::init(entry.value, value.size() | (timed ? EntryRep::timed_bit : 0));
    std::byte* at = segment_.bytes(block, size) + sizeof(EntryRep);
    Tx::init_bytes(at, key.data(), key.size());
    at += padded(key.size());
    Tx::init_bytes(at, original.data(), original.size());
    if (timed) Tx::init(expiry_cell(entry), expiry);
    Tx::init_bytes(at + padded(original.size()) + (timed ? 8 : 0), value.data(), value.size());
    return block;
}

void Table::insert(Tx& tx, heap::Heap& heap, Bytes key, Bytes original, Bytes value, std::uint64_t hash,
                   std::uint64_t expiry) {
    TableRep& root = rep();
    const std::uint64_t block = build_entry(tx, heap, key, original, value, hash, expiry);
    const std::uint64_t tail = root.tail, count = root.slot_count;
    Tx::init(entry_at(block).next, 0);
    Tx::init(entry_at(block).prev, tail);
    Cell<std::uint64_t>* slots = segment_.block<Cell<std::uint64_t>>(root.index, count);
    const std::uint64_t slot = vacant_slot(slots, count, hash);
    if (slots[slot] == 0) tx.set(root.used, root.used + 1);
    tx.set(slots[slot], slot_for(hash, block));
    if (tail != 0)
        tx.set(entry_at(tail).next, block);
    else
        tx.set(root.head, block);
    tx.set(root.tail, block);
    tx.set(root.size, root.size + 1);
    tx.set(root.changes, root.changes + 1);
    count_expiring(tx, never, expiry);
}

void Table::overwrite(Tx& tx, heap::Heap& heap, const Place& place, Bytes key, Bytes value, std::uint64_t expiry) {
    EntryRep& entry = *place.entry;
    if (expiry == never && fits_in_place(entry, value.size())) return write_in_place(tx, entry, value);
    const std::uint64_t old = segment_.offset_of(&entry), old_size = block_size(entry), before = expiry_of(entry);
    // The key that was there first stays, as in Python.
    const Bytes original = view(old + sizeof(EntryRep) + padded(entry.key_size), entry.original_size);
    const std::uint64_t block = build_entry(tx, heap, key, original, value, place.hash, expiry);
    const std::uint64_t next = entry.next, prev = entry.prev;
    Tx::init(entry_at(block).next, next);
    Tx::init(entry_at(block).prev, prev);
    tx.set(prev != 0 ? entry_at(prev).next : rep().head, block);
    tx.set(next != 0 ? entry_at(next).prev : rep().tail, block);
    tx.set(slot_at(place.slot), slot_for(place.hash, block));
    if (rep().sweep_at == old) tx.set(rep().sweep_at, block);
    count_expiring(tx, before, expiry);
    heap.free(tx, old, old_size);
}

void Table::unlink(Tx& tx, heap::Heap& heap, EntryRep& entry, std::uint64_t slot) {
    TableRep& root = rep();
    const std::uint64_t next = entry.next, prev = entry.prev, count = root.slot_count;
    tx.set(prev != 0 ? entry_at(prev).next : root.head, next);
    tx.set(next != 0 ? entry_at(next).prev : root.tail, prev);
    // Before an empty slot no search goes on: it can be empty itself.
    const std::uint64_t after = slot + 1 == count ? 0 : slot + 1;
    const bool last = slot_at(after) == 0;
    tx.set(slot_at(slot), last ? 0 : tombstone);
    if (last) tx.set(root.used, root.used - 1);
    tx.set(root.size, root.size - 1);
    tx.set(root.changes, root.changes + 1);
    if (__builtin_expect(root.expiring != 0, false)) {
        if (root.sweep_at == segment_.offset_of(&entry)) tx.set(root.sweep_at, next);
        count_expiring(tx, expiry_of(entry), never);
    }
    heap.free(tx, segment_.offset_of(&entry), block_size(entry));
}

bool Table::remove(Bytes key, const std::function<bool(Bytes)>& goes) {
    const std::uint64_t hash = hash_of(key);
    ObjectLock lock(segment_, ref_);
    std::uint64_t slot = 0;
    EntryRep* entry = find_present(lock, key, hash, &slot);
    if (entry == nullptr) return false;
    if (goes && !goes(value_of(*entry))) return false;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { unlink(tx, heap, *entry, slot); });
    return true;
}

bool Table::remove_last(const std::function<bool(Bytes, Bytes)>& goes) {
    ObjectLock lock(segment_, ref_);
    for (;;) {
        const std::uint64_t tail = rep().tail;
        if (tail == 0) return false;
        EntryRep& entry = entry_at(tail);
        const Bytes key{key_of(entry), entry.key_size};
        const bool there = !expired(entry);
        const Bytes original = view(tail + sizeof(EntryRep) + padded(entry.key_size), entry.original_size);
        if (there && !goes(original.empty() ? key : original, value_of(entry))) return false;
        std::uint64_t slot = 0;
        if (find(key, entry.hash, &slot) != &entry) throw segment::Damage{"dict: last entry not in the index"};
        heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { unlink(tx, heap, entry, slot); });
        if (there) return true;
    }
}

void Table::clear() {
    ObjectLock lock(segment_, ref_);
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        TableRep& root = rep();
        if (root.size != 0) tx.set(root.changes, root.changes + 1);
        for (Cell<std::uint64_t>* field : {&root.index, &root.slot_count, &root.size, &root.used, &root.head, &root.tail,
                                           &root.expiring, &root.sweep_at})
            tx.set(*field, 0);
        heap.reset(tx);
    });
    lock.heap().trim();
}

void Table::for_each(const std::function<void(std::uint64_t)>& begin,
                     const std::function<void(Bytes, Bytes)>& each) const {
    const auto walk = [&] {
        check_live();
        const std::uint64_t size = rep().size, now = rep().expiring != 0 ? expiry_clock() : 0;
        if (size > most_entries()) throw segment::Damage{"dict: size"};
        begin(size - count_expired(now));
        std::uint64_t steps = 0, bytes = 0;
        std::vector<std::byte> copy;
        for (std::uint64_t at = rep().head; at != 0;) {
            if (++steps > size) throw segment::Damage{"dict: more entries than its size"};
            const EntryRep& entry = entry_at(at);
            if (now != 0 && expiry_of(entry) <= now) {
                at = entry.next;
                continue;
            }
            const std::uint64_t key_size = entry.original_size != 0 ? entry.original_size.get() : entry.key_size.get();
            const std::uint64_t value_size = entry.value_size();
            if (value_size > 4096 && !plausible(entry, value_size)) throw segment::Damage{"dict entry: sizes"};
            const std::uint64_t key_at = at + sizeof(EntryRep) + (entry.original_size != 0 ? padded(entry.key_size) : 0);
            const std::byte* key = segment_.bytes(key_at, key_size);
            const std::byte* value = segment_.bytes(value_offset(entry), value_size);
            if ((bytes += key_size + value_size) > segment_.capacity())
                throw segment::Damage{"dict: more bytes than there are"};
            copy.resize(padded(key_size) + value_size);
            segment::copy_out(copy.data(), key, key_size);
            segment::copy_out(copy.data() + padded(key_size), value, value_size);
            each({copy.data(), key_size}, {copy.data() + padded(key_size), value_size});
            at = entry.next;
        }
        if (steps != size) throw segment::Damage{"dict: fewer entries than its size"};
    };
    if (tx::read_validated(object_.domain, walk, 2)) return;
    ObjectLock lock(segment_, ref_);
    walk();
}

// Is that entry, and none before it with this key, what a search finds? `looks`: slots that may still be looked at, of
// all entries together; a sound index needs a few for each.
bool Table::indexed(const EntryRep& entry, Bytes key, std::uint64_t& looks) const {
    const std::uint64_t count = rep().slot_count, hash = entry.hash;
    if (count == 0) return false;
    const auto* slots = segment_.block<Cell<std::uint64_t>>(rep().index, count);
    std::uint64_t at = first_slot(hash, count);
    for (std::uint64_t steps = 0; steps < count; ++steps) {
        const std::uint64_t word = slots[at];
        if (word == 0) return false;
        if (looks-- == 0) throw segment::Damage{"dict: the index is no hash table"};
        if (word >> 48 == (hash & 0xffff) && word != tombstone) {
            const EntryRep& other = entry_at(word & offset_mask);
            if (&other == &entry) return true;
            if (other.key_size == key.size() && segment::same_bytes(key_of(other), key.data(), key.size())) return false;
        }
        if (++at == count) at = 0;
    }
    return false;
}

void Table::verify(const std::function<void(std::string)>& violation) const {
    ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    const heap::Heap heap = lock.heap();
    const heap::Heap::Owned owned(heap);
    const heap::Extents extents(segment_);
    const TableRep& root = rep();
    const std::uint64_t count = root.slot_count;
    std::uint64_t entries = 0, used = 0, live = 0, before = 0, looks = 0, expiring = 0;
    bool sweep_found = false;
    const auto bytes_of = [&](std::uint64_t block, std::uint64_t size) {
        return size <= heap::largest_class ? heap::Heap::usable(size)
                                           : extents.bytes_at(block - sizeof(heap::ExtentHeader));
    };
    if (count != 0) {
        const auto* slots = segment_.block<Cell<std::uint64_t>>(root.index, count);
        for (std::uint64_t i = 0; i < count; ++i) used += slots[i] != 0;
        live += bytes_of(root.index, count * 8);
        looks = 64 * count;
    }
    if (used != root.used) violation("count of used slots differs from the index");
    for (std::uint64_t at = root.head; at != 0; at = entry_at(at).next) {
        if (++entries > root.size || entries > most_entries()) return violation("entries form an endless list");
        EntryRep& entry = entry_at(at);
        const std::uint64_t size = block_size(entry);
        if (!owned.holds(at, size)) return violation("entry outside the dict's extents");
        if ((live += bytes_of(at, size)) > segment_.capacity()) return violation("more entries than memory");
        const Bytes key{key_of(entry), entry.key_size};
        if (entry.prev != before) violation("entry's backward link");
        if (entry.hash != hash_of(key)) violation("entry's hash differs from its key's");
        if (!indexed(entry, key, looks)) violation("entry not found by its key");
        if (const std::uint64_t expiry = expiry_of(entry); expiry != never) {
            ++expiring;
            if (expiry < root.earliest) violation("an entry expires before the earliest");
        }
        sweep_found = sweep_found || root.sweep_at == at;
        before = at;
    }
    if (expiring != root.expiring) violation("count of entries that expire differs from the entries");
    if (root.sweep_at != 0 && !sweep_found) violation("a sweep is to go on where no entry is");
    if (root.sweep_at != 0 && expiring == 0) violation("a sweep although nothing expires");
    if (before != root.tail) violation("tail is not the last entry");
    if (entries != root.size) violation("size differs from the entries");
    if (live != heap.live_bytes())
        violation("blocks handed out differ from those in use (" + std::to_string(heap.live_bytes()) + " and " +
                  std::to_string(live) + " bytes)");
}

}  // namespace muster::containers

// The hash table under Dict: byte strings to byte strings, in insertion order.
//
// An index of 8-byte slots (open addressing, linear probing; a slot carries 16 bits of the hash, so that the entry is
// touched only when it almost certainly is the one), and one block per entry with key and value inside, linked in
// insertion order. Growing builds a new index in fresh memory and links it with one word (I3).
//
// An entry may have a time at which it expires (expiry.hpp): a word of its own before the value, so that entries without
// one are as small, and found as fast, as if there were none. From then on it is there for nobody: readers pass over it,
// whoever changes it removes it first (a change of its own, which nobody can see), an index that would grow is rid of all
// such entries first, and the service sweeps.
//
// Transactions log at most: 24 words, plus those of a value overwritten in place (in_place_limit / 8).
// Thread safety: readers need nothing (validated under the sequence number, I8); writers hold the object's lock,
// which these functions take. Throws heap::Destroyed, heap::OutOfMemory, tx::Busy, segment::Damage.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "containers/expiry.hpp"
#include "heap/heap.hpp"

namespace muster::containers {

using heap::ObjectLock;
using heap::ObjectRef;
using heap::ObjectRep;
using segment::Segment;
using tx::Cell;
using tx::Tx;
using Bytes = std::span<const std::byte>;

struct TableRep {
    Cell<std::uint64_t> index;     // offset of slot_count Cell<u64>; 0 = none yet
    Cell<std::uint64_t> slot_count;
    Cell<std::uint64_t> size;      // entries
    Cell<std::uint64_t> used;      // slots that are not empty: entries and tombstones
    Cell<std::uint64_t> head, tail;  // first and last entry
    Cell<std::uint64_t> changes;   // of the set of keys, for iteration that must not see one
    Cell<std::uint64_t> expiring;  // entries that will expire; 0: the rest means nothing, sweep_at is 0
    Cell<std::uint64_t> earliest;  // none expires before
    Cell<std::uint64_t> sweep_at;  // the entry at which a sweep goes on; 0: none is under way
    Cell<std::uint64_t> sweep_earliest;  // of those it has passed, and of what came to expire meanwhile
    std::uint64_t reserved[5];
};
static_assert(sizeof(TableRep) == 128);

// Key, original key (when it is not the key's canonical form), expiry (if it is timed), value: one after the other, each
// 8-byte aligned.
struct EntryRep {
    static constexpr std::uint64_t timed_bit = std::uint64_t{1} << 63;
    Cell<std::uint64_t> next, prev;
    Cell<std::uint64_t> hash;
    Cell<std::uint32_t> key_size, original_size;  // constant while the entry lives
    Cell<std::uint64_t> value;                    // its size, and the bit: it is timed

    bool timed() const noexcept { return (value & timed_bit) != 0; }
    std::uint64_t value_size() const noexcept { return value & ~timed_bit; }
};
static_assert(sizeof(EntryRep) == 40);

class Table {
  public:
    static constexpr std::uint64_t in_place_limit = 128;  // larger values are not overwritten, but replaced

    Table(const Segment& segment, ObjectRef ref) : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}

    std::uint64_t hash_of(Bytes key) const noexcept {
        return segment::hash_bytes(key.data(), key.size(), segment_.hash_seed());
    }

    // Copies the value to where `out.resize(size)` says. Out: std::byte* resize(std::size_t).
    template <typename Out>
    bool get(Bytes key, Out& out) const {
        const std::uint64_t hash = hash_of(key);
        bool found = false;
        const auto look = [&] {
            check_live();
            const EntryRep* entry = search(key, hash);
            found = entry != nullptr && !expired(*entry);
            if (found) copy_value(*entry, out);
        };
        if (__builtin_expect(tx::read_validated(object_.domain, look), true)) return found;
        ObjectLock lock(segment_, ref_);
        const EntryRep* entry = find(key, hash);
        found = entry != nullptr && !expired(*entry);
        if (found) copy_value(*entry, out);
        return found;
    }
    bool contains(Bytes key) const;
    // Exact; O(1) unless something has expired and not been swept yet.
    std::uint64_t size() const;
    // The same without waiting for anybody: while it is being changed, what expired may be counted.
    std::uint64_t glance_size() const;
    // Other than before when a key has come or gone in between.
    std::uint64_t changes() const {
        std::uint64_t changes = 0;
        const auto look = [&] {
            check_live();
            changes = rep().changes;
        };
        if (tx::read_validated(object_.domain, look)) return changes;
        ObjectLock lock(segment_, ref_);
        look();
        return changes;
    }

    enum class If { always, absent, equal };
    struct Stored {
        bool done = false;     // it was stored
        bool present = false;  // the key was there before
    };
    // `original`: empty when the key is its own canonical form. With If::equal only over `expected`. When nothing is
    // stored although the key is there, `refused` gets the present value (before the lock is released). With `expiry` it
    // expires then; without, it stays, but under If::equal, which changes what is there, it expires when that would have.
    Stored store(Bytes key, Bytes original, Bytes value, If condition = If::always, Bytes expected = {},
                 const std::function<void(Bytes)>& refused = {}, std::uint64_t expiry = never);
    // store() under If::always, as short as it can be for a value that fits where the old one is.
    void set(Bytes key, Bytes original, Bytes value) {
        const std::uint64_t hash = hash_of(key);
        ObjectLock lock(segment_, ref_);
        std::uint64_t slot = 0;
        EntryRep* entry = search(key, hash, &slot);
        if (entry == nullptr || !fits_in_place(*entry, value.size()))
            return store_at(lock, {entry, slot, hash}, key, original, value, never);
        Tx tx(segment_, object_.domain);
        write_in_place(tx, *entry, value);
        tx.commit();
    }
    // `goes` gets the value, under the lock; false: it stays, and so does the key. Was it removed?
    bool remove(Bytes key, const std::function<bool(Bytes)>& goes = {});
    // The same for the entry inserted last.
    bool remove_last(const std::function<bool(Bytes key, Bytes value)>& goes);
    void clear();

    // --- as parts of a larger change, under the caller's lock (heap::mutate_together) ---
    // Before it, a change of its own that nobody sees: room in the index for so many more keys.
    void reserve(ObjectLock& lock, std::uint64_t more);
    // As set() and remove(); log at most 20 words, those overwritten in place besides.
    void set_within(Tx& tx, heap::Heap& heap, Bytes key, Bytes original, Bytes value);
    bool remove_within(Tx& tx, heap::Heap& heap, Bytes key);

    // --- expiry ---
    // When the key's value expires, or `never`; none: there is no such key.
    std::optional<std::uint64_t> expiry(Bytes key) const;
    // From now on it expires then. False: there is no such key.
    bool expire(Bytes key, std::uint64_t expiry);
    // It stays. False: there is no such key, or it would have stayed.
    bool persist(Bytes key);
    // Removes what has expired, one by one, looking at no more than `most` entries; the next call goes on behind them.
    struct Swept {
        std::uint64_t looked = 0, removed = 0;
        bool complete = true;  // it got to the end
    };
    Swept sweep(std::uint64_t most, base::Deadline deadline = base::Deadline::never());

    // In insertion order, as of one moment: `begin(size)` first, again when it had to start over. The key is the
    // original one.
    void for_each(const std::function<void(std::uint64_t size)>& begin,
                  const std::function<void(Bytes key, Bytes value)>& each) const;

    // One violation a line; the object's lock is held meanwhile.
    void verify(const std::function<void(std::string)>& violation) const;

  private:
    friend class Inspection;  // looks at it in pieces
    // A slot: 0 = never used, 1 = tombstone, else 16 bits of hash over 48 of the entry's offset.
    static constexpr std::uint64_t tombstone = 1, offset_mask = (std::uint64_t{1} << 48) - 1;
    // No entry is smaller: more of them than this fit into no segment.
    std::uint64_t most_entries() const noexcept { return segment_.capacity() / sizeof(EntryRep); }
    // The first slot in the probe sequence of `hash` that holds no entry.
    static std::uint64_t vacant_slot(const Cell<std::uint64_t>* slots, std::uint64_t count, std::uint64_t hash);
    static std::uint64_t slot_for(std::uint64_t hash, std::uint64_t entry) noexcept { return (hash << 48) | entry; }
    static std::uint64_t first_slot(std::uint64_t hash, std::uint64_t count) noexcept {
        return static_cast<std::uint64_t>(static_cast<unsigned __int128>(hash) * count >> 64);
    }
    static std::uint64_t padded(std::uint64_t size) noexcept { return (size + 7) & ~std::uint64_t{7}; }
    static std::uint64_t block_size(std::uint64_t key, std::uint64_t original, std::uint64_t value,
                                    bool timed = false) noexcept {
        return sizeof(EntryRep) + padded(key) + padded(original) + (timed ? 8 : 0) + padded(value);
    }
    static std::uint64_t block_size(const EntryRep& entry) noexcept {
        return block_size(entry.key_size, entry.original_size, entry.value_size(), entry.timed());
    }

    TableRep& rep() const noexcept { return heap::root_of<TableRep>(object_); }
    EntryRep& entry_at(std::uint64_t offset) const { return *segment_.block<EntryRep>(offset); }
    void check_live() const {
        const heap::Ident ident = heap::Ident::unpack(object_.ident);
        if (__builtin_expect(ident.generation != ref_.generation || ident.life != heap::Life::live, false))
            throw heap::Destroyed{};
    }
    const std::byte* key_of(const EntryRep& entry) const {
        return segment_.bytes(segment_.offset_of(&entry) + sizeof(EntryRep), entry.key_size);
    }
    std::uint64_t value_offset(const EntryRep& entry) const {
        return segment_.offset_of(&entry) + sizeof(EntryRep) + padded(entry.key_size) + padded(entry.original_size) +
               (entry.timed() ? 8 : 0);
    }
    Bytes value_of(const EntryRep& entry) const { return view(value_offset(entry), entry.value_size()); }
    // Of a timed entry.
    Cell<std::uint64_t>& expiry_cell(const EntryRep& entry) const {
        return *segment_.block<Cell<std::uint64_t>>(segment_.offset_of(&entry) + sizeof(EntryRep) +
                                                    padded(entry.key_size) + padded(entry.original_size));
    }
    std::uint64_t expiry_of(const EntryRep& entry) const {
        return __builtin_expect(entry.timed(), false) ? expiry_cell(entry).get() : never;
    }
    bool expired(const EntryRep& entry) const {
        return __builtin_expect(entry.timed(), false) && expiry_cell(entry) <= expiry_clock();
    }
    // Is there anything that may have expired by `now`?
    bool may_have_expired(std::uint64_t now) const noexcept { return rep().expiring != 0 && rep().earliest <= now; }
    template <typename Out>
    void copy_value(const EntryRep& entry, Out& out) const {
        const std::uint64_t size = entry.value_size();
        const std::byte* from = segment_.bytes(value_offset(entry), size);
        if (size > 4096 && !plausible(entry, size)) throw segment::Damage{"dict entry: sizes"};
        segment::copy_out(out.resize(static_cast<std::size_t>(size)), from, static_cast<std::size_t>(size));
    }
    // A torn size must not lead to a huge allocation: it has to fit the extent that the entry lies in.
    bool plausible(const EntryRep& entry, std::uint64_t value_size) const;
    Bytes view(std::uint64_t offset, std::uint64_t size) const {
        return {segment_.bytes(offset, size), static_cast<std::size_t>(size)};
    }

    // The entry with that key, and where its slot is. search() is for the calls that have to be fast.
    EntryRep* find(Bytes key, std::uint64_t hash, std::uint64_t* slot = nullptr) const;
    [[gnu::always_inline]] EntryRep* search(Bytes key, std::uint64_t hash, std::uint64_t* slot = nullptr) const {
        const std::uint64_t count = rep().slot_count, index = rep().index;
        if (count == 0) return nullptr;
        const Cell<std::uint64_t>* slots = segment_.block<Cell<std::uint64_t>>(index, count);
        std::uint64_t at = first_slot(hash, count);
        for (std::uint64_t steps = 0; steps <= count; ++steps) {
            const std::uint64_t word = slots[at];
            if (word == 0) return nullptr;
            if (word >> 48 == (hash & 0xffff) && word != tombstone) {
                EntryRep& entry = entry_at(word & offset_mask);
                if (entry.key_size == key.size() && segment::same_bytes(key_of(entry), key.data(), key.size())) {
                    if (slot != nullptr) *slot = at;
                    return &entry;
                }
            }
            if (++at == count) at = 0;
        }
        return nullptr;
    }
    bool indexed(const EntryRep& entry, Bytes key, std::uint64_t& looks) const;
    Cell<std::uint64_t>& slot_at(std::uint64_t slot) const {
        return *segment_.block<Cell<std::uint64_t>>(rep().index + slot * 8);
    }
    // May the value stand where the old one does? The block must stay of its class: free() finds it by its size. A timed
    // entry's never does: the bit makes the size that is looked at too large for any class.
    static bool fits_in_place(const EntryRep& entry, std::uint64_t size) noexcept {
        if (size > in_place_limit) return false;
        const std::uint64_t now = entry.value;
        if (padded(size) == padded(now)) return true;
        const std::uint64_t old_block = block_size(entry.key_size, entry.original_size, now);
        const std::uint64_t new_block = block_size(entry.key_size, entry.original_size, size);
        return old_block <= heap::largest_class && new_block <= heap::largest_class &&
               heap::class_of(old_block) == heap::class_of(new_block);
    }
    void write_in_place(Tx& tx, EntryRep& entry, Bytes value) const {
        tx.write(segment_.bytes(value_offset(entry), padded(value.size())), value.data(), value.size());
        if (entry.value != value.size()) tx.set(entry.value, value.size());
    }
    // Where a key was found, or not.
    struct Place {
        EntryRep* entry;
        std::uint64_t slot, hash;
    };
    // What has expired is removed, and not there.
    EntryRep* find_present(ObjectLock& lock, Bytes key, std::uint64_t hash, std::uint64_t* slot);
    void store_at(ObjectLock& lock, const Place& place, Bytes key, Bytes original, Bytes value, std::uint64_t expiry);
    void grow_index(ObjectLock& lock, std::uint64_t more = 1);
    std::uint64_t build_entry(Tx& tx, heap::Heap& heap, Bytes key, Bytes original, Bytes value, std::uint64_t hash,
                              std::uint64_t expiry);
    void insert(Tx& tx, heap::Heap& heap, Bytes key, Bytes original, Bytes value, std::uint64_t hash, std::uint64_t expiry);
    void overwrite(Tx& tx, heap::Heap& heap, const Place& place, Bytes key, Bytes value, std::uint64_t expiry);
    void unlink(Tx& tx, heap::Heap& heap, EntryRep& entry, std::uint64_t slot);
    // An entry that expires at `before` gives way to one that does so at `after`; `never`: it does not, or there is none.
    void count_expiring(Tx& tx, std::uint64_t before, std::uint64_t after);
    Swept sweep(ObjectLock& lock, std::uint64_t most);
    std::uint64_t count_expired(std::uint64_t now) const;

    const Segment& segment_;
    ObjectRep& object_;
    ObjectRef ref_;
};

}  // namespace muster::containers

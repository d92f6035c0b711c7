// A dict in pieces: by the slots of its index. From an entry its neighbours are looked at, too, and that the index leads to
// each: so an entry that is linked and not indexed is found beside one that is.
#include <algorithm>

#include "containers/inspection.hpp"

namespace muster::containers {

void Inspection::table() {
    Table table(segment_, ref_);
    const TableRep& root = table.rep();
    std::uint64_t slot = 0, index = 0, count = 0, entries = 0, used = 0;
    int starts = 0;
    visit("I1", [&] {
        look(8);
        if (root.index != index || root.slot_count != count) {  // at the beginning, and when it has grown meanwhile
            index = root.index;
            count = root.slot_count;
            if (++starts > 4) complete_ = false;  // it grows faster than it is looked at: on from the same part of it
            slot = starts > 4 ? std::min(slot, count) : 0;
            entries = used = 0;
            if ((root.size != 0) != (root.head != 0) || (root.head != 0) != (root.tail != 0))
                tell("I1", "size, first and last entry do not agree");
            if (count == 0) {
                if (root.size != 0) throw segment::Damage{"entries without an index"};
                return true;
            }
            if (!block(index, count * 8, "dict: index")) return true;
        }
        const auto* slots = segment_.block<Cell<std::uint64_t>>(index, count);
        for (; slot < count; ++slot) {
            if (!room(1)) return false;
            const std::uint64_t word = slots[slot];
            if (word == 0 || word == Table::tombstone) {
                look(1);
                used += word != 0;
                continue;
            }
            const std::uint64_t at = word & Table::offset_mask;
            const EntryRep& here = table.entry_at(at);
            const std::uint64_t key = here.key_size.get();
            if (!room(key / 8 + 160)) return false;
            look(1);
            ++used;
            ++entries;
            if (word >> 48 != (here.hash & 0xffff))
                tell("I1", "slot " + std::to_string(slot) + ": another hash than its entry's");
            entry(table, at, slot);
        }
        if (undisturbed_ && complete_) {
            if (entries != root.size) tell("I1", "size differs from the entries");
            if (used != root.used) tell("I1", "count of used slots differs from the index");
        }
        return true;
    });
}

// The slot in which a search for the entry's own key ends; none: slot_count.
std::uint64_t Inspection::indexed_at(const Table& table, const EntryRep& entry) {
    const std::uint64_t count = table.rep().slot_count, hash = entry.hash, self = segment_.offset_of(&entry);
    const auto* slots = segment_.block<Cell<std::uint64_t>>(table.rep().index, count);
    std::uint64_t at = Table::first_slot(hash, count);
    for (std::uint64_t steps = 0; steps < std::min<std::uint64_t>(count, 4 * words_per_visit); ++steps) {
        look(1);
        const std::uint64_t word = slots[at];
        if (word == 0) return count;
        if (word != Table::tombstone && (word & Table::offset_mask) == self) return at;
        if (++at == count) at = 0;
    }
    return count;
}

void Inspection::entry(const Table& table, std::uint64_t offset, std::uint64_t slot) {
    const TableRep& root = table.rep();
    const EntryRep& here = table.entry_at(offset);
    const std::string where = "entry at " + std::to_string(offset);
    look(sizeof(EntryRep) / 8);
    const std::uint64_t size = Table::block_size(here);
    if (!block(offset, size, "dict: entry")) return;
    const std::uint64_t key = here.key_size;
    look(key / 8 + 1);
    if (here.hash != table.hash_of({table.key_of(here), static_cast<std::size_t>(key)}))
        tell("I1", where + ": its hash differs from its key's");
    if (indexed_at(table, here) != slot) tell("I1", where + ": not found by its key");
    const std::uint64_t next = here.next, prev = here.prev;
    if (prev == 0 ? root.head != offset : table.entry_at(prev).next != offset) tell("I1", where + ": backward link");
    if (next == 0 ? root.tail != offset : table.entry_at(next).prev != offset) tell("I1", where + ": forward link");
    look(2);
    if (next != 0 && indexed_at(table, table.entry_at(next)) == root.slot_count)
        tell("I1", "entry at " + std::to_string(next) + ": not found by its key");
}

}  // namespace muster::containers

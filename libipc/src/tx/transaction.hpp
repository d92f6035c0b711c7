// One mutation of one domain, all or nothing. The domain is locked by the caller, for the Tx's whole life.
//
// Rules: no user code, no system call that can block and no allocation from the process heap between the first
// set() and commit() (I4). Memory that no reader can reach yet (just allocated, I3) is filled with init() and
// init_bytes(), unlogged; everything else changes through set() and write(), logged.
// Throws segment::Damage when the domain's log is not what it must be; what was changed before is undone.
// Thread safety: one thread.
#pragma once

#include <array>
#include <type_traits>

#include "tx/cell.hpp"
#include "tx/domain.hpp"
#include "tx/order.hpp"

namespace muster::tx {

// Many changes in one Tx need more of its log than there is. (What is one operation never does: I5.)
struct LogFull {};

// Blocks that fall out of use in a Tx of many changes: freed at its end, so that what they hold is not overwritten by the
// next change, but there for a roll-back.
struct FreedLater {
    struct Block {
        std::uint64_t block, size;
    };
    std::array<Block, 128> blocks;
    unsigned count = 0;
    bool at_the_end = false;  // now they are freed
};

class Tx {
  public:
    Tx(const segment::Segment& segment, DomainRep& domain)
        : segment_(segment),
          domain_(domain),
          capacity_(domain.log_capacity),
          limit_(capacity_),
          log_(log_of(segment, domain, capacity_)) {
        if (__builtin_expect(domain.log_count != 0, false)) throw segment::Damage{"undo log not empty"};
    }
    // Of many changes, one after the other: each word is logged once; LogFull where that is too much.
    Tx(const segment::Segment& segment, DomainRep& domain, FreedLater& later) : Tx(segment, domain) {
        later_ = &later;
        capacity_ = 0;  // so that save() always asks logged_already()
    }
    Tx(const Tx&) = delete;
    Tx& operator=(const Tx&) = delete;
    ~Tx() {  // not committed: as if it had never begun
        if (count_ != 0) roll_back();
    }

    template <typename T>
    void set(Cell<T>& cell, std::type_identity_t<T> value) {
        save(&cell);
        cell.put(value);
        if (mutant(Mutant::missing_fence)) cover_late();
    }
    // Into a live structure: `to` 8-byte aligned, its last word padded. Logs every word it covers.
    void write(void* to, const void* from, std::size_t size) {
        save_words(to, (size + 7) / 8);
        segment::copy_in(to, from, size);
        if (mutant(Mutant::missing_fence)) cover_late();
    }

    template <typename T>
    static void init(Cell<T>& cell, std::type_identity_t<T> value) noexcept { cell.put(value); }
    static void init_bytes(void* to, const void* from, std::size_t size) noexcept { segment::copy_in(to, from, size); }

    // Changes one word of a locked domain without a log: one store is all or nothing by itself.
    template <typename T>
    static void publish(DomainRep& domain, Cell<T>& cell, std::type_identity_t<T> value) noexcept {
        begin_writing(domain.sequence);
        cell.put(value);
        finish_writing(domain.log_count, domain.sequence);
    }

    // Logs the word that holds `field`, without changing it: for memory that is about to be reused.
    void save(const void* field) {
        const std::uint64_t offset = segment_.offset_of(field) & ~std::uint64_t{7};
        if (count_ == 0 && !mutant(Mutant::missing_fence)) begin_writing(domain_.sequence);
        if (mutant(Mutant::unlogged_word) && count_ == 1) return;
        if (__builtin_expect(count_ >= capacity_, false) && logged_already(offset)) return;  // I5
        LogEntry& entry = log_[count_];
        if (mutant(Mutant::count_before_entry)) publish_entry(domain_.log_count, count_ + 1);
        segment::store_word(&entry.offset, offset);
        segment::store_word(&entry.old, segment::load_word(segment_.base() + offset));
        cover(count_ + 1);
        if (mutant(Mutant::early_commit) && count_ == 2) finish_writing(domain_.log_count, domain_.sequence);
    }

    // The same for `words` words from `field` on, whose entries come into force together.
    void save_words(const void* field, std::size_t words) {
        const auto* word = static_cast<const std::uint64_t*>(field);
        if (mutant(Mutant::unlogged_word) && words != 0) ++word, --words;
        if (words == 0) return;
        if (__builtin_expect(count_ + words > capacity_, false)) {  // I5
            if (later_ == nullptr) log_full();
            for (std::size_t i = 0; i < words; ++i) save(word + i);
            return;
        }
        if (count_ == 0 && !mutant(Mutant::missing_fence)) begin_writing(domain_.sequence);
        const std::uint64_t offset = segment_.offset_of(word);
        LogEntry* const entries = log_ + count_;
        if (mutant(Mutant::count_before_entry)) publish_entry(domain_.log_count, count_ + words);
        for (std::size_t i = 0; i < words; ++i) {
            segment::store_word(&entries[i].offset, offset + 8 * i);
            segment::store_word(&entries[i].old, segment::load_word(word + i));
        }
        cover(count_ + words);
        if (mutant(Mutant::early_commit)) finish_writing(domain_.log_count, domain_.sequence);
    }

    // From here on the mutation has happened.
    void commit() noexcept {
        if (count_ == 0) return;
        finish_writing(domain_.log_count, domain_.sequence);
        count_ = 0;
        freed_ = false;
    }
    void roll_back() noexcept {
        // False: the log was overwritten. It stays in force, and whoever comes next is told of the damage.
        (void)recover(segment_, domain_);
        count_ = 0;
        freed_ = false;
    }

    // Memory freed in a Tx still holds what a roll-back must find: it must not be handed out again in the same Tx.
    // So a mutation allocates first and frees last; the heap checks it.
    void freed() noexcept { freed_ = true; }
    bool has_freed() const noexcept { return freed_; }
    // Of many changes: where their blocks are kept until the end.
    FreedLater* later() const noexcept { return later_; }

    const segment::Segment& segment() const noexcept { return segment_; }
    std::uint64_t entries() const noexcept { return count_; }
    std::uint64_t entries_left() const noexcept { return limit_ - count_; }

  private:
    // Sound structures never need more (each operation's header states its bound); damaged ones may.
    [[noreturn, gnu::cold]] static void log_full() { throw segment::Damage{"a change larger than its undo log"}; }

    [[gnu::cold]] bool logged_already(std::uint64_t offset) const {
        if (later_ == nullptr) log_full();
        for (std::uint64_t i = 0; i < count_; ++i)
            if (log_[i].offset == offset) return true;
        if (count_ >= limit_) throw LogFull{};
        return false;
    }

    void cover(std::uint64_t count) noexcept {
        count_ = count;
        if (!mutant(Mutant::missing_fence)) publish_entry(domain_.log_count, count);
    }
    void cover_late() noexcept {  // of the mutant
        begin_writing(domain_.sequence);
        publish_entry(domain_.log_count, count_);
    }

    const segment::Segment& segment_;
    DomainRep& domain_;
    std::uint64_t capacity_, limit_;
    LogEntry* log_;
    FreedLater* later_ = nullptr;
    std::uint64_t count_ = 0;
    bool freed_ = false;
};

}  // namespace muster::tx

// The commit point of a change of several domains: one word outside of them all, in the thread's slot.
//
// Each domain keeps its own undo log and sequence number. Before the first change of any of them, every one is marked with
// the thread's slot and a number, the slot's `decided` + 1. The change has happened when `decided` becomes that number:
// one store. Then the logs are emptied and the marks taken away, one domain after the other.
//
// After a death whoever mends a domain compares the mark with the slot's word, without any lock: the number is there: the
// log is discarded; it is the next one: the words go back. The word cannot change before every mark of the dead is gone, as a
// slot is used again only then (session/realm.cpp). So all domains go the same way, in whatever order and by whomever
// they are mended, a death of whom changes nothing of this.
//
// The caller holds all domains' locks (objects in ascending id, I11), for the Joint's whole life.
// Thread safety: one thread, that of the slot.
#pragma once

#include <array>

#include "tx/domain.hpp"
#include "tx/order.hpp"

namespace muster::tx {

class Joint {
  public:
    static constexpr std::size_t most = 16;  // domains

    Joint(const segment::Segment& segment, std::uint32_t slot)
        : decided_(word_of(segment, slot)), number_(decided_ + 1), slot_(slot) {}
    Joint(const Joint&) = delete;
    Joint& operator=(const Joint&) = delete;
    // Not decided: the domains have been rolled back before; what is marked yet had no change.
    ~Joint() {
        if (happened_) return;
        for (std::size_t i = 0; i < count_; ++i) unmark(*domains_[i]);
    }

    // Before the first change of any of them.
    void mark(DomainRep& domain) noexcept {
        domains_[count_++] = &domain;
        if (mutant(Mutant::mark_late)) return;
        put_mark(domain);
        if (mutant(Mutant::early_decision)) publish_word(decided_, number_);
    }
    // From here on all changes have happened.
    void decide() noexcept {
        publish_word(decided_, number_);
        happened_ = true;
        if (mutant(Mutant::mark_late))
            for (std::size_t i = 0; i < count_; ++i) put_mark(*domains_[i]);
        if (mutant(Mutant::early_unmark))
            for (std::size_t i = 0; i < count_; ++i) unmark(*domains_[i]);
    }
    // The number stays: without a slot it means nothing.
    static void unmark(DomainRep& domain) noexcept {
        if (domain.joint_slot != 0) publish_word(domain.joint_slot, 0);
    }

    // Has the joint transaction that marked this domain happened? False without a mark. Throws segment::Damage.
    static bool decided(const segment::Segment& segment, const DomainRep& domain) {
        const std::uint64_t slot = __atomic_load_n(&domain.joint_slot, __ATOMIC_ACQUIRE);
        if (__builtin_expect(slot == 0, true)) return false;
        if (slot > segment::max_slots) throw segment::Damage{"joint transaction: slot"};
        const std::uint64_t number = __atomic_load_n(&domain.joint_number, __ATOMIC_ACQUIRE);
        const std::uint64_t last = __atomic_load_n(&word_of(segment, static_cast<std::uint32_t>(slot - 1)), __ATOMIC_ACQUIRE);
        if (number == 0 || (number != last && number != last + 1)) throw segment::Damage{"joint transaction: number"};
        return number == last;
    }

  private:
    static std::uint64_t& word_of(const segment::Segment& segment, std::uint32_t slot) {
        MUSTER_CHECK(slot < segment::max_slots);
        return *segment.at<std::uint64_t>(segment.regions().slots + std::uint64_t{slot} * segment::slot_size +
                                          segment::slot_joint_decided);
    }
    // The number first: with a slot the mark is whole.
    void put_mark(DomainRep& domain) const noexcept {
        publish_word(domain.joint_number, number_);
        publish_word(domain.joint_slot, std::uint64_t{slot_} + 1);
    }

    std::uint64_t& decided_;
    std::uint64_t number_;
    std::uint32_t slot_;
    bool happened_ = false;
    std::size_t count_ = 0;
    std::array<DomainRep*, most> domains_;
};

}  // namespace muster::tx

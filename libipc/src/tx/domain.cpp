#include "tx/domain.hpp"

#include "tx/joint.hpp"
#include "tx/order.hpp"

namespace muster::tx {
namespace {

// A word that a log may name: no header, no domain, no log; whatever stands in an entry, no mutex is overwritten.
std::uint64_t* logged_word(const segment::Segment& segment, std::uint64_t offset) {
    const segment::Regions& regions = segment.regions();
    const bool fixed = offset < regions.extent_roots;
    const bool domain = offset >= regions.objects && offset < regions.data &&
                        (offset - regions.objects) % segment::object_size < sizeof(DomainRep);
    if (fixed || domain) throw segment::Damage{"undo log: not a word of the structure"};
    return segment.at<std::uint64_t>(offset);
}

}  // namespace

void format(DomainRep& domain, std::uint64_t log_offset, std::uint64_t log_capacity) noexcept {
    domain.mutex.format();
    domain.log_offset = log_offset;
    domain.log_capacity = log_capacity;
    domain.joint_slot = 0;
    __atomic_store_n(&domain.log_count, std::uint64_t{0}, __ATOMIC_RELAXED);
    // Never backwards: a reader that still holds the number from the domain's last life must not find it again.
    __atomic_store_n(&domain.sequence, (domain.sequence | 1) + 1, __ATOMIC_RELEASE);
}

Entered enter_after(Acquired acquired, const segment::Segment& segment, DomainRep& domain,
                    base::Deadline deadline) noexcept {
    switch (acquired) {
        case Acquired::yes: return Entered::yes;
        case Acquired::timed_out: return Entered::timed_out;
        case Acquired::damaged: return Entered::damaged;
        case Acquired::owner_died: break;
    }
    if (mutant(Mutant::consistent_before_rollback)) {
        if (!domain.mutex.mark_consistent()) return Entered::damaged;
        leave(domain);
        if (domain.mutex.lock_until(deadline) != Acquired::yes) return Entered::damaged;
        return recover(segment, domain) ? Entered::recovered : Entered::damaged;
    }
    if (!recover(segment, domain)) {
        domain.mutex.unlock();  // not made consistent: nobody will ever enter a domain that cannot be mended
        return Entered::damaged;
    }
    __atomic_store_n(&domain.recoveries, domain.recoveries + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&domain.unreconciled, std::uint64_t{1}, __ATOMIC_RELEASE);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (!domain.mutex.mark_consistent()) {
        domain.mutex.unlock();
        return Entered::damaged;
    }
    return Entered::recovered;
}

void reconciled(DomainRep& domain) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    __atomic_store_n(&domain.unreconciled, std::uint64_t{0}, __ATOMIC_RELEASE);
}

void unreconciled(DomainRep& domain) noexcept {
    __atomic_store_n(&domain.unreconciled, std::uint64_t{1}, __ATOMIC_RELEASE);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

bool recover(const segment::Segment& segment, DomainRep& domain) noexcept {
    const std::uint64_t count = __atomic_load_n(&domain.log_count, __ATOMIC_ACQUIRE);
    try {
        const std::uint64_t capacity = domain.log_capacity;
        if (count > capacity) return false;
        if (__builtin_expect(Joint::decided(segment, domain), false)) {  // it has happened
            finish_writing(domain.log_count, domain.sequence);
            Joint::unmark(domain);
            return true;
        }
        const LogEntry* log = count == 0 ? nullptr : log_of(segment, domain, capacity);
        for (std::uint64_t i = 0; i < count; ++i) (void)logged_word(segment, log[i].offset);  // all, before any
        if (count != 0) begin_writing(domain.sequence);
        for (std::uint64_t i = count; i-- > 0;)
            segment::store_word(logged_word(segment, segment::load_word(&log[i].offset)), log[i].old);
    } catch (const segment::Damage&) {
        return false;
    }
    finish_writing(domain.log_count, domain.sequence);
    Joint::unmark(domain);
    return true;
}

}  // namespace muster::tx

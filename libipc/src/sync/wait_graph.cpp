#include "sync/wait_graph.hpp"

#include <algorithm>
#include <ctime>

#include "containers/containers.hpp"
#include "sync/lock.hpp"
#include "sync/lock_kind.hpp"
#include "sync/occupant.hpp"

namespace muster::sync {
namespace {

// The first word: 17 bits object id, 6 bits number, 1 bit tolerant, 8 bits kind, 32 bits generation. The second: since.
// The third: 30 bits turn over 34 bits of milliseconds from the beginning of the wait to when that hold was first seen.
constexpr unsigned number_at = 17, tolerant_at = 23, kind_at = 24, generation_at = 32;
constexpr std::uint64_t id_mask = (1u << number_at) - 1, number_mask = (1u << (tolerant_at - number_at)) - 1;
constexpr std::uint64_t later_mask = (std::uint64_t{1} << heap::turn_shift) - 1;
constexpr std::uint64_t ns_per_ms = 1'000'000;

constexpr std::size_t policy_word = 0;  // of the header's reserved ones

// Nothing when the object is gone, or nobody holds it.
std::optional<std::uint64_t> word_of(const Segment& segment, const Sessions& sessions, const Wait& wait) {
    if (wait.kind != heap::Kind::lock && wait.kind != heap::Kind::rlock) return {};
    const std::uint64_t word = LockWord(segment, sessions, wait.object).load();
    const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment, wait.object.id).ident);
    if (ident.generation != wait.object.generation || ident.life != heap::Life::live) return {};
    if (lock_kind(ident.kind) != wait.kind) return {};
    if (!LockWord::holder_in(word)) return {};
    return word;
}

struct Seen {
    WaitCycle chain;
    std::vector<std::uint64_t> turns;  // of the locks
};

bool follow(const Segment& segment, const Sessions& sessions, SlotId start, Seen& seen) {
    for (SlotId at = start;;) {
        const auto wait = wait_of(sessions, at);
        if (!wait) return false;
        const auto word = word_of(segment, sessions, *wait);
        if (!word) return false;
        const SlotId holder = LockWord::holder_in(*word);
        // Who has just got what it waited for, and has not taken back yet that it waits.
        if (holder == at && wait->turn != LockWord::turn_in(*word)) return false;
        seen.chain.push_back({at, *wait, holder});
        seen.turns.push_back(LockWord::turn_in(*word));
        if (holder == start) return true;
        const auto passed = [&](const WaitLink& link) { return link.waiter == holder; };
        if (std::any_of(seen.chain.begin(), seen.chain.end(), passed)) return false;  // a circle of others
        at = holder;
    }
}

bool same(const Seen& a, const Seen& b) {
    return a.turns == b.turns &&
           std::equal(a.chain.begin(), a.chain.end(), b.chain.begin(), b.chain.end(), [](const auto& x, const auto& y) {
               return x.waiter == y.waiter && x.holder == y.holder && x.wait.object == y.wait.object &&
                      x.wait.number == y.wait.number && x.wait.since == y.wait.since;
           });
}

std::string name_of(const containers::Directory& directory, const Wait& wait) {
    const auto entry = directory.glance(wait.object.id);
    const auto is = [&](heap::Kind kind) { return entry && entry->kind == kind; };
    const std::string kind = is(heap::Kind::condition)         ? "the lock of condition"
                             : is(heap::Kind::value)           ? "the lock of value"
                             : is(heap::Kind::array)           ? "the lock of array"
                             : wait.kind == heap::Kind::rlock ? "rlock"
                                                               : "lock";
    if (!entry || entry->name.empty()) return kind + " #" + std::to_string(wait.object.id);
    return kind + " '" + entry->name + "'";
}

}  // namespace

std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

Waiting::Waiting(const Sessions& sessions, SlotId self, heap::ObjectRef object, heap::Kind kind, bool tolerant) noexcept
    : words_(sessions.wait_of(self)), since_(monotonic_ns()) {
    static thread_local std::uint64_t number = 0;
    number = (number + 1) & number_mask;
    __atomic_store_n(&words_[1], since_, __ATOMIC_RELEASE);
    __atomic_store_n(&words_[2], 0, __ATOMIC_RELAXED);
    __atomic_store_n(&words_[0],
                     (object.id & id_mask) | number << number_at | std::uint64_t{tolerant} << tolerant_at |
                         std::uint64_t{static_cast<std::uint8_t>(kind)} << kind_at |
                         std::uint64_t{object.generation} << generation_at,
                     __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);  // before others' waits are looked at
}

Waiting::~Waiting() { __atomic_store_n(&words_[0], 0, __ATOMIC_RELAXED); }

void Waiting::kept_by(std::uint32_t turn) noexcept {
    if (looked_ && turn == turn_) return;
    const std::uint64_t later = looked_ ? (monotonic_ns() - since_) / ns_per_ms : 0;
    looked_ = true;
    turn_ = turn;
    __atomic_store_n(&words_[2], std::uint64_t{turn} << heap::turn_shift | (later & later_mask), __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

std::optional<Wait> wait_of(const Sessions& sessions, SlotId slot) noexcept {
    const std::uint64_t* words = sessions.wait_of(slot);
    const std::uint64_t first = __atomic_load_n(&words[0], __ATOMIC_ACQUIRE);
    if (first == 0) return {};
    const std::uint64_t since = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);
    const std::uint64_t kept = __atomic_load_n(&words[2], __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&words[0], __ATOMIC_ACQUIRE) != first || !sessions.in_use(slot)) return {};
    return Wait{{static_cast<std::uint32_t>(first & id_mask), static_cast<std::uint32_t>(first >> generation_at)},
                static_cast<heap::Kind>(first >> kind_at & 0xff),
                (first >> tolerant_at & 1) != 0,
                since,
                static_cast<std::uint32_t>(kept >> heap::turn_shift),
                since + (kept & later_mask) * ns_per_ms,
                first >> number_at & number_mask};
}

std::optional<WaitCycle> find_cycle(const Segment& segment, const Sessions& sessions, SlotId start) {
    static constexpr int tries = 3;
    for (int i = 0; i < tries; ++i) {
        Seen first, again;
        if (!follow(segment, sessions, start, first)) return {};
        if (!follow(segment, sessions, start, again) || !same(first, again)) continue;
        // The dead let go of what they hold.
        for (const WaitLink& link : first.chain)
            if (!sessions.alive(link.waiter)) return {};
        return std::move(first.chain);
    }
    return {};
}

std::vector<WaitCycle> all_cycles(const Segment& segment, const Sessions& sessions) {
    std::vector<WaitCycle> all;
    for (const SlotId slot : sessions.slots()) {
        auto cycle = find_cycle(segment, sessions, slot);
        if (!cycle) continue;
        const bool first = std::all_of(cycle->begin(), cycle->end(),
                                       [&](const WaitLink& link) { return slot.word() <= link.waiter.word(); });
        if (first) all.push_back(std::move(*cycle));
    }
    return all;
}

SlotId victim_of(const WaitCycle& cycle) noexcept {
    const WaitLink* youngest = nullptr;
    const auto younger = [](const WaitLink& a, const WaitLink& b) {
        return a.wait.since != b.wait.since ? a.wait.since > b.wait.since : a.waiter.word() > b.waiter.word();
    };
    for (const WaitLink& link : cycle)
        if (!link.wait.tolerant && (youngest == nullptr || younger(link, *youngest))) youngest = &link;
    return youngest != nullptr ? youngest->waiter : SlotId{};
}

std::string describe(const Segment& segment, const Sessions& sessions, const WaitCycle& cycle) {
    const containers::Directory directory(segment);
    const std::uint64_t now = monotonic_ns();
    std::string text;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
        const WaitLink& link = cycle[i];
        const Wait& holds = cycle[(i + cycle.size() - 1) % cycle.size()].wait;
        const auto thread = sessions.holder(link.waiter);
        const std::chrono::nanoseconds age(now > link.wait.since ? now - link.wait.since : 0);
        text += (i == 0 ? "" : "; ") + (thread ? occupant(thread->tid).text() : std::string("a thread that has ended")) +
                " holds " + name_of(directory, holds) + " and has waited " + seconds_text(age) + " for " +
                name_of(directory, link.wait);
    }
    return text;
}

// In the header's reserved words: 1 when circles are only reported.
bool deadlock_is_error(const Segment& segment) noexcept {
    return __atomic_load_n(&segment.header().reserved[policy_word], __ATOMIC_RELAXED) == 0;
}

void set_deadlock_is_error(const Segment& segment, bool error) noexcept {
    auto* header = reinterpret_cast<segment::Header*>(segment.base());
    __atomic_store_n(&header->reserved[policy_word], error ? 0 : 1, __ATOMIC_RELAXED);
}

}  // namespace muster::sync

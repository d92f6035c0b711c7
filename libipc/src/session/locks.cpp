#include "session/locks.hpp"

#include <algorithm>

#include "session/format.hpp"

namespace muster::session {
namespace {

using heap::Kind;
using heap::ObjectRef;

// A condition is its own lock, unless it was given one; then its word is free.
// A value and an array have one of their own.
bool is_lock(Kind kind) noexcept {
    return kind == Kind::lock || kind == Kind::rlock || kind == Kind::condition || kind == Kind::value || kind == Kind::array;
}

std::uint32_t objects_of(const segment::Segment& segment, const containers::Directory& directory) {
    return static_cast<std::uint32_t>(std::min(directory.high_water(), segment.regions().object_capacity));
}

// What is alive there, whatever it is.
heap::Ident living(const segment::Segment& segment, std::uint32_t id) {
    const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment, id).ident);
    return ident.life == heap::Life::live ? ident : heap::Ident{};
}

double seconds_since(std::uint64_t then, std::uint64_t now) noexcept {
    return now > then ? static_cast<double>(now - then) / 1e9 : 0;
}

ThreadInfo thread_of(const sync::Sessions& sessions, sync::SlotId slot) {
    const auto known = sessions.holder(slot);
    if (!known) return {};
    const sync::Occupant who = sync::occupant(known->tid);
    return {who.pid != 0 ? who.pid : known->pid, known->tid, who.program, who.stopped()};
}

}  // namespace

void HoldWatch::look(const segment::Segment& segment, const containers::Directory& directory,
                     const sync::Sessions& sessions) {
    const std::uint64_t now = sync::monotonic_ns();
    std::map<std::pair<std::uint32_t, std::uint32_t>, Hold> found;
    for (std::uint32_t id = 1; id <= objects_of(segment, directory); ++id) {
        const heap::Ident ident = living(segment, id);
        if (!is_lock(ident.kind)) continue;
        const sync::LockWord lock(segment, sessions, {id, ident.generation});
        const std::uint64_t word = lock.load();
        if (!sync::LockWord::holder_in(word)) continue;
        const std::uint64_t token = lock.token_of(word);
        const std::uint64_t before = seen({id, ident.generation}, token);
        found[{id, ident.generation}] = {token, before != 0 ? before : now};
    }
    holds_.swap(found);
}

std::uint64_t HoldWatch::seen(ObjectRef ref, std::uint64_t token) const noexcept {
    const auto at = holds_.find({ref.id, ref.generation});
    return at != holds_.end() && at->second.token == token ? at->second.since : 0;
}

std::vector<LockInfo> survey_locks(const segment::Segment& segment, const containers::Directory& directory,
                                   const sync::Sessions& sessions, const HoldWatch& watch) {
    const tx::Patience none(base::Deadline::now(), std::chrono::nanoseconds::zero());
    const std::uint64_t now = sync::monotonic_ns();
    std::multimap<std::pair<std::uint32_t, std::uint32_t>, std::pair<sync::SlotId, sync::Wait>> waits;
    for (const sync::SlotId slot : sessions.slots())
        if (const auto wait = sync::wait_of(sessions, slot))
            waits.emplace(std::pair(wait->object.id, wait->object.generation), std::pair(slot, *wait));
    std::vector<LockInfo> all;
    for (std::uint32_t id = 1; id <= objects_of(segment, directory); ++id) {
        const heap::Ident ident = living(segment, id);
        const ObjectRef ref{id, ident.generation};
        const auto [first, last] = waits.equal_range({id, ident.generation});
        if (ident.kind == Kind::none || (!is_lock(ident.kind) && first == last)) continue;
        LockInfo info;
        info.id = id;
        info.kind = kind_name(ident.kind);
        std::uint64_t held_since = 0;
        if (is_lock(ident.kind)) {
            const sync::RecursiveLock lock(segment, sessions, ref);
            const std::uint64_t word = lock.load();
            const sync::SlotId holder = sync::LockWord::holder_in(word);
            info.token = lock.token_of(word);
            if (holder) {
                info.holder = thread_of(sessions, holder);
                info.levels = lock.levels();
                held_since = watch.seen(ref, info.token);
                for (auto at = first; at != last; ++at)
                    if (const sync::Wait& wait = at->second.second;
                        wait.turn == sync::LockWord::turn_in(word) && (held_since == 0 || wait.turn_since < held_since))
                        held_since = wait.turn_since;
                if (held_since != 0) info.held_seconds = seconds_since(held_since, now);
            }
        }
        if (!info.holder && first == last) continue;
        if (const auto entry = directory.glance(id)) info.name = entry->name;
        for (auto at = first; at != last; ++at)
            info.waiters.push_back({thread_of(sessions, at->second.first), seconds_since(at->second.second.since, now)});
        std::sort(info.waiters.begin(), info.waiters.end(),
                  [](const WaiterInfo& a, const WaiterInfo& b) { return a.seconds > b.seconds; });
        all.push_back(std::move(info));
    }
    return all;
}

std::vector<DeadlockInfo> survey_deadlocks(const segment::Segment& segment, const sync::Sessions& sessions) {
    const tx::Patience none(base::Deadline::now(), std::chrono::nanoseconds::zero());
    std::vector<DeadlockInfo> all;
    for (const sync::WaitCycle& cycle : sync::all_cycles(segment, sessions)) {
        DeadlockInfo info{sync::describe(segment, sessions, cycle), {}, {}};
        for (const sync::WaitLink& link : cycle) {
            info.threads.push_back(thread_of(sessions, link.waiter));
            info.key += std::to_string(link.waiter.word()) + "/" + std::to_string(link.wait.since) + " ";
        }
        all.push_back(std::move(info));
    }
    return all;
}

}  // namespace muster::session

#include "session/realm.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "containers/containers.hpp"
#include "session/blocked.hpp"
#include "session/check.hpp"
#include "session/collector.hpp"
#include "session/erase.hpp"
#include "session/format.hpp"
#include "session/holding.hpp"
#include "session/locks.hpp"
#include "sync/sync.hpp"

namespace muster::session {
namespace {

using containers::ObjectEntry;
using heap::Kind;
using heap::ObjectRep;

}  // namespace

std::uint64_t process_start_time(pid_t pid) noexcept { return sync::process_start_time(pid); }

struct Realm::Impl {
    std::string name;
    segment::Segment segment;
    sync::Sessions sessions;
    containers::Directory directory;
    BlockedWatch watch;
    HoldWatch holds;
    Collector collector{segment, sessions, directory};

    Impl(std::string realm, segment::Segment mapped)
        : name(std::move(realm)), segment(std::move(mapped)), sessions(segment), directory(segment, lock_patience) {
        segment.limit_waits(lock_patience);
    }

    // What the segment's layers throw, as this interface's errors.
    template <typename Fn>
    auto guarded(const char* operation, Fn&& fn) const {
        const tx::Patience patience(base::Deadline::now(), lock_patience);
        try {
            return fn();
        } catch (const segment::Damage& damage) {
            throw Error(Errc::damaged, operation, "realm '" + name + "'", damage.what);
        } catch (const tx::Busy& busy) {
            throw Error(Errc::timeout, operation, "realm '" + name + "'", sync::describe(segment, busy));
        }
    }
    bool dead(const sync::Sessions::Info& info) const { return !sessions.alive(info); }
    void release_locks(sync::SessionId session, ReclaimReport& report);
    void return_leases(sync::SessionId session, ReclaimReport& report);
    void leave_pipes(sync::SessionId session, ReclaimReport& report);
    void leave_lines(sync::SessionId session, ReclaimReport& report);
    void recover_domains(sync::SessionId session, ReclaimReport& report);
    void wake_everybody(ReclaimReport& report);
    ReclaimReport reclaim(sync::SessionId session);
};

Realm::Realm(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Realm::Realm(Realm&&) noexcept = default;
Realm& Realm::operator=(Realm&&) noexcept = default;
Realm::~Realm() = default;

Realm Realm::create(std::string name, std::uint64_t capacity) {
    auto segment = segment::Segment::create(name, capacity);
    format(segment);
    return Realm(std::make_unique<Impl>(std::move(name), std::move(segment)));
}

Realm Realm::adopt(base::UniqueFd memfd, std::string name) {
    auto segment = segment::Segment::open(std::move(memfd), name);
    return Realm(std::make_unique<Impl>(std::move(name), std::move(segment)));
}

int Realm::memfd() const noexcept { return impl_->segment.memfd(); }
const std::string& Realm::name() const noexcept { return impl_->name; }
std::string Realm::instance() const { return impl_->segment.instance(); }

MemoryUse Realm::memory() const {
    return impl_->guarded("measure", [&] {
        if (const char* what = impl_->segment.header_damage()) throw segment::Damage{what};
        const heap::Extents extents(impl_->segment);
        const segment::Regions& regions = impl_->segment.regions();
        if (impl_->directory.high_water() > regions.object_capacity) throw segment::Damage{"more objects than fit"};
        if (extents.used_bytes() / segment::page_size > regions.page_count)
            throw segment::Damage{"more pages in use than there are"};
        const std::uint64_t objects = impl_->directory.high_water() * segment::object_size;
        return MemoryUse{impl_->segment.capacity(), extents.used_bytes() + objects, impl_->segment.reserved_bytes()};
    });
}

std::vector<SessionInfo> Realm::sessions() const {
    return impl_->guarded("sessions", [&] {
        std::vector<SessionInfo> all;
        for (std::uint32_t index = 0; index < segment::max_sessions; ++index)
            if (const auto info = impl_->sessions.info(index))
                all.push_back({index, info->id.generation, info->identity.pid, info->identity.start_time,
                               static_cast<double>(info->claimed_ns) / 1e9});
        return all;
    });
}

std::uint32_t Realm::session_count() const { return impl_->sessions.count(); }

bool Realm::session_is(std::uint32_t index, std::uint32_t generation, pid_t peer) const {
    return impl_->guarded("register", [&] {
        const auto info = impl_->sessions.info(index);
        if (!info || info->id.generation != generation) return false;
        // A client in another PID namespace knows itself by another number.
        return info->identity.pid == peer || info->identity.pid_namespace != sync::ProcessIdentity::self().pid_namespace;
    });
}

void Realm::Impl::release_locks(sync::SessionId session, ReclaimReport& report) {
    for (std::uint32_t id = 1; id <= directory.high_water(); ++id) {
        const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment, id).ident);
        if (ident.life != heap::Life::live) continue;
        if (const Holding* kind = holding(ident.kind))
            report.locks_released += kind->release({segment, sessions, {id, ident.generation}}, session);
    }
}

// What the dead consumer had leased goes back to the queues' heads.
void Realm::Impl::return_leases(sync::SessionId session, ReclaimReport& report) {
    const std::uint64_t owner = std::uint64_t{session.generation} << 32 | (session.index + 1);
    for (std::uint32_t id = 1; id <= directory.high_water(); ++id) {
        const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment, id).ident);
        if (ident.life != heap::Life::live || ident.kind != Kind::queue) continue;
        containers::Queue queue(segment, {id, ident.generation});
        if (!queue.looks_lent()) continue;
        try {
            const auto dead = [&](std::uint64_t who) { return who == owner; };
            report.leases_returned += static_cast<std::uint32_t>(queue.return_leases(dead, base::Deadline::after(lock_patience)));
        } catch (const heap::Destroyed&) {
        } catch (const tx::Busy&) {
            report.deferred = true;
        } catch (const segment::Damage&) {  // check() tells of it; the session's other traces are to go all the same
        }
    }
}

// Whoever waits for the dead at the other end of a pipe waits in vain. Before the session is free for somebody else.
void Realm::Impl::leave_pipes(sync::SessionId session, ReclaimReport& report) {
    for (std::uint32_t id = 1; id <= directory.high_water(); ++id) {
        const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment, id).ident);
        if (ident.life != heap::Life::live || ident.kind != Kind::pipe) continue;
        try {
            containers::Pipe(segment, {id, ident.generation}).leave_dead(session.index, {}, base::Deadline::after(lock_patience));
        } catch (const heap::Destroyed&) {
        } catch (const tx::Busy&) {
            report.deferred = true;
        } catch (const segment::Damage&) {  // as above
        }
    }
}

// The permits of the dead are free again, and nobody waits for those who wait no more. Before the session is free, too.
void Realm::Impl::leave_lines(sync::SessionId session, ReclaimReport& report) {
    for (std::uint32_t id = 1; id <= directory.high_water(); ++id) {
        const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment, id).ident);
        if (ident.life != heap::Life::live || !sync::keeps_records(ident.kind)) continue;
        try {
            report.permits_returned += sync::drop_session(segment, {id, ident.generation}, ident.kind, session,
                                                          base::Deadline::after(lock_patience));
        } catch (const heap::Destroyed&) {
        } catch (const tx::Busy&) {
            report.deferred = true;
        } catch (const segment::Damage&) {  // as above
        }
    }
}

// The kernel has marked the mutexes that the dead held: entering and leaving such a domain mends it. An object that still
// has the mark of a joint transaction of theirs is being mended by somebody, who looks at their slot: it is waited for, or
// the slot stays (tx/joint.hpp).
void Realm::Impl::recover_domains(sync::SessionId session, ReclaimReport& report) {
    const auto mend = [&](std::uint64_t offset) {
        tx::DomainRep& domain = *segment.at<tx::DomainRep>(offset);
        if (!domain.mutex.owner_died()) return;
        const tx::DomainLock lock(segment, domain, base::Deadline::after(lock_patience));
        if (lock.recovered()) ++report.transactions_rolled_back;
    };
    mend(segment.regions().segment_domain);
    mend(segment.regions().sessions_domain);
    for (std::uint32_t id = 1; id <= directory.high_water(); ++id) {
        ObjectRep& object = heap::object_at(segment, id);
        const std::uint64_t joint = __atomic_load_n(&object.domain.joint_slot, __ATOMIC_ACQUIRE);
        const bool marked = joint != 0 && sessions.has_slot(session, joint - 1);
        if (!object.domain.mutex.owner_died() && object.domain.unreconciled == 0 && !marked) continue;
        const heap::Ident ident = heap::Ident::unpack(object.ident);
        if (ident.life != heap::Life::live) continue;  // the directory's to mend
        try {
            const heap::ObjectLock lock(segment, {id, ident.generation}, base::Deadline::after(lock_patience));
            ++report.transactions_rolled_back;
        } catch (const heap::Destroyed&) {
        } catch (const tx::Busy&) {
            report.deferred = true;
        }
    }
}

// I9: the dead may have changed something and not told those who wait for it.
void Realm::Impl::wake_everybody(ReclaimReport& report) {
    if (tx::mutant(tx::Mutant::missing_wake)) return;
    const auto wake = [&](std::uint32_t& word) {
        if ((__atomic_load_n(&word, __ATOMIC_RELAXED) & 1) == 0) return;
        __atomic_fetch_add(&word, 2, __ATOMIC_SEQ_CST);
        report.waiters_woken += static_cast<std::uint32_t>(base::futex_wake(&word));
    };
    for (std::uint32_t slot = 0; slot < segment::max_slots; ++slot) wake(sync::sleep_word(segment, slot));
    for (std::uint32_t id = 1; id <= directory.high_water(); ++id) {
        ObjectRep& object = heap::object_at(segment, id);
        const heap::Ident ident = heap::Ident::unpack(object.ident);
        if (ident.life != heap::Life::live) continue;
        if ((__atomic_load_n(&object.watchers, __ATOMIC_RELAXED) & 1) != 0)
            report.waiters_woken += static_cast<std::uint32_t>(heap::wake_watchers(object.watchers));
        for (std::uint32_t& word : object.wait_points) wake(word);
        if (const Holding* kind = holding(ident.kind))
            report.waiters_woken += kind->wake({segment, sessions, {id, ident.generation}});
    }
}

ReclaimReport Realm::Impl::reclaim(sync::SessionId session) {
    ReclaimReport report;
    if (!sessions.is(session)) return report;
    try {
        recover_domains(session, report);
        release_locks(session, report);
        return_leases(session, report);
        leave_pipes(session, report);
        leave_lines(session, report);
        report.objects_freed = directory.release_all(session.index);
        wake_everybody(report);
        if (!directory.finish_erased()) report.deferred = true;
        if (!report.deferred) sessions.free(session);
    } catch (const tx::Busy&) {
        report.deferred = true;
    }
    return report;
}

ReclaimReport Realm::reclaim(std::uint32_t index, std::uint32_t generation) {
    return impl_->guarded("reclaim", [&] { return impl_->reclaim({index, generation}); });
}

ReclaimReport Realm::reclaim_dead(const std::vector<std::uint32_t>& spare) {
    return impl_->guarded("reclaim", [&] {
        ReclaimReport total;
        for (std::uint32_t index = 0; index < segment::max_sessions; ++index) {
            const auto info = impl_->sessions.info(index);
            if (!info || std::find(spare.begin(), spare.end(), index) != spare.end() || !impl_->dead(*info)) continue;
            const ReclaimReport one = impl_->reclaim(info->id);
            total.locks_released += one.locks_released;
            total.leases_returned += one.leases_returned;
            total.permits_returned += one.permits_returned;
            total.objects_freed += one.objects_freed;
            total.transactions_rolled_back += one.transactions_rolled_back;
            total.waiters_woken += one.waiters_woken;
            total.deferred = total.deferred || one.deferred;
        }
        return total;
    });
}

void Realm::shut() {
    impl_->guarded("shut", [&] { session::close(impl_->segment, impl_->directory); });
}

std::uint64_t Realm::sweep_expired(std::uint64_t most) {
    constexpr std::uint64_t at_a_time = 1024;
    return impl_->guarded("sweep", [&] {
        std::uint64_t looked = 0, removed = 0;
        for (std::uint32_t id = 1; id <= impl_->directory.high_water() && looked < most; ++id) {
            const ObjectRep& object = heap::object_at(impl_->segment, id);
            const heap::Ident ident = heap::Ident::unpack(object.ident);
            if (ident.life != heap::Life::live || !heap::is_table(ident.kind)) continue;
            if (heap::root_of<containers::TableRep>(object).expiring == 0) continue;
            containers::Table table(impl_->segment, {id, ident.generation});
            try {
                for (containers::Table::Swept swept{0, 0, false}; !swept.complete && looked < most;) {
                    swept = table.sweep(std::min(at_a_time, most - looked), base::Deadline::after(lock_patience));
                    looked += swept.looked;
                    removed += swept.removed;
                }
            } catch (const heap::Destroyed&) {
            } catch (const tx::Busy&) {
            } catch (const segment::Damage&) {  // check() tells of it
            }
        }
        return removed;
    });
}

std::vector<ObjectInfo> Realm::objects() const {
    return impl_->guarded("list objects", [&] {
        std::vector<ObjectInfo> all;
        for (ObjectEntry& entry : impl_->directory.list()) {
            ObjectInfo info{entry.ref.id, entry.ref.generation, std::move(entry.name),
                            std::string(kind_name(entry.kind)), 0, segment::object_size, entry.holders, entry.stored};
            const ObjectRep& object = heap::object_at(impl_->segment, entry.ref.id);
            info.size = size_of(impl_->segment, entry.ref, entry.kind);
            const std::uint64_t capacity = impl_->segment.capacity(), bytes = object.heap.bytes;
            if (bytes > capacity || (info.size > capacity && entry.kind != Kind::semaphore))  // permits take no room
                throw Error(Errc::damaged, "list objects", "realm '" + impl_->name + "'",
                            info.kind + " '" + entry.label() + "': more in it than fits into the realm");
            info.bytes += bytes;
            all.push_back(std::move(info));
        }
        return all;
    });
}

std::uint32_t Realm::object_count() const {
    return impl_->guarded("count objects", [&] {
        const std::uint64_t live = impl_->directory.live();
        if (live > impl_->segment.regions().object_capacity) throw segment::Damage{"more objects than fit"};
        return static_cast<std::uint32_t>(live);
    });
}

void Realm::erase(std::string_view object_name) {
    if (!impl_->guarded("erase", [&] { return session::erase(impl_->segment, impl_->directory, object_name); }))
        throw Error(Errc::no_such_object, "erase", "'" + std::string(object_name) + "'");
}

std::vector<Blocked> Realm::blocked() const {
    return impl_->guarded("look for stopped processes",
                          [&] { return impl_->watch.look(impl_->segment, impl_->directory, impl_->sessions); });
}

std::vector<LockInfo> Realm::locks() const {
    return impl_->guarded("look at locks", [&] {
        return survey_locks(impl_->segment, impl_->directory, impl_->sessions, impl_->holds);
    });
}

std::vector<DeadlockInfo> Realm::deadlocks() const {
    return impl_->guarded("look for deadlocks", [&] { return survey_deadlocks(impl_->segment, impl_->sessions); });
}

void Realm::watch_locks() {
    impl_->guarded("look at locks", [&] { impl_->holds.look(impl_->segment, impl_->directory, impl_->sessions); });
}

void Realm::set_deadlock_is_error(bool error) { sync::set_deadlock_is_error(impl_->segment, error); }

CollectReport Realm::collect(bool begin, std::uint64_t work) {
    return impl_->guarded("collect", [&] {
        Collector& collector = impl_->collector;
        if (collector.idle()) {
            if (!begin) return CollectReport{};
            collector.begin();
        }
        const bool done = collector.step(work);
        return CollectReport{done, collector.held_up(), collector.freed()};
    });
}

bool Realm::collecting() const noexcept { return !impl_->collector.idle(); }

bool Realm::has_candidates() const {
    return impl_->guarded("collect", [&] { return impl_->directory.has_candidates(); });
}

CheckReport Realm::check() const {
    return impl_->guarded("check", [&] { return session::check(impl_->segment, impl_->directory); });
}

}  // namespace muster::session

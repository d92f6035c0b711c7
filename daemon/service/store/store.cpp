#include "service/store/store.hpp"

#include <fcntl.h>

#include <algorithm>
#include <charconv>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "service/server/call.hpp"

namespace muster::service {
namespace {

constexpr std::string_view label_prefix = "realm:";

std::string label_of(uid_t uid) { return std::string(label_prefix) + std::to_string(uid); }
std::string name_of(uid_t uid) { return "uid-" + std::to_string(uid); }

std::optional<uid_t> uid_of(std::string_view label) {
    if (!label.starts_with(label_prefix)) return std::nullopt;
    label.remove_prefix(label_prefix.size());
    uid_t uid = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), uid);
    if (error != std::errc() || end != label.data() + label.size()) return std::nullopt;
    return uid;
}

}  // namespace

std::string Store::name_of_realm(uid_t uid) { return name_of(uid); }

Store::Store(StoreOptions options, StoreOutside& outside) : options_(options), outside_(outside) {}
Store::~Store() = default;

Store::Holding* Store::find(uid_t realm) noexcept {
    const auto found = realms_.find(realm);
    return found == realms_.end() ? nullptr : &found->second;
}

void Store::quarantine(Holding& holding, const std::string& reason) {
    if (holding.damaged) return;
    holding.damaged = reason;
    spdlog::error("realm {} is damaged and quarantined: {}", holding.name, reason);
}

// Work on a realm that may turn out damaged.
template <typename Work>
auto Store::guarded(Holding& holding, Work&& work) {
    try {
        return work(*holding.realm);
    } catch (const Error& error) {
        if (error.errc() == Errc::damaged) quarantine(holding, error.what());
        throw;
    }
}

session::Realm& Store::sound(uid_t realm) {
    Holding* holding = find(realm);
    if (!holding)
        throw Error(Errc::no_such_object, "open", "realm " + name_of(realm), "nobody has attached yet");
    if (holding->damaged) throw Error(Errc::damaged, "open", "realm " + holding->name, *holding->damaged);
    if (!holding->realm) open(*holding);
    return *holding->realm;
}

// What the keeper held. Want of memory or descriptors is no damage.
void Store::open(Holding& holding) {
    try {
        base::UniqueFd memfd(::fcntl(holding.memory.get(), F_DUPFD_CLOEXEC, 0));
        if (!memfd) base::throw_errno(errno, "open", "realm " + holding.name, "fcntl(F_DUPFD_CLOEXEC)");
        session::Realm realm = session::Realm::adopt(std::move(memfd), holding.name);
        realm.set_deadlock_is_error(options_.deadlock_is_error);
        holding.realm.emplace(std::move(realm));
        holding.memory.reset();
    } catch (const Error& error) {
        if (error.errc() == Errc::damaged || error.errc() == Errc::protocol) {
            quarantine(holding, error.what());
            holding.memory.reset();
        }
        throw;
    }
}

void Store::adopt(const std::string& label, base::UniqueFd memfd) {
    const auto uid = uid_of(label);
    if (!uid) {
        spdlog::warn("memory '{}' is kept for nobody", label);
        return;
    }
    Holding& holding = realms_[*uid];
    holding.name = name_of(*uid);
    holding.memory = std::move(memfd);
    try {
        open(holding);
        guarded(holding, [](session::Realm& realm) { return realm.reclaim_dead({}); });
    } catch (const std::exception& error) {
        // Damage has been told. For what does not last, a client that has been inside for long, no memory, there is the sweep.
        if (!holding.realm && !holding.damaged)
            spdlog::warn("realm {} cannot be opened yet: {}", holding.name, error.what());
    }
}

// Those given back since the last sweep do not count.
void Store::require_room(uid_t owner) {
    const auto of_owner = [&] {
        const auto same = [&](const auto& entry) { return entry.second.realm == owner; };
        return static_cast<std::size_t>(std::count_if(bound_.begin(), bound_.end(), same));
    };
    if (bound_.size() >= options_.sessions) {
        for (auto& [uid, holding] : realms_)
            if (holding.realm && !holding.damaged) (void)bound_sessions(uid, *holding.realm);
        if (bound_.size() >= options_.sessions)
            throw limit_exceeded("io.muster.service", "sessions", options_.sessions, "limits.sessions");
    }
    if (of_owner() < options_.sessions_per_uid) return;
    if (Holding* holding = find(owner); holding && holding->realm && !holding->damaged)
        (void)bound_sessions(owner, *holding->realm);
    if (of_owner() >= options_.sessions_per_uid)
        throw limit_exceeded("io.muster.service", "sessions of one user", options_.sessions_per_uid,
                             "limits.sessions_per_uid");
}

std::vector<std::uint32_t> Store::bound_sessions(uid_t uid, session::Realm& realm) {
    std::vector<std::uint32_t> indices;
    for (auto bound = bound_.begin(); bound != bound_.end();) {
        const auto current = bound++;
        const Bound& session = current->second;
        if (session.realm != uid) continue;
        if (realm.session_is(session.index, session.generation, session.pid)) {
            indices.push_back(session.index);
        } else {  // given back by a process that lives on
            outside_.unwatch_session(current->first);
            bound_.erase(current);
        }
    }
    return indices;
}

AttachReply Store::attach(uid_t caller) {
    const uid_t owner = realm_of(caller);
    require_room(owner);
    if (!find(owner)) {
        const auto fresh = realms_.try_emplace(owner).first;
        try {
            Holding& holding = fresh->second;
            holding.name = name_of(owner);
            holding.realm.emplace(session::Realm::create(holding.name, options_.memory));
            holding.realm->set_deadlock_is_error(options_.deadlock_is_error);
            outside_.keep_memory(label_of(owner), holding.realm->memfd());
        } catch (...) {
            realms_.erase(fresh);
            throw;
        }
        spdlog::info("realm {} created, {} MiB", fresh->second.name, options_.memory >> 20);
    }
    sound(owner);
    return guarded(*find(owner), [](session::Realm& realm) {
        return AttachReply{realm.name(), realm.instance(), realm.memory().capacity, realm.memfd()};
    });
}

void Store::bind(uid_t caller, pid_t pid, std::uint32_t index, std::uint32_t generation,
                 const std::string& name) {
    const auto refuse = [&](const char* reason) {
        return CallError("io.muster.service.NoSuchSession", {{"session", index}, {"reason", reason}});
    };
    const uid_t owner = realm_of(caller);
    session::Realm& realm = sound(owner);
    // The pidfd first: the slot is looked at while the process is held, so its pid cannot have been reused.
    base::UniqueFd pidfd = open_pidfd(pid);
    if (!pidfd) throw refuse("the process has ended");
    if (!realm.session_is(index, generation, pid))
        throw refuse("the slot does not carry your pid and this generation");
    for (auto& [token, bound] : bound_) {
        if (bound.realm != owner || bound.index != index || bound.generation != generation) continue;
        if (!name.empty()) bound.name = name;
        return;
    }
    require_room(owner);
    const std::uint64_t token = ++last_token_;
    const auto added =
        bound_.emplace(token, Bound{owner, index, generation, pid, name, std::move(pidfd)}).first;
    try {
        outside_.watch_session(token, added->second.pidfd.get());
    } catch (...) {
        bound_.erase(added);
        throw;
    }
}

void Store::session_gone(std::uint64_t token) {
    const auto found = bound_.find(token);
    if (found == bound_.end()) return;
    const Deferred what{found->second.realm, found->second.index, found->second.generation};
    outside_.unwatch_session(token);
    bound_.erase(found);
    reclaim(what);
}

void Store::reclaim(const Deferred& what) {
    Holding* holding = find(what.realm);
    if (!holding || !holding->realm || holding->damaged) return;
    try {
        const auto report = guarded(
            *holding, [&](session::Realm& realm) { return realm.reclaim(what.index, what.generation); });
        if (report.deferred) deferred_.push_back(what);
        if (report.locks_released + report.transactions_rolled_back > 0)
            spdlog::info("realm {}: session {} died: {} locks released, {} transactions rolled back",
                         holding->name, what.index, report.locks_released, report.transactions_rolled_back);
    } catch (const std::exception& error) {
        spdlog::error("realm {}: session {} could not be cleaned up: {}", holding->name, what.index,
                      error.what());
    }
}

// A step of a search, a millisecond or two; retry() goes on with it.
void Store::collect(Holding& holding, bool begin) {
    constexpr std::uint64_t work = 10'000;
    constexpr unsigned longest = 64, in_a_second = 8;  // a hundredth of the time, where nothing was found
    holding.collect_steps = begin ? 1 : holding.collect_steps + 1;
    const auto report = guarded(holding, [&](session::Realm& realm) { return realm.collect(begin, work); });
    if (!report.done || report.held_up) return;  // held up: again at the next sweep
    holding.collect_in = report.freed != 0 ? 1 : std::min(1 + holding.collect_steps / in_a_second, longest);
    if (report.freed != 0) spdlog::info("realm {}: {} objects that nobody reached were freed", holding.name, report.freed);
}

bool Store::wants_retry() const noexcept {
    return !deferred_.empty() || std::any_of(realms_.begin(), realms_.end(), [](const auto& entry) {
        const Holding& holding = entry.second;
        return holding.realm && !holding.damaged && holding.realm->collecting();
    });
}

void Store::retry() {
    for (auto& [uid, holding] : realms_) {
        if (!holding.realm || holding.damaged || !holding.realm->collecting()) continue;
        try {
            collect(holding, false);
        } catch (const std::exception& error) {
            spdlog::error("realm {}: what nobody reaches could not be looked for: {}", holding.name, error.what());
        }
    }
    const auto again = std::move(deferred_);
    deferred_.clear();
    for (const Deferred& what : again) reclaim(what);
}

void Store::sweep() {
    count_told();
    for (auto& [uid, holding] : realms_) {
        if (holding.damaged) continue;
        try {
            if (!holding.realm) open(holding);
            const std::vector<std::uint32_t> spare = bound_sessions(uid, *holding.realm);
            guarded(holding, [&](session::Realm& realm) { return realm.reclaim_dead(spare); });
            if (guarded(holding, [](session::Realm& realm) { return realm.has_candidates(); })) {
                if (holding.collect_in == 0) collect(holding, true);
                if (holding.collect_in != 0) --holding.collect_in;
            }
            guarded(holding, [&](session::Realm& realm) { return realm.sweep_expired(); });
            guarded(holding, [this, &at = holding](session::Realm& realm) { look_at_locks(at, realm); });
        } catch (const std::exception& error) {
            spdlog::error("realm {}: the sweep for dead sessions and expired keys failed: {}", holding.name, error.what());
        }
    }
}

void Store::shut() noexcept {
    for (auto& [uid, holding] : realms_) {
        if (holding.damaged) continue;
        try {
            if (!holding.realm) open(holding);
            holding.realm->shut();
        } catch (const std::exception& error) {
            spdlog::error("realm {}: it could not be shut: {}", holding.name, error.what());
        }
    }
}

std::vector<SessionView> Store::sessions(uid_t caller) {
    std::vector<SessionView> result;
    for (auto& [uid, holding] : realms_) {
        if ((caller != 0 && realm_of(caller) != uid) || holding.damaged) continue;
        std::vector<session::SessionInfo> found;
        try {
            if (!holding.realm) open(holding);
            found = guarded(holding, [](session::Realm& realm) { return realm.sessions(); });
        } catch (const Error& error) {
            // A realm that is closed is left out: root sees the others. One that could not be read now is not: less
            // than there is would pass for all.
            if (caller != 0 || error.errc() != Errc::damaged) throw;
            spdlog::error("realm {}: its sessions cannot be listed: {}", holding.name, error.what());
        }
        for (const session::SessionInfo& info : found) {
            SessionView view{info, uid, "", false};
            for (const auto& [token, bound] : bound_) {
                if (bound.realm != uid || bound.index != info.index || bound.generation != info.generation)
                    continue;
                view.name = bound.name;
                view.registered = true;
            }
            result.push_back(std::move(view));
        }
    }
    return result;
}

std::vector<RealmView> Store::realms(uid_t caller) {
    std::vector<RealmView> result;
    for (auto& [uid, holding] : realms_) {
        if (caller != 0 && realm_of(caller) != uid) continue;
        RealmView view;
        view.uid = uid;
        view.name = holding.name;
        if (!holding.damaged) {
            try {
                if (!holding.realm) open(holding);
                guarded(holding, [&](session::Realm& realm) {
                    view.instance = realm.instance();
                    view.memory = realm.memory();
                    view.sessions = realm.session_count();
                    view.objects = realm.object_count();
                    view.blocked = realm.blocked();
                });
            } catch (const Error& error) {
                spdlog::warn("realm {}: {}", holding.name, error.what());
            }
        }
        view.damaged = holding.damaged;
        result.push_back(std::move(view));
    }
    return result;
}

std::vector<session::ObjectInfo> Store::objects(uid_t caller) {
    if (!find(realm_of(caller))) return {};
    session::Realm& realm = sound(realm_of(caller));
    return guarded(*find(realm_of(caller)), [&](session::Realm&) { return realm.objects(); });
}

void Store::erase(uid_t caller, const std::string& name) {
    Holding* holding = find(realm_of(caller));
    if (!holding) throw Error(Errc::no_such_object, "erase", name);
    sound(realm_of(caller));
    guarded(*holding, [&](session::Realm& realm) { realm.erase(name); });
}

// A violation is looked at twice: the second look is not taken in by something that changed during the first. That
// somebody is inside for long is told, and is no damage: he may be stopped, or the machine busy.
session::CheckReport Store::check(uid_t caller) {
    Holding* holding = find(realm_of(caller));
    if (!holding) return {};
    if (!holding->realm && !holding->damaged) open(*holding);
    if (!holding->realm) {
        session::CheckReport report;
        report.violations.push_back({"layout", "", *holding->damaged});
        report.invariants.push_back({"layout", "the header, and where objects lead", 1, 1});
        return report;
    }
    auto report = guarded(*holding, [](session::Realm& realm) { return realm.check(); });
    if (report.violations.empty()) return report;
    report = guarded(*holding, [](session::Realm& realm) { return realm.check(); });
    // A lock that is kept for too long (I9) is no damage: somebody is stopped.
    const auto damage = std::find_if(
        report.violations.begin(), report.violations.end(),
        [](const session::Violation& violation) { return violation.invariant != session::somebody_inside; });
    if (damage != report.violations.end())
        quarantine(*holding, damage->invariant + (damage->object.empty() ? "" : ", '" + damage->object + "'") + ": " +
                                 damage->text);
    return report;
}

}  // namespace muster::service

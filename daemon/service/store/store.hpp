// The realms: whose memory is whose, who is attached, and cleaning up after the dead.
//
// A realm is made at the first attach of its uid and its memfd given to the keeper before anybody gets it, so
// that the next service adopts it with everything in it. A realm that is found damaged is quarantined: nobody
// new attaches, it shows in the status, the daemon goes on. Everything here answers within a few lock
// patiences (session/realm.hpp).
//
// Thread safety: the service's one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/base.hpp"
#include "link/messages.hpp"
#include "service/server/peer.hpp"
#include "session/realm.hpp"

namespace muster::service {

class StoreOutside {
  public:
    virtual ~StoreOutside() = default;
    virtual void keep_memory(const std::string& label, int memfd) = 0;
    // Call Store::session_gone(token) when this pidfd becomes readable; it stays open until
    // unwatch_session(token).
    virtual void watch_session(std::uint64_t token, int pidfd) = 0;
    virtual void unwatch_session(std::uint64_t token) = 0;
};

struct StoreOptions {
    std::uint64_t memory = 1 << 30;  // capacity of a new realm
    std::optional<uid_t> only_uid;   // one realm for all who are let in: its owner's
    std::size_t sessions = 4096;     // registered ones, of everybody
    std::size_t sessions_per_uid = 1024;
    bool deadlock_is_error = true;   // or only reported
};

struct AttachReply {
    std::string realm, instance;
    std::uint64_t capacity = 0;
    int memfd = -1;  // stays the store's
};

struct SessionView {
    session::SessionInfo info;
    uid_t uid = 0;
    std::string name;
    bool registered = false;
};

struct RealmView {
    uid_t uid = 0;
    std::string name, instance;
    session::MemoryUse memory;
    std::uint32_t sessions = 0, objects = 0;
    std::optional<std::string> damaged;
    std::vector<session::Blocked> blocked;
};

class Store {
  public:
    Store(StoreOptions options, StoreOutside& outside);
    ~Store();

    // A memfd that the keeper held for the old service. Where there is no memory or descriptor to open it with, it is tried
    // again at each use and each sweep; until then those who use the realm get that error.
    void adopt(const std::string& label, base::UniqueFd memfd);

    // Throws CallError LimitExceeded where no further session of the caller's could be bound.
    AttachReply attach(uid_t caller);
    // Throws CallError NoSuchSession, LimitExceeded. Idempotent.
    void bind(uid_t caller, pid_t pid, std::uint32_t index, std::uint32_t generation,
              const std::string& name);
    void session_gone(std::uint64_t token);

    // Root: of every realm that is not damaged. Throws Errc::timeout when a process is inside one for long.
    std::vector<SessionView> sessions(uid_t caller);
    std::vector<RealmView> realms(uid_t caller);
    std::vector<session::ObjectInfo> objects(uid_t caller);
    void erase(uid_t caller, const std::string& name);
    session::CheckReport check(uid_t caller);
    std::vector<session::LockInfo> locks(uid_t caller);
    std::vector<session::DeadlockInfo> deadlocks(uid_t caller);
    // A client gave up an acquisition that would have closed a circle: for the log, a few a second.
    void deadlock_broken(uid_t caller, std::string text);

    // Once a second: reclaims sessions whose processes are gone unnoticed, and removes keys that have expired.
    void sweep();
    // The daemon ends as it was asked to: whoever still uses an object finds its realm closed, also one that is to be opened
    // yet, if that is possible now.
    void shut() noexcept;
    // Deferred work wants retry() soon.
    bool wants_retry() const noexcept;
    void retry();

  private:
    struct Holding {
        std::string name;
        base::UniqueFd memory;                // of a realm that is to be opened yet
        std::optional<session::Realm> realm;  // absent when it could not even be opened
        std::optional<std::string> damaged;
        std::set<std::string> deadlocks;  // those that were told
        // Sweeps until objects that nobody reaches are looked for again, and the steps of the search: what takes long
        // is done less often.
        unsigned collect_in = 0, collect_steps = 0;
    };
    struct Bound {
        uid_t realm;
        std::uint32_t index, generation;
        pid_t pid;
        std::string name;
        base::UniqueFd pidfd;
    };
    struct Deferred {
        uid_t realm;
        std::uint32_t index, generation;
    };

    uid_t realm_of(uid_t caller) const noexcept { return options_.only_uid.value_or(caller); }
    Holding* find(uid_t realm) noexcept;
    session::Realm& sound(uid_t realm);  // throws Error(damaged, no_such_object), and as open()
    void open(Holding& holding);
    void quarantine(Holding& holding, const std::string& reason);
    void reclaim(const Deferred& what);
    void collect(Holding& holding, bool begin);
    void require_room(uid_t owner);
    // Of the realm's bound sessions those that are in use; the others are forgotten.
    std::vector<std::uint32_t> bound_sessions(uid_t uid, session::Realm& realm);
    void look_at_locks(Holding& holding, session::Realm& realm);
    void count_told();
    static std::string name_of_realm(uid_t uid);
    template <typename Work>
    auto guarded(Holding& holding, Work&& work);

    StoreOptions options_;
    StoreOutside& outside_;
    std::map<uid_t, Holding> realms_;
    std::map<std::uint64_t, Bound> bound_;
    std::vector<Deferred> deferred_;
    std::uint64_t last_token_ = 0;
    std::size_t told_ = 0;  // broken deadlocks, in this second
};

}  // namespace muster::service

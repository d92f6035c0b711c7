// This process's place in one realm: the mapped segment, its session and its threads' slots in it, and the way to the
// daemon.
//
// Claiming a session and slots is done in the segment, when first needed; the daemon is told by a one-way message, so
// nothing here waits for it once attached. After fork the child is somebody else (I12): its first need claims a session
// of its own; what anonymous objects it inherited handles to, it holds from the fork on.
// Thread safety: any thread may call anything.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "containers/containers.hpp"
#include "session/control.hpp"
#include "sync/sync.hpp"

namespace muster::session {

// Counts the forks that led to this process; what was made under another number belongs to an ancestor.
inline std::atomic<std::uint32_t> forks{1};  // the fork handlers' to write
inline std::uint32_t fork_epoch() noexcept { return forks.load(std::memory_order_relaxed); }

class Session : public std::enable_shared_from_this<Session> {
  public:
    // Asks the daemon for the caller's realm. Throws as Control, and damaged/protocol for a segment not of our layout.
    static std::shared_ptr<Session> attach(const Address& address,
                                           base::Deadline deadline = base::Deadline::after(Control::default_patience));
    // On a formatted segment without any daemon: for tests and benches.
    static std::shared_ptr<Session> local(segment::Segment segment);

    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    const segment::Segment& segment() const noexcept { return segment_; }
    const sync::Sessions& sessions() const noexcept { return sessions_; }
    containers::Directory directory() const { return containers::Directory(segment_); }

    // The calling thread, as locks name their holder. Throws limit_exceeded.
    sync::SlotId slot() {
        const ThreadSlot& cached = thread_slot;
        if (cached.session == serial_ && cached.epoch == fork_epoch()) return cached.slot;
        return find_slot();
    }
    // The same, when this is the session that the thread used last; nobody otherwise.
    sync::SlotId last_slot() const noexcept {
        const ThreadSlot& cached = thread_slot;
        return cached.session == serial_ && cached.epoch == fork_epoch() ? cached.slot : sync::SlotId{};
    }
    // The same, of a thread that has used it before; nobody otherwise: nothing is claimed, nobody is waited for.
    sync::SlotId known_slot() noexcept {
        const ThreadSlot& cached = thread_slot;
        if (cached.session == serial_ && cached.epoch == fork_epoch()) return cached.slot;
        return recall_slot();
    }
    sync::SessionId id();
    // The calling thread's mark that values are between two places (sync/sessions.hpp).
    std::uint64_t& moving() { return sessions_.moving(slot()); }

    // Which realm it is, as handles that are values tell: the first 56 bits of its instance.
    std::uint64_t realm() const noexcept { return containers::realm_of(segment_); }

    // The daemon, from this process. Throws invalid_argument on a local session.
    Control& control();
    bool has_daemon() const noexcept { return address_.has_value(); }
    const Address& address() const { return *address_; }

    // A handle to an anonymous object came to be, or ceased to. hold() is false when the object is gone.
    bool hold(heap::ObjectRef ref);
    void release(heap::ObjectRef ref) noexcept;
    // A new anonymous object, held by this process.
    heap::ObjectRef create(heap::Kind kind, const containers::Directory::Init& init);

  private:
    struct ThreadSlot {
        std::uint64_t session = 0;  // serial; 0 = none
        std::uint32_t epoch = 0;
        sync::SlotId slot;
    };
    struct ThreadSlots;
    struct Registry;
    static thread_local constinit ThreadSlot thread_slot;  // the last one used

    explicit Session(segment::Segment segment);
    sync::SlotId find_slot();
    sync::SlotId recall_slot() noexcept;
    template <typename Fn>
    auto claiming(Fn&& fn) const;
    sync::SessionId claim_locked();
    void tell(Control& daemon) noexcept;
    void after_fork() noexcept;
    void leave_objects() noexcept;
    bool current() const noexcept { return claimed_ && claimed_epoch_ == fork_epoch(); }

    const std::uint64_t serial_;
    segment::Segment segment_;
    sync::Sessions sessions_;
    std::optional<Address> address_;

    std::recursive_mutex mutex_;
    std::unique_ptr<Control> control_;
    std::uint32_t control_epoch_ = 0;
    bool claimed_ = false;
    std::uint32_t claimed_epoch_ = 0;
    sync::SessionId id_;
    std::atomic<std::uint64_t> told_{0};  // generation << 32 | index of what the daemon is to know; 0 = nothing
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> held_;  // (id, generation) -> handles here
};

}  // namespace muster::session

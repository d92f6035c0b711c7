#include "session/session.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace muster::session {
namespace {

std::atomic<std::uint64_t> serials{1};

}  // namespace

thread_local constinit Session::ThreadSlot Session::thread_slot;

// Every Session of the process, for the fork handlers. Never destroyed: a fork may come at any time.
struct Session::Registry {
    std::mutex mutex;
    std::vector<Session*> all;

    static Registry& get() {
        static Registry* registry = [] {
            auto* made = new Registry;
            ::pthread_atfork([] { get().before_fork(); }, [] { get().in_parent(); }, [] { get().in_child(); });
            return made;
        }();
        return *registry;
    }
    // No thread may be inside a Session when the process is copied, or the child finds its mutex locked for ever.
    void before_fork() {
        mutex.lock();
        for (Session* session : all) session->mutex_.lock();
    }
    void in_parent() {
        for (Session* session : all) session->mutex_.unlock();
        mutex.unlock();
    }
    void in_child() {
        forks.fetch_add(1, std::memory_order_relaxed);
        for (Session* session : all) {
            // Owned by the parent's thread id: begin anew.
            new (&session->mutex_) std::recursive_mutex;
            session->told_.store(0, std::memory_order_relaxed);
            session->after_fork();
        }
        mutex.unlock();
    }
};

// The slots of one thread, freed when it ends.
struct Session::ThreadSlots {
    struct Entry {
        std::weak_ptr<Session> session;
        ThreadSlot slot;
    };
    std::vector<Entry> entries;

    ~ThreadSlots() {
        thread_slot = {};
        for (const Entry& entry : entries) {
            if (entry.slot.epoch != fork_epoch()) continue;
            if (const auto session = entry.session.lock()) {
                try {
                    session->sessions_.free_slot(entry.slot.slot);
                } catch (...) {  // a damaged realm: nothing to free there
                }
            }
        }
    }
    static ThreadSlots& mine() {
        thread_local ThreadSlots slots;
        return slots;
    }
};

Session::Session(segment::Segment segment)
    : serial_(serials.fetch_add(1, std::memory_order_relaxed)), segment_(std::move(segment)), sessions_(segment_) {
    Registry& registry = Registry::get();
    const std::lock_guard hold(registry.mutex);
    registry.all.push_back(this);
}

Session::~Session() {
    {
        Registry& registry = Registry::get();
        const std::lock_guard hold(registry.mutex);
        std::erase(registry.all, this);
    }
    if (!current()) return;
    try {
        leave_objects();
        directory().release_all(id_.index);
        sessions_.free(id_);
    } catch (...) {  // damaged, or full: the daemon cleans up when this process ends
    }
}

// What others would otherwise have to find out.
void Session::leave_objects() noexcept {
    static constexpr std::chrono::milliseconds patience{50};
    const std::uint64_t last = std::min(directory().high_water(), segment_.regions().object_capacity);
    for (std::uint32_t id = 1; id <= last; ++id) {
        try {
            const heap::Ident ident = heap::Ident::unpack(heap::object_at(segment_, id).ident);
            if (ident.life != heap::Life::live || !sync::keeps_records(ident.kind)) continue;
            const heap::ObjectRef ref{id, ident.generation};
            (void)sync::drop_session(segment_, ref, ident.kind, id_, base::Deadline::after(patience));
        } catch (...) {  // busy or damaged: whoever waits there finds out
        }
    }
}

std::shared_ptr<Session> Session::local(segment::Segment segment) {
    return std::shared_ptr<Session>(new Session(std::move(segment)));
}

std::shared_ptr<Session> Session::attach(const Address& address, base::Deadline deadline) {
    auto control = std::make_unique<Control>(Control::connect(address, deadline));
    std::vector<base::UniqueFd> descriptors;
    const nlohmann::json reply =
        control->call("io.muster.service.Attach", nlohmann::json::object(), deadline, &descriptors);
    if (descriptors.size() != 1)
        throw Error(Errc::protocol, "attach", address.text(), "the daemon's reply brought no memory");
    auto segment = segment::Segment::open(std::move(descriptors.front()), reply.value("realm", std::string("realm")));
    std::shared_ptr<Session> session(new Session(std::move(segment)));
    session->address_ = address;
    session->control_ = std::move(control);
    session->control_epoch_ = fork_epoch();
    session->control_->on_reconnect([self = session.get()](Control& fresh) { self->tell(fresh); });
    return session;
}

Control& Session::control() {
    if (!address_) throw Error(Errc::invalid_argument, "call", "session", "this realm has no daemon");
    const std::lock_guard hold(mutex_);
    if (control_epoch_ != fork_epoch()) {
        auto fresh = std::make_unique<Control>(Control::connect(*address_));
        control_ = std::move(fresh);
        control_epoch_ = fork_epoch();
        control_->on_reconnect([this](Control& again) { tell(again); });
    }
    return *control_;
}

// Best effort: without it the daemon finds out about our death by its slow sweep, and waiters by their slices.
// Runs inside Control's calls, too, so it takes no lock of ours.
void Session::tell(Control& daemon) noexcept {
    const std::uint64_t id = told_.load(std::memory_order_relaxed);
    if (id == 0) return;
    try {
        daemon.oneway("io.muster.service.Register",
                      {{"session", static_cast<std::uint32_t>(id)}, {"generation", static_cast<std::uint32_t>(id >> 32)}});
    } catch (...) {
    }
}

// What the segment's layers throw, as an Error of this realm; tx::Busy is for those who set the limit to handle.
template <typename Fn>
auto Session::claiming(Fn&& fn) const {
    const auto error = [this](Errc code, const std::string& text) {
        return Error(code, "attach", "realm '" + segment_.name() + "'", text);
    };
    try {
        return fn();
    } catch (const sync::TooMany& many) {
        throw error(Errc::limit_exceeded, "all " + std::to_string(many.limit) + " " + many.what + " are taken");
    } catch (const segment::Damage& damage) {
        throw error(Errc::damaged, damage.what);
    }
}

sync::SessionId Session::claim_locked() {
    if (current()) return id_;
    id_ = claiming([&] { return sessions_.claim(sync::ProcessIdentity::self()); });
    claimed_ = true;
    claimed_epoch_ = fork_epoch();
    told_.store(std::uint64_t{id_.generation} << 32 | id_.index, std::memory_order_relaxed);
    if (address_) try {
            tell(control());
        } catch (const Error&) {  // not reachable now: told at the next connection
        }
    return id_;
}

sync::SessionId Session::id() {
    const std::lock_guard hold(mutex_);
    return claim_locked();
}

void Session::after_fork() noexcept {
    if (held_.empty()) return;
    try {
        const std::lock_guard hold(mutex_);
        const std::uint32_t parent = id_.index;
        claim_locked();
        for (const auto& [key, count] : held_) {
            const heap::ObjectRef ref{key.first, key.second};
            if (!directory().hold(ref, id_.index)) continue;
            if (heap::Ident::unpack(heap::object_at(segment_, ref.id).ident).kind == heap::Kind::pipe)
                containers::Pipe(segment_, ref).inherit(parent, id_.index);
        }
    } catch (...) {  // the handles will say `destroyed` when their objects go
    }
}

sync::SlotId Session::recall_slot() noexcept {
    for (const auto& entry : ThreadSlots::mine().entries)
        if (entry.slot.session == serial_ && entry.slot.epoch == fork_epoch()) return entry.slot.slot;
    return {};
}

sync::SlotId Session::find_slot() {
    auto& mine = ThreadSlots::mine().entries;
    std::erase_if(mine, [](const ThreadSlots::Entry& entry) {
        return entry.slot.epoch != fork_epoch() || entry.session.expired();
    });
    for (const auto& entry : mine)
        if (entry.slot.session == serial_) {
            thread_slot = entry.slot;
            return entry.slot.slot;
        }
    const std::lock_guard hold(mutex_);
    mine.reserve(mine.size() + 1);  // what has a slot remembers it
    const sync::SessionId self = claim_locked();
    const sync::SlotId slot =
        claiming([&] { return sessions_.claim_slot(self, static_cast<pid_t>(::syscall(SYS_gettid))); });
    const ThreadSlot fresh{serial_, fork_epoch(), slot};
    mine.push_back({weak_from_this(), fresh});
    thread_slot = fresh;
    return fresh.slot;
}

bool Session::hold(heap::ObjectRef ref) {
    const std::lock_guard hold(mutex_);
    const auto key = std::pair(ref.id, ref.generation);
    const auto found = held_.find(key);
    if (found != held_.end()) {
        ++found->second;
        return true;
    }
    decltype(held_) fresh;
    fresh.emplace(key, 1);  // what is held is remembered
    if (!directory().hold(ref, claim_locked().index)) return false;
    held_.merge(fresh);
    return true;
}

void Session::release(heap::ObjectRef ref) noexcept {
    try {
        const std::lock_guard hold(mutex_);
        const auto found = held_.find({ref.id, ref.generation});
        if (found == held_.end() || --found->second != 0) return;
        held_.erase(found);
        if (current()) directory().release(ref, id_.index);
    } catch (...) {  // damaged, or no memory for the clean-up: what is left goes with the session
    }
}

heap::ObjectRef Session::create(heap::Kind kind, const containers::Directory::Init& init) {
    const std::lock_guard hold(mutex_);
    decltype(held_) fresh;
    fresh.emplace(decltype(held_)::key_type{}, 1);
    auto remembered = fresh.extract(fresh.begin());
    const heap::ObjectRef ref = directory().create(kind, claim_locked().index, init);
    remembered.key() = {ref.id, ref.generation};
    held_.insert(std::move(remembered));
    return ref;
}

}  // namespace muster::session

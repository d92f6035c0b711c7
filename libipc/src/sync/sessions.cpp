#include "sync/sessions.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "sync/halves.hpp"

namespace muster::sync {
namespace {

std::uint64_t own_pid_namespace() noexcept {
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

// Where a PID namespace was entered and /proc is still another one's, its numbers mean other processes.
bool proc_has_our_numbers() noexcept {
    char number[32];
    const ssize_t size = ::readlink("/proc/self", number, sizeof number - 1);
    if (size <= 0) return false;
    number[size] = '\0';
    return std::strtol(number, nullptr, 10) == ::getpid();
}

std::uint64_t realtime_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// Of /proc/NAME; 0: it has ended, or is a zombie. None: this cannot be known here (no descriptor is left, or /proc
// hides the process), which is not the same.
std::optional<std::uint64_t> started(const char* name) noexcept {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%s/stat", name);
    const base::UniqueFd fd{::open(path, O_RDONLY | O_CLOEXEC)};
    if (!fd) return {};
    char text[1024];
    const ssize_t size = base::retry_interrupted([&] { return ::read(fd.get(), text, sizeof text - 1); });
    if (size < 0 && errno == ESRCH) return 0;
    if (size <= 0) return {};
    text[size] = '\0';
    const char* at = std::strrchr(text, ')');  // the name may hold anything, blanks and brackets too
    if (at == nullptr || at[1] == '\0') return {};
    ++at;
    std::uint64_t threads = 0;
    const char state = at[1];
    for (int field = 3; field < 22; ++field) {
        at = std::strchr(at + 1, ' ');
        if (at == nullptr) return {};
        if (field == 19) threads = std::strtoull(at + 1, nullptr, 10);
    }
    // A zombie is dead, unless only its first thread has ended.
    if ((state == 'Z' && threads <= 1) || state == 'X') return 0;
    return std::strtoull(at + 1, nullptr, 10);
}

std::optional<std::uint64_t> started(pid_t pid) noexcept {
    if (::kill(pid, 0) != 0 && errno == ESRCH) return 0;
    char name[16];
    std::snprintf(name, sizeof name, "%d", static_cast<int>(pid));
    return started(name);
}

}  // namespace

std::uint64_t process_start_time(pid_t pid) noexcept { return started(pid).value_or(0); }

ProcessIdentity ProcessIdentity::self() noexcept {
    return {::getpid(), started("self").value_or(0), own_pid_namespace()};
}

Sessions::Sessions(const Segment& segment)
    : segment_(segment),
      domain_(*segment.at<tx::DomainRep>(segment.regions().sessions_domain)),
      sessions_(segment.at<SessionRep>(segment.regions().sessions, segment::max_sessions)),
      slots_(segment.at<SlotRep>(segment.regions().slots, segment::max_slots)) {}

void Sessions::format() {
    tx::format(domain_, segment_.regions().domain_logs + 2 * segment::fixed_log_capacity * segment::log_entry_size,
               segment::fixed_log_capacity);
}

SessionId Sessions::claim(const ProcessIdentity& identity) {
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    for (std::uint32_t index = 0; index < segment::max_sessions; ++index) {
        SessionRep& rep = session(index);
        const std::uint64_t ident = rep.ident;
        if (low(ident) != 0) continue;
        const std::uint32_t generation = high(ident) + 1;
        Tx tx(segment_, domain_);
        tx.set(rep.pid, static_cast<std::uint64_t>(identity.pid));
        tx.set(rep.start_time, identity.start_time);
        tx.set(rep.pid_namespace, identity.pid_namespace);
        tx.set(rep.claimed_ns, realtime_ns());
        tx.set(rep.ident, pack(generation, static_cast<std::uint32_t>(SessionState::live)));
        tx.commit();
        return {index, generation};
    }
    throw TooMany{"sessions", segment::max_sessions};
}

void Sessions::free(SessionId id) {
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    SessionRep& rep = session(id.index);
    if (high(rep.ident) != id.generation || low(rep.ident) == 0) return;
    // Slots first: a crash in between leaves a live session with fewer slots, which is freed again later.
    for (std::uint32_t index = 0; index < segment::max_slots; ++index) {
        SlotRep& slot = slots_[index];
        if (low(slot.ident) != id.index + 1) continue;
        Tx tx(segment_, domain_);
        tx.set(slot.ident, pack(high(slot.ident), 0));
        tx.commit();
    }
    Tx tx(segment_, domain_);
    tx.set(rep.ident, pack(id.generation, static_cast<std::uint32_t>(SessionState::free)));
    tx.commit();
}

bool Sessions::is(SessionId id) const noexcept {
    return id.index < segment::max_sessions && session(id.index).ident == pack(id.generation, 1);
}

std::optional<Sessions::Info> Sessions::info(std::uint32_t index) const {
    if (index >= segment::max_sessions) return {};
    const SessionRep& rep = session(index);
    std::optional<Info> found;
    const auto copy = [&] {
        const std::uint64_t ident = rep.ident;
        found.reset();
        if (low(ident) == 0) return;
        found = Info{{index, high(ident)},
                     {static_cast<pid_t>(rep.pid.get()), rep.start_time, rep.pid_namespace},
                     rep.claimed_ns};
    };
    while (!tx::read_validated(domain_, copy)) {
        tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
        copy();
        break;
    }
    return found;
}

SlotId Sessions::claim_slot(SessionId id, pid_t tid) {
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    for (std::uint32_t index = 0; index < segment::max_slots; ++index) {
        SlotRep& slot = slots_[index];
        if (low(slot.ident) != 0) continue;
        std::uint32_t generation = high(slot.ident) + 1;
        if ((generation & ((1u << (SlotId::bits - SlotId::index_bits)) - 1)) == 0) ++generation;
        __atomic_store_n(&slot.wait[0], 0, __ATOMIC_RELAXED);  // of one who died waiting
        __atomic_store_n(&slot.moving, 0, __ATOMIC_RELAXED);  // nobody's yet
        Tx tx(segment_, domain_);
        tx.set(slot.tid, static_cast<std::uint64_t>(tid));
        tx.set(slot.session_generation, id.generation);
        tx.set(slot.ident, pack(generation, id.index + 1));
        tx.commit();
        return SlotId::make(index, generation);
    }
    throw TooMany{"threads", segment::max_slots};
}

void Sessions::free_slot(SlotId id) {
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    SlotRep& slot = slots_[id.index()];
    const std::uint64_t ident = slot.ident;
    if (low(ident) == 0 || SlotId::make(id.index(), high(ident)) != id) return;
    Tx tx(segment_, domain_);
    tx.set(slot.ident, pack(high(ident), 0));
    tx.commit();
}

std::optional<Sessions::Holder> Sessions::holder(SlotId id) const {
    if (!id || id.index() >= segment::max_slots) return {};
    const SlotRep& slot = slots_[id.index()];
    std::optional<Holder> found;
    const auto copy = [&] {
        const std::uint64_t ident = slot.ident;
        found.reset();
        const std::uint32_t index = low(ident) - 1;
        if (low(ident) == 0 || index >= segment::max_sessions || SlotId::make(id.index(), high(ident)) != id) return;
        found = Holder{{index, static_cast<std::uint32_t>(slot.session_generation.get())},
                       static_cast<pid_t>(session(index).pid.get()), static_cast<pid_t>(slot.tid.get())};
    };
    if (!tx::read_validated(domain_, copy)) {
        tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
        copy();
    }
    return found;
}

bool Sessions::in_use(SlotId slot) const noexcept {
    if (!slot || slot.index() >= segment::max_slots) return false;
    const std::uint64_t ident = slots_[slot.index()].ident;
    return low(ident) != 0 && SlotId::make(slot.index(), high(ident)) == slot;
}

// Slots are claimed from the front: behind one that never was (its ident is 0) nobody has ever been.
std::vector<SlotId> Sessions::slots() const {
    std::vector<SlotId> all;
    for (std::uint32_t index = 0; index < segment::max_slots && slots_[index].ident != 0; ++index)
        if (const std::uint64_t ident = slots_[index].ident; low(ident) != 0) all.push_back(SlotId::make(index, high(ident)));
    return all;
}

bool Sessions::any_moving() const noexcept {
    for (std::uint32_t index = 0; index < segment::max_slots && slots_[index].ident != 0; ++index)
        if (__atomic_load_n(&slots_[index].moving, __ATOMIC_ACQUIRE) != 0 && low(slots_[index].ident) != 0) return true;
    return false;
}

bool Sessions::belongs_to(SlotId slot, SessionId id) const {
    const auto found = holder(slot);
    return found && found->session == id;
}

bool Sessions::alive(SlotId slot) const {
    const auto found = holder(slot);
    if (!found) return false;
    const auto of = info(found->session.index);
    return of && of->id == found->session && alive(*of);
}

bool Sessions::alive(const Info& of) const {
    // Asked anew each time: the child of a fork may be in another namespace.
    if (of.identity.pid_namespace != own_pid_namespace() || !proc_has_our_numbers()) return true;
    const auto start = started(of.identity.pid);
    if (of.identity.start_time == 0) return start != 0u;  // it could not be told when it attached
    return !start || *start == of.identity.start_time;
}

bool owner_alive(const Sessions& sessions, std::uint64_t owner) {
    const auto of = sessions.info(static_cast<std::uint32_t>(owner) - 1);
    return of && of->id.generation == static_cast<std::uint32_t>(owner >> 32) && sessions.alive(*of);
}

std::uint32_t Sessions::count() const noexcept {
    std::uint32_t live = 0;
    for (std::uint32_t index = 0; index < segment::max_sessions; ++index)
        if (low(session(index).ident) != 0) ++live;
    return live;
}

}  // namespace muster::sync

// Who is attached: a session for each process, a slot for each of its threads. Claimed by the clients themselves in
// the segment, so that attaching a thread or a forked child needs no server.
//
// I10: identity is pid + start time + PID namespace + generation. A slot id carries the low bits of its generation,
// so that a word which names a dead thread is never taken for its successor's.
// Domain: sessions (its own; nothing nests inside it). Thread safety: any thread of any process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "tx/tx.hpp"

namespace muster::sync {

using segment::Segment;
using tx::Cell;
using tx::Tx;

enum class SessionState : std::uint32_t { free = 0, live = 1 };

struct SessionRep {
    Cell<std::uint64_t> ident;       // generation << 32 | state
    Cell<std::uint64_t> pid;         // as the process sees itself
    Cell<std::uint64_t> start_time;  // /proc/PID/stat field 22
    Cell<std::uint64_t> pid_namespace;  // inode
    Cell<std::uint64_t> claimed_ns;  // CLOCK_REALTIME
    std::uint64_t reserved[11];
};
static_assert(sizeof(SessionRep) == segment::session_size);

struct SlotRep {
    Cell<std::uint64_t> ident;    // generation << 32 | (session index + 1), low half 0 = free
    Cell<std::uint64_t> tid;
    Cell<std::uint64_t> session_generation;
    std::uint64_t wait[3];  // what the thread waits for, the thread's own to write (wait_graph.hpp); no domain
    std::uint64_t joint_decided;  // tx/joint.hpp; goes on where the slot's last thread ended
    std::uint64_t reserved3[2];
    std::uint64_t moving;         // not 0 while the thread has values in its hands that no object has (handles/nesting.hpp)
    std::uint64_t reserved[6];
};
static_assert(sizeof(SlotRep) == segment::slot_size && offsetof(SlotRep, joint_decided) == segment::slot_joint_decided);

// A thread as lock words name it: 12 bits index, 18 bits generation; 0 = nobody.
class SlotId {
  public:
    static constexpr unsigned index_bits = 12, bits = 30;
    static_assert(segment::max_slots <= 1u << index_bits);

    constexpr SlotId() noexcept = default;
    constexpr explicit SlotId(std::uint32_t word) noexcept : word_(word) {}
    static constexpr SlotId make(std::uint32_t index, std::uint32_t generation) noexcept {
        // A generation whose 18 bits are zero is never given out, so that no id is 0.
        return SlotId{(generation << index_bits | index) & ((1u << bits) - 1)};
    }
    constexpr std::uint32_t word() const noexcept { return word_; }
    constexpr std::uint32_t index() const noexcept { return word_ & ((1u << index_bits) - 1); }
    constexpr std::uint32_t generation_bits() const noexcept { return word_ >> index_bits; }
    constexpr explicit operator bool() const noexcept { return word_ != 0; }
    friend constexpr bool operator==(SlotId, SlotId) noexcept = default;

  private:
    std::uint32_t word_ = 0;
};

struct SessionId {
    std::uint32_t index = 0, generation = 0;
    friend bool operator==(const SessionId&, const SessionId&) = default;
};

struct ProcessIdentity {
    pid_t pid = 0;
    std::uint64_t start_time = 0, pid_namespace = 0;
    static ProcessIdentity self() noexcept;
};
std::uint64_t process_start_time(pid_t pid) noexcept;  // 0: there is no such process, or it is a zombie

struct TooMany {
    const char* what;
    std::uint32_t limit;
};

class Sessions {
  public:
    explicit Sessions(const Segment& segment);
    void format();

    SessionId claim(const ProcessIdentity& identity);  // throws TooMany
    // Frees the session and its slots. What they held must have been released before.
    void free(SessionId session);
    bool is(SessionId session) const noexcept;
    struct Info {
        SessionId id;
        ProcessIdentity identity;
        std::uint64_t claimed_ns = 0;
    };
    std::optional<Info> info(std::uint32_t index) const;  // of a live session

    SlotId claim_slot(SessionId session, pid_t tid);  // throws TooMany
    void free_slot(SlotId slot);
    struct Holder {
        SessionId session;
        pid_t pid = 0, tid = 0;
    };
    // Who that is; nothing when the slot has been freed (its thread has ended).
    std::optional<Holder> holder(SlotId slot) const;
    bool belongs_to(SlotId slot, SessionId session) const;
    // What the slot's thread says that it waits for. The slot may have become another's: its generation tells.
    std::uint64_t* wait_of(SlotId slot) const noexcept { return slots_[slot.index() % segment::max_slots].wait; }
    bool in_use(SlotId slot) const noexcept;
    // Of every slot in use.
    std::vector<SlotId> slots() const;
    // Is the slot of that index the session's, whatever the slot's generation?
    bool has_slot(SessionId session, std::uint64_t index) const noexcept {
        return index < segment::max_slots && static_cast<std::uint32_t>(slots_[index].ident.get()) == session.index + 1;
    }

    // Not 0 while the thread takes values out of an object and does not hold yet what the handles in them name. The
    // thread's own to write; 0 in a new slot.
    std::uint64_t& moving(SlotId slot) const noexcept { return slots_[slot.index()].moving; }
    bool any_moving() const noexcept;  // of all attached threads

    // Is the thread's process still there? Where this cannot be known (across PID namespaces, behind a strange /proc,
    // without a free descriptor) the answer is yes: then only the service's pidfd tells.
    bool alive(SlotId slot) const;
    bool alive(const Info& session) const;

    std::uint32_t count() const noexcept;

  private:
    SessionRep& session(std::uint32_t index) const { return sessions_[index]; }
    const Segment& segment_;
    tx::DomainRep& domain_;
    SessionRep* sessions_;
    SlotRep* slots_;
};

// An owner as leases and the like name it: generation << 32 | index + 1. Is its process still there? As alive().
bool owner_alive(const Sessions& sessions, std::uint64_t owner);

}  // namespace muster::sync

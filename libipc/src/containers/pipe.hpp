// The pipe under Connection: two ends, and messages to each of them; who has an end, so that its death is seen.
//
// A session has an end as its user (it has sent, received or polled there) or as its heir: it made the pipe, or got a
// handle to the end by fork, and has not used it yet. An end is gone when it was used or inherited and nobody has it any
// more but perhaps the asking session as an heir: its own copy of the other end, which it never uses, keeps nobody
// waiting. Sessions are named by their index: whoever frees a session takes it out of its pipes first.
//
// Transactions log at most 30 words. Thread safety: every call takes the object's lock.
// Throws heap::Destroyed, heap::OutOfMemory (nothing has changed), tx::Busy, segment::Damage.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "containers/fifo.hpp"

namespace muster::containers {

using heap::ObjectLock;
using heap::ObjectRef;
using heap::ObjectRep;

// One bit for each session.
struct PipeEndRep {
    std::array<Cell<std::uint64_t>, heap::holder_words> users, heirs;
};
static_assert(sizeof(PipeEndRep) == 256);

// In ObjectRep::root.
struct PipeRep {
    std::array<FifoRep, 2> to;   // the messages for end 0, for end 1
    Cell<std::uint64_t> flags;   // bit 0, 1: the end was once used or inherited
    Cell<std::int64_t> maxsize;  // messages to one end; 0 and less: no bound
    Cell<std::uint64_t> ends;    // PipeEndRep[2]; constant
    Cell<std::uint64_t> duplex;  // 0: end 0 receives, end 1 sends; constant
};
static_assert(sizeof(PipeRep) == 128);

class Pipe {
  public:
    // kept: the message stays where it is.
    enum class Result { ok, full, empty, gone, too_long, kept };

    Pipe(const Segment& segment, ObjectRef ref) : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}
    // For Directory's Init: the maker is the heir of both ends.
    static void init(const Segment& segment, ObjectRep& object, bool duplex, std::int64_t maxsize, std::uint32_t maker);

    bool duplex() const noexcept { return rep().duplex != 0; }
    bool receives(unsigned end) const noexcept { return duplex() || end == 0; }
    bool sends(unsigned end) const noexcept { return duplex() || end == 1; }

    // From this end to the other one. ok, full, gone (the other end).
    Result send(unsigned end, Bytes message, std::uint32_t self);
    // The first message for this end, at most `most` bytes, goes if `accept(number, copy)`, under the lock, is true; `copy()`
    // copies it to `out`. Each message has another number. ok, empty, gone (and empty), too_long (it stays), kept.
    template <typename Out, typename Accept>
    Result receive(unsigned end, Out& out, std::uint64_t most, std::uint32_t self, Accept&& accept) {
        ObjectLock lock(segment_, ref_);
        Fifo messages = fifo(end);
        if (messages.size() == 0) return is_gone(1 - end, self) ? Result::gone : Result::empty;
        const Fifo::Record record = messages.front();
        if (record.size > most) return Result::too_long;
        const auto room = [&] { return out.resize(static_cast<std::size_t>(record.size)); };
        if (!accept(rep().to[end].gets.get(), [&] { messages.copy_out(record, room()); })) return Result::kept;
        take(lock, messages, record);
        return Result::ok;
    }
    template <typename Out>
    Result receive(unsigned end, Out& out, std::uint64_t most, std::uint32_t self) {
        return receive(end, out, most, self, [](std::uint64_t, const auto& copy) {
            copy();
            return true;
        });
    }
    // What receive would say: ok, empty, gone.
    Result poll(unsigned end, std::uint32_t self) const;
    bool looks_empty(unsigned end) const noexcept { return rep().to[end].puts == rep().to[end].gets; }
    bool looks_full(unsigned end) const noexcept {
        const std::int64_t bound = rep().maxsize;
        const FifoRep& to = rep().to[1 - end];
        return bound > 0 && to.puts - to.gets >= static_cast<std::uint64_t>(bound);
    }

    // The session uses the end from now on.
    void attach(unsigned end, std::uint32_t session);
    // A forked child has what its parent has.
    void inherit(std::uint32_t parent, std::uint32_t child);
    // It has the end no longer.
    void leave(unsigned end, std::uint32_t session);
    // It has neither end any longer: it is dead. `still` is asked under the lock whether the index is its own still.
    // False: it had none.
    bool leave_dead(std::uint32_t session, const std::function<bool()>& still = {},
                    base::Deadline deadline = base::Deadline::never());
    // Who has an end, without a lock: for those who look whether they live.
    std::vector<std::uint32_t> sessions() const;

    std::uint64_t size() const noexcept {
        return rep().to[0].puts - rep().to[0].gets + (rep().to[1].puts - rep().to[1].gets);
    }
    // The messages of both ways, as of one moment, under the lock.
    void for_each(const std::function<void(Bytes message)>& each, base::Deadline deadline) const;
    void verify(const std::function<void(std::string)>& violation) const;

  private:
    PipeRep& rep() const noexcept { return heap::root_of<PipeRep>(object_); }
    Fifo fifo(unsigned end) const noexcept { return {segment_, rep().to[end]}; }
    PipeEndRep& end_rep(unsigned end) const { return segment_.block<PipeEndRep>(rep().ends, 2)[end]; }
    bool is_gone(unsigned end, std::uint32_t self) const;
    void take(ObjectLock& lock, Fifo& messages, const Fifo::Record& record);
    void clear_bits(Tx& tx, unsigned end, std::uint32_t session);

    const Segment& segment_;
    ObjectRep& object_;
    ObjectRef ref_;
};

}  // namespace muster::containers

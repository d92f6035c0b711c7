#include <muster/pipe.hpp>

#include <atomic>

#include "handles/nesting.hpp"
#include "handles/wait_source.hpp"
#include "handles/waiting.hpp"

namespace muster::detail {

using containers::Pipe;
using PipeResult = Pipe::Result;

// What the copies of a handle share. A forked child has a copy of its own.
struct PipeEnd {
    std::shared_ptr<ObjectState> state;
    unsigned end;
    std::atomic<std::uint32_t> attached{0};  // the fork epoch in which this process became a user
    std::atomic<bool> closed{false};
    std::atomic<std::int64_t> looked{0};  // when this process last looked whether the others live

    PipeEnd(std::shared_ptr<ObjectState> of, unsigned which) : state(std::move(of)), end(which) {}
    PipeEnd(const PipeEnd&) = delete;
    PipeEnd& operator=(const PipeEnd&) = delete;
    ~PipeEnd() {
        try {
            close();
        } catch (...) {  // damaged or destroyed: nothing to leave
        }
    }

    // Of the object's wait points: messages for the end, and room for what it sends.
    std::size_t messages_point() const noexcept { return end; }
    std::size_t room_point() const noexcept { return 2 + end; }
    std::size_t peer_messages_point() const noexcept { return 1 - end; }
    std::size_t peer_room_point() const noexcept { return 2 + (1 - end); }

    Pipe pipe() const { return {state->segment(), state->ref}; }
    std::uint32_t self() const { return state->session->id().index; }
    std::string subject() const { return state->subject() + ", end " + std::to_string(end); }
    void notify(std::size_t point) const { sync::WaitPoint(state->object().wait_points[point]).notify(1); }
    void notify_all() const {
        for (std::uint32_t& point : state->object().wait_points) sync::WaitPoint(point).notify_all();
    }

    // Before any use. Returns this process.
    std::uint32_t enter(const char* operation, bool may) {
        if (closed) throw Error(Errc::closed, operation, subject());
        if (!may)
            throw Error(Errc::invalid_argument, operation, subject(),
                        pipe().sends(end) ? "this end only sends" : "this end only receives");
        const std::uint32_t session = self();
        if (attached.load(std::memory_order_relaxed) != session::fork_epoch()) {
            pipe().attach(end, session);
            attached.store(session::fork_epoch(), std::memory_order_relaxed);
            look_around();
        }
        return session;
    }
    void close() {
        if (closed.exchange(true)) return;
        guarded(*state, "close", [&] { pipe().leave(end, self()); });
        notify_all();
    }
    // Takes the dead out. Without the service nobody else does.
    void look_around() {
        const sync::Sessions& sessions = state->session->sessions();
        looked = now();
        bool any = false;
        for (const std::uint32_t index : pipe().sessions()) {
            const auto info = sessions.info(index);
            if (!info || sessions.alive(*info)) continue;
            any = pipe().leave_dead(index, [&] { return sessions.is(info->id); }) || any;
        }
        if (any) notify_all();
    }
    void look_around_sometimes() {
        constexpr std::int64_t slice = std::chrono::nanoseconds(sync::wait_slice).count();
        if (now() - looked.load(std::memory_order_relaxed) > slice) look_around();
    }
    static std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
};

std::shared_ptr<PipeEnd> ConnectionBase::end_of(std::shared_ptr<ObjectState> pipe, unsigned end) {
    return std::make_shared<PipeEnd>(std::move(pipe), end);
}

void init_pipe(const segment::Segment& segment, heap::ObjectRep& object, bool duplex, std::int64_t maxsize,
               std::uint32_t maker) {
    Pipe::init(segment, object, duplex, maxsize, maker);
}

bool ConnectionBase::readable() const { return end_->pipe().receives(end_->end); }
bool ConnectionBase::writable() const { return end_->pipe().sends(end_->end); }
bool ConnectionBase::closed() const noexcept { return end_->closed; }
void ConnectionBase::close() { end_->close(); }

bool ConnectionBase::send(Bytes message, Timeout timeout) const {
    const ObjectState& state = *end_->state;
    check_size(state, "send", "a message", message.size(), max_message);
    check_timeout(state, "send", timeout);
    const Entering entering(state, "send", message);
    return guarded(state, "send", [&] {
        const std::uint32_t self = end_->enter("send", writable());
        end_->look_around_sometimes();
        Pipe pipe = end_->pipe();
        const auto attempt = [&] {
            switch (pipe.send(end_->end, message, self)) {
                case PipeResult::ok: return true;
                case PipeResult::gone:
                    throw Error(Errc::broken_pipe, "send", end_->subject(), "nobody has the other end any more");
                default: return false;
            }
        };
        const auto blocked = [&] { return pipe.looks_full(end_->end); };
        if (!wait_until_done(state, end_->room_point(), timeout, attempt, blocked, [&] { end_->look_around(); })) return false;
        end_->notify(end_->peer_messages_point());
        return true;
    });
}

bool ConnectionBase::recv(const Taker& taker, std::size_t most, Timeout timeout) const {
    const ObjectState& state = *end_->state;
    check_timeout(state, "recv", timeout);
    return guarded(state, "recv", [&] {
        const std::uint32_t self = end_->enter("recv", readable());
        Pipe pipe = end_->pipe();
        Buffer message;
        std::shared_ptr<Kept> handles;
        std::optional<std::uint64_t> decoded;  // its number
        // Decoded before it is gone.
        const auto accept = [&](std::uint64_t number, const auto& copy) {
            if (decoded == number) return true;
            copy();
            decoded = number;
            if (has_handles(state) || !taker.may_run_locked(message.size())) return false;
            taker(0, message.bytes());
            return true;
        };
        const auto receive = [&] {
            for (;;) {
                const PipeResult result = pipe.receive(end_->end, message, most, self, accept);
                if (result != PipeResult::kept) return result;
                if (hold_copy(state, handles, message))
                    taker(0, message.bytes());
                else
                    decoded.reset();
            }
        };
        const auto attempt = [&] {
            switch (receive()) {
                case PipeResult::ok: return true;
                case PipeResult::gone:
                    throw Error(Errc::end_of_file, "recv", end_->subject(), "nobody has the other end any more");
                case PipeResult::too_long:
                    throw Error(Errc::limit_exceeded, "recv", end_->subject(),
                                "the message is longer than " + std::to_string(most) + " bytes");
                default: return false;
            }
        };
        const auto blocked = [&] { return pipe.looks_empty(end_->end); };
        try {
            if (!wait_until_done(state, end_->messages_point(), timeout, attempt, blocked, [&] { end_->look_around(); }))
                return false;
        } catch (...) {
            end_->notify(end_->messages_point());  // it may be another receiver's
            throw;
        }
        end_->notify(end_->peer_room_point());
        return true;
    });
}

bool ConnectionBase::poll_within(Timeout timeout) const {
    const ObjectState& state = *end_->state;
    check_timeout(state, "poll", timeout);
    return guarded(state, "poll", [&] {
        const std::uint32_t self = end_->enter("poll", readable());
        Pipe pipe = end_->pipe();
        end_->look_around_sometimes();
        const auto attempt = [&] { return pipe.poll(end_->end, self) != PipeResult::empty; };
        const auto blocked = [&] { return pipe.looks_empty(end_->end); };
        if (!wait_until_done(state, end_->messages_point(), timeout, attempt, blocked, [&] { end_->look_around(); }))
            return false;
        end_->notify(end_->messages_point());  // the wake-up may have been a receiver's
        return true;
    });
}

namespace {

// For wait_any: a message, or the end.
class MessageSource final : public PointSource {
  public:
    explicit MessageSource(std::shared_ptr<PipeEnd> end) : PointSource(end->state, end->messages_point()), end_(std::move(end)) {}
    void look_around() override {
        guarded(*state_, "wait_any", [&] { end_->look_around(); });
    }

  private:
    bool look() override {
        const std::uint32_t self = end_->enter("wait_any", end_->pipe().receives(end_->end));
        end_->look_around_sometimes();
        return end_->pipe().poll(end_->end, self) != PipeResult::empty;
    }
    const std::shared_ptr<PipeEnd> end_;
};

}  // namespace

std::shared_ptr<WaitSource> ConnectionBase::wait_source() const { return std::make_shared<MessageSource>(end_); }

std::string ConnectionBase::recv_bytes(std::size_t most) const {
    std::string message;
    const auto make = [&](std::size_t, const Encoded& bytes, const Encoded&) {
        message.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    (void)recv(Taker(make, true), most, {});
    return message;
}

}  // namespace muster::detail

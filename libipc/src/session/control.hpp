// The client's end of the control path: Varlink calls to the daemon over its Unix socket.
//
// Thread safety: any thread may call anything; a call made while another thread's is under way takes a
// connection of its own. The daemon sees the oneways of a Control in their order, and before the later calls
// of the same thread. A Control belongs to the process that made it: in a forked child every call throws
// invalid_argument, and the child makes its own (destroying the inherited one is allowed and disturbs
// nobody).
//
// The service may be killed at any time; the listening socket stays, and the next service answers within
// milliseconds. So a call that may be repeated is repeated when its connection breaks, until its deadline
// (and for default_patience at most where it breaks again and again). One that may not be repeated (Spawn,
// Signal, Erase, Ended, Shutdown) is so only when the daemon surely has not read it. What oneway() handed
// over is lost when the service dies before it reads it; on_reconnect() is there to say it again.
//
// Errors, besides those the daemon answers with (reply_error.hpp): `unreachable` when nobody listens, nobody
// answers before the deadline, or the connection broke for good; `refused` when the socket may not be opened;
// `protocol` when what comes back is not Varlink.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/base.hpp"
#include "session/address.hpp"
#include "session/reply_error.hpp"

namespace muster::session {

class Control {
  public:
    static constexpr std::chrono::nanoseconds default_patience = std::chrono::seconds(5);
    static constexpr std::size_t reply_limit = std::size_t{64} << 20;  // bytes of one reply
    static constexpr std::size_t unsent_limit = std::size_t{1}
                                                << 16;   // bytes of oneways the daemon has not taken yet
    static constexpr std::size_t descriptor_limit = 16;  // with one reply

    // Connects at once. That somebody listens is all it proves: connecting succeeds, too, when the service is
    // stopped or just being replaced.
    static Control connect(Address address,
                           base::Deadline deadline = base::Deadline::after(default_patience));

    Control(Control&&) noexcept;
    Control& operator=(Control&&) noexcept;
    ~Control();

    const Address& address() const noexcept;

    // Calls "INTERFACE.Method" with an object of parameters and waits for the reply's parameters. Descriptors
    // that come with the reply are put into `descriptors`, or closed.
    nlohmann::json call(std::string_view method, const nlohmann::json& parameters,
                        base::Deadline deadline = base::Deadline::after(default_patience),
                        std::vector<base::UniqueFd>* descriptors = nullptr);

    // Sends without waiting for anything: not for a reply, not for room in the socket, not for a stopped
    // service. False when it could not be handed over (no daemon, or unsent_limit reached); nothing is thrown
    // then.
    bool oneway(std::string_view method, const nlohmann::json& parameters);

    // A `more` call on a connection of its own. `each` gets the parameters of each reply and returns whether
    // it wants another. True when it did not or the daemon ended the stream, false when the deadline passed
    // first. When the connection breaks it subscribes anew, so a first reply (the snapshot) may come again.
    bool stream(std::string_view method, const nlohmann::json& parameters,
                const std::function<bool(const nlohmann::json&)>& each,
                base::Deadline deadline = base::Deadline::never());

    // `hook` runs after each further connection that this object makes for calls, before anything else is
    // sent on it. It may use oneway() of the Control it gets, nothing else.
    void on_reconnect(std::function<void(Control&)> hook);

  private:
    struct Impl;
    explicit Control(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

// May `method` be carried out twice without harm?
bool may_repeat(std::string_view method) noexcept;

}  // namespace muster::session

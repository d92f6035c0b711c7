// One call of a client, from its arrival to its last reply.
//
// A handler gets it as a shared_ptr and may answer at once or later. Exactly one of reply() and fail() ends it;
// before that a call made with `more` may get any number of reply_more(). A call that is dropped unanswered fails by
// itself, so that no client waits for ever. Replies to a oneway call, and to one whose client is gone, go nowhere.
// Thread safety: the service's one thread.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "service/server/peer.hpp"
#include "service/server/varlink_parser.hpp"

namespace muster::service {

inline constexpr std::size_t max_echo = 1024;  // bytes of a text in an error

// A connection, as calls see it.
class ReplySink {
  public:
    virtual ~ReplySink() = default;
    // `frame` is the JSON text without its NUL. `last` says that the call is finished.
    virtual void send(std::string frame, base::UniqueFd fd, bool last) = 0;
};

// Thrown by handlers: becomes an error reply.
class CallError : public std::exception {
  public:
    CallError(std::string name, const nlohmann::json& parameters);
    const std::string& name() const noexcept { return name_; }
    const nlohmann::json& parameters() const noexcept { return *parameters_; }
    const char* what() const noexcept override { return name_.c_str(); }

  private:
    std::string name_;
    std::shared_ptr<const nlohmann::json> parameters_;
};

// org.varlink.service.InvalidParameter
CallError invalid_parameter(const std::string& path, const std::string& reason);

// LimitExceeded of `interface`; `key` is what raises the limit in the configuration file, empty when nothing does.
CallError limit_exceeded(const std::string& interface, const std::string& what, std::size_t limit,
                         const std::string& key);

class Call {
  public:
    Call(Message message, std::shared_ptr<const Peer> peer, std::weak_ptr<ReplySink> sink);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    const std::string& method() const noexcept { return message_.method; }
    const nlohmann::json& parameters() const noexcept { return *message_.parameters; }
    // Its handler has returned: a call that waits costs no message any more.
    void forget_parameters() noexcept { message_.parameters.reset(); }
    const Peer& peer() const noexcept { return *peer_; }
    std::shared_ptr<const Peer> shared_peer() const noexcept { return peer_; }
    bool wants_more() const noexcept { return message_.more; }
    bool oneway() const noexcept { return message_.oneway; }
    bool upgrade() const noexcept { return message_.upgrade; }

    void reply(const nlohmann::json& parameters, base::UniqueFd fd = {});
    void reply_more(const nlohmann::json& parameters);
    // The reply of a method that returns nothing: made before what it tells is done, as that must not be done and then not
    // be told. Sending it needs no memory.
    auto acknowledgement() {
        return [this, frame = empty_reply()]() mutable { send_text(std::move(frame), {}, true); };
    }
    void fail(const std::string& error, const nlohmann::json& parameters);
    bool finished() const noexcept { return finished_; }

    // Called at most once, when the client goes away before the last reply.
    void on_abandoned(std::function<void()> action) { abandoned_action_ = std::move(action); }
    void abandon() noexcept;  // by the connection
    bool abandoned() const noexcept { return abandoned_; }

  private:
    static std::string empty_reply();
    void send(std::string frame, const nlohmann::json& parameters, base::UniqueFd fd, bool last);  // `frame` up to them
    void send_text(std::string text, base::UniqueFd fd, bool last);

    Message message_;
    std::shared_ptr<const Peer> peer_;
    std::weak_ptr<ReplySink> sink_;
    std::function<void()> abandoned_action_;
    bool finished_ = false, abandoned_ = false;
};

}  // namespace muster::service

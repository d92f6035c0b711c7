#include "session/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "session/connection.hpp"

namespace muster::session {
namespace {

using namespace std::chrono_literals;
using base::Deadline;
using nlohmann::json;
using Clock = Deadline::Clock;

std::string encode(std::string_view method, const json& parameters, const char* flag) {
    try {
        std::string message = "{\"method\":" + json(method).dump();
        if (!parameters.is_null()) message += ",\"parameters\":" + parameters.dump();
        if (flag != nullptr) message += ",\"" + std::string(flag) + "\":true";
        return message += '}';
    } catch (const json::exception&) {
        throw Error(Errc::invalid_argument, "send", one_line(method), "a text in it is not UTF-8");
    }
}

json decode(const std::string& text, std::string_view method, bool* continues) {
    json message = json::parse(text, nullptr, false);
    const auto wrong = [&](const char* why) {
        return Error(Errc::protocol, "receive", one_line(method), std::string(why) + ": is this musterd?");
    };
    if (!message.is_object()) throw wrong("the reply is not a JSON object");
    json parameters = json::object();
    if (const auto found = message.find("parameters"); found != message.end() && !found->is_null())
        parameters = std::move(*found);
    if (!parameters.is_object()) throw wrong("the reply's parameters are not an object");
    if (const auto error = message.find("error"); error != message.end() && !error->is_null()) {
        if (!error->is_string()) throw wrong("the reply's error is not a name");
        throw reply_error(error->get_ref<const std::string&>(), parameters, method);
    }
    const auto more = message.find("continues");
    *continues = more != message.end() && more->is_boolean() && more->get<bool>();
    return parameters;
}

std::string seconds(Clock::duration time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f s", std::chrono::duration<double>(time).count());
    return text.data();
}

// How long breaking connections are borne: default_patience from the first in a row. One that held for a
// while begins a new row.
class Patience {
  public:
    // True when another attempt is due, after a short pause.
    bool another(Deadline deadline, Clock::time_point connected) {
        const auto now = Clock::now();
        if (row_ == 0 || now - connected > 1s) {
            until_ = now + Control::default_patience;
            row_ = 0;
        }
        if (deadline.passed() || now >= until_) return false;
        const auto pause = row_ == 0 ? 0ms : std::min(200ms, 5ms * (1 << std::min(row_, 6)));
        ++row_;
        if (pause > 0ms) std::this_thread::sleep_for(deadline.left(pause));
        return true;
    }

  private:
    int row_ = 0;
    Clock::time_point until_{};
};

}  // namespace

bool may_repeat(std::string_view method) noexcept {
    constexpr std::array once{"io.muster.processes.Spawn", "io.muster.processes.Signal",
                              "io.muster.processes.Ended", "io.muster.objects.Erase",
                              "io.muster.service.Shutdown"};
    return std::find(once.begin(), once.end(), method) == once.end();
}

struct Control::Impl {
    explicit Impl(Address where) : address(std::move(where)) {}

    const Address address;
    const pid_t process = ::getpid();
    std::recursive_mutex
        mutex;  // guards the rest; recursive for the hook's oneway(). Never held while waiting
    std::shared_ptr<Connection> main;
    bool main_busy = false;  // a call waits for its reply on it
    bool greeting = false;   // the hook runs
    std::function<void(Control&)> hook;

    void check_process() const {
        if (::getpid() != process)
            throw Error(Errc::invalid_argument, "call", address.text(),
                        "this connection belongs to the parent process");
    }

    void drop(const std::shared_ptr<Connection>& connection) noexcept {
        connection->abandon();
        const std::lock_guard hold(mutex);
        if (main == connection) main.reset();
    }

    // With the mutex held: makes `fresh` the main connection.
    void adopt(Control& self, std::shared_ptr<Connection> fresh) {
        main = std::move(fresh);
        if (!hook) return;
        greeting = true;
        try {
            hook(self);
        } catch (...) {
            greeting = false;
            throw;
        }
        greeting = false;
    }

    std::shared_ptr<Connection> main_connection(Control& self, Deadline deadline) {
        {
            const std::lock_guard hold(mutex);
            if (main) return main;
        }
        auto fresh = std::make_shared<Connection>(address, deadline);
        const std::lock_guard hold(mutex);
        if (!main) adopt(self, std::move(fresh));
        return main ? main
                    : throw Error(Errc::unreachable, "connect", address.text(),
                                  "the connection broke at once");
    }

    [[noreturn]] void no_answer(std::string_view method, Clock::duration waited) const {
        throw Error(Errc::unreachable, operation_of(method), address.text(),
                    "no answer within " + seconds(waited) + ": the daemon is stopped or overloaded");
    }
    [[noreturn]] void broke(std::string_view method, bool perhaps_done) const {
        throw Error(Errc::unreachable, operation_of(method), address.text(),
                    perhaps_done
                        ? "the connection broke before the reply; it may have been carried out: look first, "
                          "then try again"
                        : "the connection broke again and again: see the daemon's log");
    }
};

Control::Control(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Control::Control(Control&&) noexcept = default;
Control& Control::operator=(Control&&) noexcept = default;
Control::~Control() = default;

const Address& Control::address() const noexcept { return impl_->address; }

Control Control::connect(Address address, Deadline deadline) {
    auto impl = std::make_unique<Impl>(std::move(address));
    impl->main = std::make_shared<Connection>(impl->address, deadline);
    return Control(std::move(impl));
}

void Control::on_reconnect(std::function<void(Control&)> hook) {
    impl_->check_process();
    const std::lock_guard hold(impl_->mutex);
    impl_->hook = std::move(hook);
}

json Control::call(std::string_view method, const json& parameters, Deadline deadline,
                   std::vector<base::UniqueFd>* descriptors) {
    Impl& my = *impl_;
    my.check_process();
    const std::string message = encode(method, parameters, nullptr);
    const auto began = Clock::now();

    struct Claim {  // of the main connection, for this call
        Impl& impl;
        bool got;
        explicit Claim(Impl& owner) : impl(owner) {
            const std::lock_guard hold(impl.mutex);
            got = !std::exchange(impl.main_busy, true);
        }
        ~Claim() {
            if (!got) return;
            const std::lock_guard hold(impl.mutex);
            impl.main_busy = false;
        }
    } const claim(my);

    for (Patience patience;;) {
        const auto connection = claim.got ? my.main_connection(*this, deadline)
                                          : std::make_shared<Connection>(my.address, deadline);
        const auto connected = Clock::now();
        const auto end = connection->queue(message);
        std::string text;
        auto got = Connection::Got::late;
        try {
            got = connection->receive(text, deadline);
        } catch (...) {
            my.drop(connection);
            throw;
        }
        if (got == Connection::Got::message) {
            auto received = connection->take_descriptors();
            bool continues = false;
            json reply = decode(text, method, &continues);
            if (continues) {
                my.drop(connection);
                throw Error(Errc::protocol, "receive", one_line(method),
                            "a stream where one reply was asked for");
            }
            if (descriptors != nullptr) *descriptors = std::move(received);
            return reply;
        }
        my.drop(connection);  // a late reply must not be taken for the next call's
        if (got == Connection::Got::late) my.no_answer(method, Clock::now() - began);
        if (!may_repeat(method) && !connection->unread_by_peer(end)) my.broke(method, true);
        if (!patience.another(deadline, connected)) my.broke(method, false);
    }
}

bool Control::oneway(std::string_view method, const json& parameters) {
    Impl& my = *impl_;
    if (::getpid() != my.process) return false;
    try {
        const std::string message = encode(method, parameters, "oneway");
        const std::lock_guard hold(my.mutex);
        for (int attempt = 0; attempt < 2; ++attempt) {
            if (!my.main && !my.greeting)
                my.adopt(*this, std::make_shared<Connection>(my.address, Deadline::now()));
            const auto connection = my.main;
            if (!connection || connection->unsent() + message.size() > unsent_limit) return false;
            connection->queue(message);
            if (connection->flush()) return true;
            my.drop(connection);  // wakes the call that waits on it, if any
            if (my.greeting) return false;
        }
    } catch (const std::exception&) {
    }
    return false;
}

bool Control::stream(std::string_view method, const json& parameters,
                     const std::function<bool(const json&)>& each, Deadline deadline) {
    Impl& my = *impl_;
    my.check_process();
    const std::string message = encode(method, parameters, "more");
    for (Patience patience;;) {
        Connection connection(my.address, deadline.earlier(Deadline::after(default_patience)));
        const auto connected = Clock::now();
        connection.queue(message);
        for (std::string text;;) {
            const auto got = connection.receive(text, deadline);
            if (got == Connection::Got::late) return false;
            if (got == Connection::Got::broken) break;
            connection.take_descriptors().clear();
            bool continues = false;
            const json reply = decode(text, method, &continues);
            if (!each(reply) || !continues) return true;
        }
        if (!patience.another(deadline, connected)) my.broke(method, false);
    }
}

}  // namespace muster::session

#include "service/service.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <type_traits>

#include <spdlog/spdlog.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "link/channel.hpp"
#include "service/api.hpp"
#include "service/log_relay.hpp"
#include "service/server/interfaces.hpp"
#include "service/server/server.hpp"
#include "service/supervisor/journal.hpp"
#include "service/watches.hpp"

namespace muster::service {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr const char* journal_label = "forked";

double wall_clock() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Service final : public Outside, public StoreOutside {
  public:
    Service(base::UniqueFd link, const Config& config)
        : config_(config),
          link_(std::move(link)),
          link_watch_(io_, link_.fd()),
          deadline_(io_),
          sweep_(io_),
          pidfds_(io_),
          sessions_(io_),
          logs_(io_),
          store_({config.memory, config.mode == Mode::system ? std::nullopt : std::optional(::geteuid()),
                  config.limits.sessions, config.limits.sessions_per_uid, config.deadlock == "error"},
                 *this),
          dispatcher_({"Muster", "musterd", MUSTER_VERSION, ""}) {
        context_.config = config;
        context_.service_started = wall_clock();
        context_.deadline_moved = [this] { arm_deadline(); };
        context_.shut_down = [this] { send(link::Shutdown{}); };
        context_.keeper_backlog = [this] { return Backlog{link_.queued(), link_.queued_bytes()}; };
    }
    ~Service() override {
        server_.reset();
        link_watch_.release();
    }

    int run() {
        if (!take_over()) return 1;
        start_serving();
        while (!stopped_) {
            try {
                io_.run();
                break;
            } catch (const std::exception& error) {  // of one client's doing: the others are served on
                spdlog::error("unexpected: {}", error.what());
            }
        }
        return exit_code_;
    }

    // --- Outside, StoreOutside ---
    void send(link::ToKeeper message) override {
        link_.send(message);
        flush_later();
    }
    Instant now() override { return {Clock::now(), wall_clock()}; }
    void watch(std::uint64_t id, int pidfd) override {
        pidfds_.add(id, pidfd, [this, id] { or_start_anew([&] { supervisor_->forked_gone(id); }); });
    }
    void unwatch(std::uint64_t id) override { pidfds_.remove(id); }
    void record(const Process& forked) override { journal_->record(forked); }
    void erase(std::uint64_t forked) override { journal_->erase(forked); }
    void keep_memory(const std::string& label, int memfd) override {
        link_.send(link::KeepMemory{label}, {memfd});
        flush_later();
    }
    void watch_session(std::uint64_t token, int pidfd) override {
        sessions_.add(token, pidfd, [this, token] {
            or_start_anew([&] {
                store_.session_gone(token);
                retry_soon();
            });
        });
    }
    void unwatch_session(std::uint64_t token) override { sessions_.remove(token); }

  private:
    // Everything the keeper holds, up to StateEnd. Blocks: there is nothing else to do yet.
    bool take_over() {
        while (!taken_over_) {
            if (auto received = link_.receive()) {
                handle(std::move(*received));
                continue;
            }
            if (link_.closed()) return false;
            pollfd ready{link_.fd(), POLLIN, 0};
            if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return false;
        }
        return supervisor_ && listener_;
    }

    void start_serving() {
        for (const auto text : embedded_interfaces()) dispatcher_.add_interface(text);
        add_service_api(dispatcher_, *supervisor_, store_, context_);
        add_processes_api(dispatcher_, *supervisor_, context_);
        add_objects_api(dispatcher_, store_);
        add_locks_api(dispatcher_, store_);
        Admission admission;
        if (config_.mode != Mode::system) admission.only_uid = ::geteuid();
        admission.connections = config_.limits.connections;
        admission.connections_per_uid = config_.limits.connections_per_uid;
        admission.buffers = config_.limits.buffers;
        admission.buffers_per_uid = config_.limits.buffers_per_uid;
        server_ = std::make_unique<Server>(io_, std::move(listener_), admission, dispatcher_);
        server_->start();
        send(link::Ready{});
        wait_for_keeper();
        sweep_later();
        arm_deadline();
    }

    // --- the link ---
    void wait_for_keeper() {
        link_watch_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
            if (error) return end(1);
            or_start_anew([this] {
                while (auto received = link_.receive()) handle(std::move(*received));
                if (link_.closed()) return end(1);
                arm_deadline();
                wait_for_keeper();
            });
        });
    }
    // What goes wrong with one client's call is that client's error. A message of the keeper's or a deadline
    // that is lost would be lost for good: better the next service starts from the whole.
    template <typename Work>
    void or_start_anew(Work&& work) {
        try {
            work();
        } catch (const std::exception& error) {
            end(1);  // first: the log may have no memory, either
            try {
                spdlog::error("the service starts anew: {}", error.what());
            } catch (const std::exception&) {
            }
        }
    }
    // Throws nothing: what was queued counts as sent, for the keeper may have had it already.
    void flush_later() noexcept {
        if (!link_.wants_write() || flushing_) return;
        or_start_anew([this] {
            link_watch_.async_wait(asio::posix::stream_descriptor::wait_write, [this](error_code error) {
                flushing_ = false;
                if (error) return;
                or_start_anew([this] { link_.flush(); });
                flush_later();
            });
            flushing_ = true;
        });
    }

    void handle(link::ServiceEnd::Received&& received) {
        std::visit([&](auto& message) { on(message, received.fds); }, received.message);
    }
    using Fds = std::vector<base::UniqueFd>;
    void on(const link::Hello& hello, Fds& fds) {
        if (fds.size() != 1) throw Error(Errc::protocol, "take over", "listening socket", "not with Hello");
        listener_ = std::move(fds.front());
        context_.keeper_pid = hello.keeper_pid;
        context_.keeper_started = hello.keeper_started;
        context_.service_starts = hello.service_starts;
        SupervisorOptions options;
        options.history = config_.history;
        options.processes = config_.limits.processes;
        options.processes_per_uid = config_.limits.processes_per_uid;
        options.grace = config_.grace;
        options.keeper_pid = hello.keeper_pid;
        supervisor_.emplace(options, *this);
        supervisor_->next_id(hello.next_id);
        if (hello.service_starts > 1)
            spdlog::warn("service started anew, for the {}. time", hello.service_starts);
    }
    void on(const link::Memory& memory, Fds& fds) {
        if (fds.size() != 1) return;
        if (memory.label == journal_label)
            journal_ = Journal::adopt(std::move(fds.front()));
        else
            store_.adopt(memory.label, std::move(fds.front()));
    }
    void on(const link::Child& child, Fds& fds) {
        supervisor_->restore(child);
        relay(child.id, fds);
    }
    void on(const link::StateEnd&, Fds&) {
        if (!journal_) {
            journal_ = Journal::create(static_cast<std::uint32_t>(config_.limits.processes + config_.history));
            keep_memory(journal_label, journal_->memfd());
        }
        supervisor_->next_id(journal_->next_id());
        for (ProcessPtr& forked : journal_->read()) supervisor_->restore_forked(std::move(forked));
        supervisor_->restored();
        taken_over_ = true;
    }
    void on(const link::Started& message, Fds& fds) {
        supervisor_->started(message);
        relay(message.id, fds);
    }
    void on(const link::StartFailed& message, Fds&) { supervisor_->start_failed(message); }
    void on(const link::Exited& message, Fds&) { supervisor_->exited(message); }
    void on(const link::OrphanReaped& message, Fds&) { supervisor_->orphan_reaped(message); }
    void on(const link::SignalDone& message, Fds&) { supervisor_->signal_done(message); }
    void on(const link::Stop&, Fds&) {
        spdlog::debug("stopping every worker");
        supervisor_->shut_down([this] {
            store_.shut();  // after the workers: until then they have what they work on
            end(0);
        });
    }

    void relay(std::uint64_t id, Fds& fds) {
        const ProcessPtr process = supervisor_->find(id);
        for (base::UniqueFd& fd : fds)
            if (process) logs_.add(std::move(fd), process->name + "[" + std::to_string(process->pid) + "]");
    }

    // --- the clock ---
    void arm_deadline() {
        const auto next = supervisor_->next_deadline();
        if (next == armed_) return;
        armed_ = next;
        if (!next) {
            deadline_.cancel();
            return;
        }
        deadline_.expires_at(*next);
        deadline_.async_wait([this](error_code error) {
            if (error) return;
            or_start_anew([this] {
                armed_.reset();
                supervisor_->tick();
                arm_deadline();
            });
        });
    }
    void sweep_later() {
        sweep_.expires_after(std::chrono::seconds(1));
        sweep_.async_wait([this](error_code error) {
            if (error) return;
            or_start_anew([this] {
                sweep_later();
                store_.sweep();
                retry_soon();
                tell_state();
            });
        });
    }
    void retry_soon() {
        if (!store_.wants_retry() || retrying_) return;
        retrying_ = true;
        auto timer = std::make_shared<asio::steady_timer>(io_, std::chrono::milliseconds(20));
        timer->async_wait([this, timer](error_code) {
            retrying_ = false;
            or_start_anew([this] {
                store_.retry();
                retry_soon();
            });
        });
    }

    // For `systemctl status`.
    void tell_state() {
        std::size_t sessions = 0;
        for (const RealmView& realm : store_.realms(0)) sessions += realm.sessions;
        std::string text = "Serving, " + std::to_string(supervisor_->live()) + " processes, " +
                           std::to_string(sessions) + " sessions";
        if (text == told_state_) return;
        told_state_ = text;
        send(link::ServiceState{std::move(text)});
    }

    void end(int code) {
        exit_code_ = code;
        stopped_ = true;
        io_.stop();
    }

    Config config_;
    asio::io_context io_{1};
    link::ServiceEnd link_;
    asio::posix::stream_descriptor link_watch_;  // of the link's descriptor, which stays the link's
    asio::steady_timer deadline_, sweep_;
    Watches pidfds_, sessions_;
    LogRelay logs_;
    std::optional<Journal> journal_;        // from StateEnd on
    std::optional<Supervisor> supervisor_;  // from Hello on
    Store store_;
    Dispatcher dispatcher_;
    ApiContext context_;
    base::UniqueFd listener_;
    std::unique_ptr<Server> server_;
    std::optional<Clock::time_point> armed_;
    std::string told_state_;
    bool taken_over_ = false, flushing_ = false, retrying_ = false, stopped_ = false;
    int exit_code_ = 1;
};

}  // namespace

int run(base::UniqueFd link, const Config& config) {
    // Only the keeper ends the service, by Stop or SIGKILL: not a SIGTERM to the whole group, not a closed
    // pipe.
    for (const int number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_IGN);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    try {
        return Service(std::move(link), config).run();
    } catch (const std::exception& error) {
        spdlog::error("the service ends: {}", error.what());
        return 1;
    }
}

}  // namespace muster::service

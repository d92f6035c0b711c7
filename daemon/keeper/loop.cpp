#include "keeper/loop.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <thread>

#include "base/system_error.hpp"
#include "keeper/log.hpp"
#include "keeper/tree.hpp"

namespace muster::keeper {
namespace {

using namespace std::chrono_literals;
using base::UniqueFd;

constexpr auto unkillable_after = 5s;   // SIGKILL to giving up: processes in the kernel's hands
constexpr auto sweep_interval = 20ms;
constexpr auto memory_pause = 10ms;     // before what had no memory is tried again
constexpr int memory_tries = 100;       // of messages that a service left, before they are given up
constexpr std::size_t most_queued = 1024;  // OrphanReaped is dropped when the service is so far behind

[[noreturn]] void cannot_start(const char* call) { base::throw_errno(errno, "start", "keeper", call); }

// The numbers of the standard streams must not become anything else's.
void open_standard_streams() {
    for (int fd = 0; fd <= 2; ++fd)
        if (::fcntl(fd, F_GETFD) < 0) {
            UniqueFd null(::open("/dev/null", O_RDWR));
            if (null.get() == fd) null.release();
        }
}

// All descriptors that we may have; what there was is for the children.
std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return 1024;
    const std::uint64_t before = limit.rlim_cur;
    limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 1u << 20));
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return before;
}

std::string random_instance() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) cannot_start("getrandom");
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
}

}  // namespace

Keeper::Loop::Loop(Options options, UniqueFd listening)
    : options_(std::move(options)),
      listening_(std::move(listening)),
      notifier_(Notifier::from_environment()),
      service_(options_.program, options_.service_arguments) {
    open_standard_streams();
    started_ = wall_clock();
    if (options_.ready_fd >= 0) {
        ready_.reset(options_.ready_fd);
        ::fcntl(ready_.get(), F_SETFD, FD_CLOEXEC);
    }
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) cannot_start("prctl");
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t mask;
    ::sigemptyset(&mask);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD, SIGHUP}) ::sigaddset(&mask, signal);
    ::sigprocmask(SIG_BLOCK, &mask, nullptr);
    signals_.reset(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) cannot_start("signalfd");
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) cannot_start("epoll_create1");
    watch(EPOLL_CTL_ADD, signals_.get(), Source::signals, EPOLLIN);
    auto cgroups = options_.cgroups == Options::Cgroups::automatic ? Cgroups::find() : Cgroups();
    children_.emplace(std::move(cgroups), random_instance(), raise_descriptor_limit());
}

int Keeper::Loop::run() noexcept {
    try {
        if (options_.owner_pid) {
            owner_.reset(static_cast<int>(::syscall(SYS_pidfd_open, *options_.owner_pid, 0)));
            if (owner_)
                watch(EPOLL_CTL_ADD, owner_.get(), Source::owner, EPOLLIN);
            else
                begin_stop("its owner has ended");
        }
        if (phase_ == Phase::serving) start_service();
    } catch (const std::exception& error) {
        log_line(error.what());
    }
    while (phase_ != Phase::done) {
        try {
            step();
        } catch (const std::exception& error) {  // out of memory: what was to be done is still there to be done
            log_line(error.what());
        }
    }
    return 0;
}

void Keeper::Loop::watch(int operation, int fd, Source source, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u32 = static_cast<std::uint32_t>(source);
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) < 0) cannot_start("epoll_ctl");
}

int Keeper::Loop::wait_time() const {
    auto next = Clock::time_point::max();
    if (phase_ != Phase::serving) next = std::min(next, deadline_);
    if (phase_ == Phase::killing) next = std::min(next, sweep_);
    if (phase_ == Phase::serving && !service_.alive()) next = std::min(next, service_.next_start());
    if (link_end_deadline_) next = std::min(next, *link_end_deadline_);
    if (notifier_.watchdog_interval() && service_.alive()) next = std::min(next, watchdog_);
    if (unhandled_ || unreaped_) next = std::min(next, Clock::now() + memory_pause);
    if (next == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

void Keeper::Loop::step() {
    on_deadlines();
    if (phase_ == Phase::done) return;
    epoll_event events[4];
    const int count = ::epoll_wait(epoll_.get(), events, 4, wait_time());
    bool link_event = false, signal_event = false;
    for (int i = 0; i < count; ++i) {
        switch (static_cast<Source>(events[i].data.u32)) {
            case Source::link: link_event = true; break;
            case Source::signals: signal_event = true; break;
            case Source::owner:
                ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, owner_.get(), nullptr);
                begin_stop("its owner has ended");
                break;
        }
    }
    if (link_event || unhandled_) on_link();
    if (signal_event) on_signals();
    if (unreaped_) reap_all();
    watch_link();
}

void Keeper::Loop::on_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
            case SIGCHLD: unreaped_ = true; break;
            case SIGTERM:
            case SIGINT:
                if (phase_ == Phase::serving)
                    begin_stop(info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
                else if (phase_ != Phase::killing)
                    kill_all();
                break;
            default: break;  // SIGHUP: no terminal of ours matters
        }
    }
}

// One SIGCHLD may stand for many. A zombie is looked at before it is reaped: its number is its own until then. What
// throws has reaped nothing and is tried again; an ending that cannot be told is in the child's record.
void Keeper::Loop::reap_all() {
    for (;;) {
        const pid_t pid = next_zombie();
        if (pid <= 0) {
            unreaped_ = false;
            if (pid < 0 && (phase_ == Phase::terminating || phase_ == Phase::killing)) finish();
            return;
        }
        if (pid == service_.pid()) {
            if (const auto ending = reap_process(pid, service_.pidfd())) on_service_end(*ending);
        } else if (auto exited = children_->reap(pid)) {
            try {
                send(*exited);
            } catch (const std::exception& error) {
                start_anew(error.what());
            }
        } else if (const auto ending = reap_process(pid)) {
            children_->remove_empty_cgroups();
            try {
                if (service_.link() != nullptr && service_.link()->queued() < most_queued)
                    send(link::OrphanReaped{pid, *ending});
            } catch (const std::exception& error) {  // as when it is far behind: no other service would know more
                log_line(error.what());
            }
        }
    }
}

void Keeper::Loop::on_service_end(const link::Ending& ending) {
    const pid_t pid = service_.pid();
    const auto delay = service_.died();
    for (int tries = 0; drain_link() || (unhandled_ && ++tries < memory_tries);)
        if (unhandled_) std::this_thread::sleep_for(memory_pause);
    if (unhandled_) log_line("no memory for what the service had sent: some of it is lost");
    message_.reset();
    unhandled_ = false;
    service_.close_link();
    link_events_ = 0;
    link_end_deadline_.reset();
    const std::string what = "service (pid " + std::to_string(pid) + ") " + to_text(ending);
    switch (phase_) {
        case Phase::serving:
            log_line(what + "; next start " + (delay == 0ms ? "now" : "in " + std::to_string(delay.count()) + " ms"));
            notifier_.send("STATUS=The service died and is started again");
            break;
        case Phase::stopping:
            if (ending.signal == 0 && ending.exit_code == 0) {
                kill_all();
            } else {
                log_line(what + " before it had stopped the workers");
                terminate();
            }
            break;
        default: break;
    }
}

void Keeper::Loop::on_deadlines() {
    const auto now = Clock::now();
    if (phase_ == Phase::serving && !service_.alive() && now >= service_.next_start()) start_service();
    if (link_end_deadline_ && now >= *link_end_deadline_) {
        link_end_deadline_.reset();
        log_line("the service closed its link and does not end: killed");
        service_.kill(SIGKILL);
    }
    if (const auto interval = notifier_.watchdog_interval(); interval && service_.alive() && now >= watchdog_) {
        notifier_.send("WATCHDOG=1");
        watchdog_ = now + *interval;
    }
    if (phase_ == Phase::killing && now >= sweep_ && now < deadline_) {
        signal_descendants(SIGKILL, std::nullopt);
        sweep_ = now + sweep_interval;
    }
    if (phase_ == Phase::serving || now < deadline_) return;
    switch (phase_) {
        case Phase::stopping:
            log_line("the service did not stop in time");
            terminate();
            break;
        case Phase::terminating: kill_all(); break;
        case Phase::killing:
            log_line("some processes did not end after SIGKILL and are left");
            finish();
            break;
        default: break;
    }
}

void Keeper::Loop::begin_stop(const char* why) {
    if (phase_ != Phase::serving) return;
    if (!options_.quiet) log_line(std::string("stopping: ") + why);
    notifier_.send("STOPPING=1\nSTATUS=Stopping the workers");
    if (!service_.alive() || service_.link() == nullptr || link_end_deadline_) {
        terminate();
        return;
    }
    phase_ = Phase::stopping;
    deadline_ = Clock::now() + options_.stop_timeout;
    send(link::Stop{});
}

// Without the service, or against it.
void Keeper::Loop::terminate() {
    phase_ = Phase::terminating;
    deadline_ = Clock::now() + options_.kill_grace;
    service_.kill(SIGKILL);
    signal_descendants(SIGTERM, service_.pid_if_alive());
    signal_descendants(SIGCONT, service_.pid_if_alive());  // a stopped one would not notice
    if (next_zombie() < 0) finish();
}

void Keeper::Loop::kill_all() {
    phase_ = Phase::killing;
    deadline_ = Clock::now() + unkillable_after;
    sweep_ = Clock::now() + sweep_interval;
    signal_descendants(SIGKILL, std::nullopt);
    if (next_zombie() < 0) finish();
}

void Keeper::Loop::finish() {
    phase_ = Phase::done;
    children_->remove_empty_cgroups();
    service_.close_link();
    listening_.reset();
    if (options_.unlink_path) ::unlink(options_.unlink_path->c_str());
    notifier_.send("STATUS=Stopped");
}

}  // namespace muster::keeper

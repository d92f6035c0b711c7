#include "process/daemon_line.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

namespace muster::process {
namespace {

using namespace std::chrono_literals;
using base::Deadline;
using nlohmann::json;

constexpr auto shortest_pause = 5ms, longest_pause = 1000ms;  // between attempts to connect

json or_null(const std::optional<int>& value) { return value ? json(*value) : json(nullptr); }

std::string message(const char* method, json parameters) {
    const json text{{"method", std::string("io.muster.processes.") + method},
                    {"parameters", std::move(parameters)}};
    return text.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

void DaemonLine::started(pid_t pid, const std::string& name) noexcept try {
    const std::scoped_lock hold(mutex_);
    records_.push_back({.pid = pid, .name = name});
    start_thread();
    if (!connected()) return;
    say_all();
    await_answer(pid);
} catch (...) {  // no memory: the daemon will not know this one
}

void DaemonLine::ended(pid_t pid, const Ending& ending) noexcept try {
    const std::scoped_lock hold(mutex_);
    Record* const record = find(pid);
    if (!record) return;
    record->ending = ending;
    const auto has_ended = [](const Record& r) { return r.ending.has_value(); };
    if (static_cast<std::size_t>(std::count_if(records_.begin(), records_.end(), has_ended)) >
        unacknowledged_limit)
        records_.erase(std::find_if(records_.begin(), records_.end(), has_ended));
    if (!connected()) return;
    say_all();
    await_answer(pid);
} catch (...) {
}

void DaemonLine::forget() noexcept {
    records_.clear();
    expected_.clear();
    connection_.reset();
    retired_.reset();
    wake_.reset();
    thread_runs_ = false;
    late_ = false;
    pause_ = 0ms;
    next_attempt_ = {};
}

bool DaemonLine::connected() noexcept {
    if (connection_) return true;
    if (Clock::now() < next_attempt_) return false;
    try {
        connection_ = std::make_unique<session::Connection>(address_, Deadline::now());
        return true;
    } catch (const std::exception&) {
        broken();
        return false;
    }
}

void DaemonLine::broken() noexcept {
    if (connection_ && !retired_) retired_ = std::move(connection_);
    connection_.reset();  // two in a row: the thread polls the first of them
    expected_.clear();
    for (Record& record : records_) {
        record.start = Record::unsaid;
        record.end_said = false;
    }
    pause_ = std::clamp<std::chrono::milliseconds>(pause_ * 2, shortest_pause, longest_pause);
    next_attempt_ = Clock::now() + pause_;
    if (wake_) ::eventfd_write(wake_.get(), 1);
}

void DaemonLine::say(Record& record) {
    if (record.start == Record::unsaid) {
        connection_->queue(message("Announce", {{"pid", record.pid}, {"name", record.name}}));
        expected_.push_back({record.pid, false});
        record.start = Record::said;
    }
    if (record.ending && !record.end_said) {
        connection_->queue(message("Ended", {{"pid", record.pid},
                                             {"exit_code", or_null(record.ending->exit_code)},
                                             {"signal", or_null(record.ending->signal)},
                                             {"core_dumped", record.ending->core_dumped}}));
        expected_.push_back({record.pid, true});
        record.end_said = true;
    }
}

void DaemonLine::say_all() {
    for (Record& record : records_) say(record);
    if (!connection_->flush()) return broken();
    if (wake_) ::eventfd_write(wake_.get(), 1);  // there is a connection to be watched
}

void DaemonLine::take_reply(const std::string& text) {
    // What the daemon refuses (a limit, a child that is gone) it will refuse again: any answer is one.
    if (json::parse(text, nullptr, false).is_discarded() || expected_.empty()) return broken();
    const Expected answered = expected_.front();
    expected_.pop_front();
    late_ = false;
    pause_ = 0ms;
    if (answered.end)
        records_.remove_if([&](const Record& r) { return r.pid == answered.pid && r.end_said; });
    else if (Record* const record = find(answered.pid))
        record->start = Record::answered;
}

template <typename Enough>
bool DaemonLine::take_replies(Deadline deadline, Enough&& enough) {
    std::string text;
    while (connection_) {
        if (enough()) return true;
        const auto got = connection_->receive(text, deadline);
        if (got == session::Connection::Got::late) return false;
        if (got == session::Connection::Got::broken) broken();
        if (got == session::Connection::Got::message) take_reply(text);
    }
    return false;
}

template <typename Enough>
void DaemonLine::await(Enough&& enough) noexcept {
    const auto deadline = Deadline::after(patience);
    while (!late_) {
        try {
            if (connection_ && take_replies(deadline, enough)) return;
        } catch (const std::exception&) {  // it does not speak our protocol
            broken();
        }
        if (connection_ || deadline.passed()) {
            late_ = true;
            return;
        }
        // The service ended just now: the next one is there in a moment. Where nobody listens, nobody will.
        const timespec pause{0, std::chrono::nanoseconds(shortest_pause).count()};
        ::nanosleep(&pause, nullptr);
        next_attempt_ = {};
        if (!connected()) {
            late_ = true;
            return;
        }
        say_all();
    }
}

// The child cannot end unseen meanwhile: it waits at its gate, or is a zombie.
void DaemonLine::await_answer(pid_t pid) noexcept {
    await([&] {
        const Record* const record = find(pid);
        return !record || record->start == Record::answered;
    });
}

void DaemonLine::settle() noexcept try {
    const std::scoped_lock hold(mutex_);
    const auto has_ended = [](const Record& r) { return r.ending.has_value(); };
    const auto heard = [&] { return std::none_of(records_.begin(), records_.end(), has_ended); };
    if (heard() || !connected()) return;
    say_all();
    await(heard);
} catch (...) {
}

DaemonLine::Record* DaemonLine::find(pid_t pid) noexcept {
    // The youngest: an older one may have had the same pid and not been acknowledged.
    const auto found =
        std::find_if(records_.rbegin(), records_.rend(), [=](const Record& r) { return r.pid == pid; });
    return found == records_.rend() ? nullptr : &*found;
}

void DaemonLine::start_thread() noexcept {
    if (thread_runs_) return;
    wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return;  // told by who starts and joins children, then
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const auto body = [](void* line) -> void* {
        static_cast<DaemonLine*>(line)->serve();
        return nullptr;
    };
    thread_runs_ = ::pthread_create(&thread, nullptr, body, this) == 0;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (thread_runs_) ::pthread_detach(thread);
}

void DaemonLine::serve() noexcept {
    std::unique_lock hold(mutex_);
    for (;;) {
        retired_.reset();
        try {
            if (!records_.empty() && !connection_ && connected()) say_all();
            if (connection_) take_replies(Deadline::now(), [] { return false; });
        } catch (const std::exception&) {
            broken();
        }
        const bool retry = !connection_ && !records_.empty();
        auto left = std::chrono::ceil<std::chrono::milliseconds>(next_attempt_ - Clock::now()).count();
        const int timeout = retry ? static_cast<int>(std::max<decltype(left)>(left, 0)) : -1;
        const short events = connection_ && connection_->unsent() > 0 ? POLLIN | POLLOUT : POLLIN;
        pollfd watched[] = {{wake_.get(), POLLIN, 0},
                            {connection_ ? connection_->descriptor() : -1, events, 0}};
        hold.unlock();
        ::poll(watched, 2, timeout);
        hold.lock();
        if (watched[0].revents) {
            eventfd_t count = 0;
            ::eventfd_read(wake_.get(), &count);
        }
    }
}

}  // namespace muster::process

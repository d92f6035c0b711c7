// The loop's dealings with the service: its start, the hand-over, its requests.
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>

#include "base/system_error.hpp"
#include "keeper/log.hpp"
#include "keeper/loop.hpp"

namespace muster::keeper {
namespace {

using namespace std::chrono_literals;

constexpr auto link_end_grace = 5s;      // a service that closed its link is given this to exit
constexpr int messages_at_a_time = 256;  // then signals have their turn

}  // namespace

void Keeper::Loop::start_service() {
    service_.close_link();
    link_events_ = 0;
    if (const auto failure = service_.start()) {
        log_line("cannot start the service: " + *failure);
        return;
    }
    watchdog_ = Clock::now();
    hand_over();
    watch_link();
}

void Keeper::Loop::hand_over() {
    link::Hello hello;
    hello.keeper_pid = ::getpid();
    hello.keeper_started = started_;
    hello.service_starts = service_.starts();
    hello.next_id = children_->next_id();
    send(hello, {listening_.get()});
    for (const auto& [label, memory] : memories_) send(link::Memory{label}, {memory.get()});
    for (const auto& [id, record] : children_->records()) {
        link::Child child;
        child.id = id;
        child.pid = record.pid;
        child.note = record.note;
        child.started = record.started;
        child.ending = record.ending;
        child.has_out_log = static_cast<bool>(record.out_log);
        child.has_err_log = static_cast<bool>(record.err_log);
        if (child.has_out_log && child.has_err_log)
            send(child, {record.out_log.get(), record.err_log.get()});
        else if (child.has_out_log || child.has_err_log)
            send(child, {child.has_out_log ? record.out_log.get() : record.err_log.get()});
        else
            send(child);
    }
    send(link::StateEnd{});
}

void Keeper::Loop::send(const link::ToService& message, std::initializer_list<int> fds) {
    if (service_.link() != nullptr) service_.link()->send(message, fds);
}

void Keeper::Loop::watch_link() {
    if (service_.link() == nullptr || link_end_deadline_) return;
    const std::uint32_t events = service_.link()->wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (events == link_events_) return;
    watch(link_events_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, service_.link()->fd(), Source::link, events);
    link_events_ = events;
}

void Keeper::Loop::on_link() {
    if (service_.link() == nullptr) return;
    drain_link();
    if (service_.link() == nullptr) return;
    if (service_.link()->closed())
        drop_link();
    else
        service_.link()->flush();
}

bool Keeper::Loop::drain_link() {
    for (int i = 0; i < messages_at_a_time; ++i) {
        if (service_.link() == nullptr || service_.link()->closed()) return false;
        try {
            auto received = service_.link()->receive();
            if (!received) return false;
            handle(std::move(*received));
        } catch (const Error& error) {
            log_line(error.what());
            if (error.errc() != Errc::protocol && error.errc() != Errc::system) continue;
            service_.kill(SIGKILL);  // it is of another version, or damaged: the next one starts anew
            return false;
        }
    }
    return true;
}

void Keeper::Loop::drop_link() {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, service_.link()->fd(), nullptr);
    link_events_ = 0;
    if (!link_end_deadline_) link_end_deadline_ = Clock::now() + link_end_grace;
}

void Keeper::Loop::handle(link::KeeperEnd::Received&& received) {
    if (auto* memory = std::get_if<link::KeepMemory>(&received.message)) return keep_memory(*memory, received.fds);
    std::visit(
        [this](auto& message) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(message)>, link::KeepMemory>) handle(message);
        },
        received.message);
}

void Keeper::Loop::handle(link::Spawn& message) {
    const std::uint64_t id = message.id;
    if (phase_ != Phase::serving) return send(link::StartFailed{id, "stopping", "", ESHUTDOWN});
    const auto result = children_->spawn(std::move(message));
    if (const auto* failed = std::get_if<link::StartFailed>(&result)) return send(*failed);
    const ChildRecord& record = *std::get<const ChildRecord*>(result);
    link::Started started{id, record.pid, record.started, static_cast<bool>(record.out_log), static_cast<bool>(record.err_log)};
    if (started.has_out_log && started.has_err_log)
        send(started, {record.out_log.get(), record.err_log.get()});
    else if (started.has_out_log || started.has_err_log)
        send(started, {started.has_out_log ? record.out_log.get() : record.err_log.get()});
    else
        send(started);
}

void Keeper::Loop::handle(link::SetNote& message) { children_->set_note(message.id, std::move(message.note)); }

void Keeper::Loop::handle(link::Signal& message) {
    send(link::SignalDone{message.id, children_->signal(message, service_.pid_if_alive())});
}

void Keeper::Loop::handle(link::Forget& message) { children_->forget(message.id); }

void Keeper::Loop::keep_memory(link::KeepMemory& message, std::vector<base::UniqueFd>& fds) {
    if (fds.size() != 1) throw Error(Errc::protocol, "keep memory", message.label, "not one descriptor");
    memories_[message.label] = std::move(fds.front());
}

void Keeper::Loop::handle(link::DropMemory& message) { memories_.erase(message.label); }

void Keeper::Loop::handle(link::ServiceState& message) {
    for (char& byte : message.text)
        if (byte == '\n') byte = ' ';  // a line of its own would be another assignment
    notifier_.send("STATUS=" + message.text);
}

void Keeper::Loop::handle(link::Ready&) {
    if (phase_ != Phase::serving) return;
    notifier_.send(was_ready_ ? "STATUS=Serving" : "READY=1\nSTATUS=Serving");
    if (was_ready_) return;
    was_ready_ = true;
    if (!options_.quiet) log_line("ready on " + options_.address);
    if (ready_) {
        [[maybe_unused]] const auto written = ::write(ready_.get(), "ready\n", 6);
        ready_.reset();
    }
}

void Keeper::Loop::handle(link::Shutdown&) { begin_stop("asked to by the service"); }

}  // namespace muster::keeper

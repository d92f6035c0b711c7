// The loop's dealings with the service: its start, the hand-over, its requests.
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>

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
    try {
        hand_over();
        watch_link();
    } catch (const std::exception& error) {  // half of the whole state is none
        start_anew(error.what());
    }
}

// Nothing that it should have been told is lost: the next one is given the whole state.
void Keeper::Loop::start_anew(const char* why) noexcept {
    log_line(why);
    log_line("the service is killed: the next one is given the whole state");
    service_.kill(SIGKILL);
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

// A message that there is no memory to receive waits in the link, and what must be kept waits here. Any other that
// cannot be handled, and any that is lost, ends the service.
bool Keeper::Loop::drain_link() noexcept {
    unhandled_ = false;
    for (int i = 0; i < messages_at_a_time; ++i) {
        if (service_.link() == nullptr) return false;
        try {
            if (!message_) {
                if (service_.link()->closed()) return false;
                message_ = service_.link()->receive();
            }
            if (!message_) return false;
        } catch (const std::bad_alloc&) {
            unhandled_ = true;
            return false;
        } catch (const std::exception& error) {  // it is of another version, or damaged; or we have no descriptor
            start_anew(error.what());
            return false;
        }
        try {
            handle(*message_);
        } catch (const std::exception& error) {
            unhandled_ = std::holds_alternative<link::KeepMemory>(message_->message) &&
                         dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
            if (unhandled_) return false;
            message_.reset();
            start_anew(error.what());
            return false;
        }
        message_.reset();
    }
    return true;
}

void Keeper::Loop::drop_link() {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, service_.link()->fd(), nullptr);
    link_events_ = 0;
    if (!link_end_deadline_) link_end_deadline_ = Clock::now() + link_end_grace;
}

void Keeper::Loop::handle(link::KeeperEnd::Received& received) {
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
    std::variant<const ChildRecord*, link::StartFailed> result = link::StartFailed{id, "memory", "", ENOMEM};
    try {
        result = children_->spawn(std::move(message));
    } catch (const std::exception& error) {  // nothing was started
        log_line(error.what());
    }
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

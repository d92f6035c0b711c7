#include <muster/detail/call.hpp>

#include <cstdio>

#include "base/base.hpp"

namespace muster::detail {
namespace {

constexpr std::chrono::nanoseconds for_ever = std::chrono::hours(24 * 365 * 10);  // beyond it the clock may overflow

}  // namespace

const PoolCore*& PoolCore::handled_by_this_thread() noexcept {
    thread_local const PoolCore* core = nullptr;
    return core;
}

void Call::submitted(const PoolCore& core, std::uint64_t number, std::shared_ptr<const ErrorHandler> errors) {
    const std::scoped_lock hold(mutex_);
    core_ = &core;
    number_ = number;
    errors_ = std::move(errors);
}

bool Call::ready() const {
    const std::scoped_lock hold(mutex_);
    return state_ == State::done || state_ == State::cancelled;
}
bool Call::running() const {
    const std::scoped_lock hold(mutex_);
    return state_ == State::running;
}
bool Call::cancelled() const {
    const std::scoped_lock hold(mutex_);
    return state_ == State::cancelled;
}
std::exception_ptr Call::error() const {
    const std::scoped_lock hold(mutex_);
    return error_;
}

std::string Call::subject() const {
    std::string text = "task " + std::to_string(number_);
    if (!name_.empty()) text += " '" + name_ + "'";
    return text;
}

void Call::check_may_wait() const {
    if (core_ != nullptr && PoolCore::handled_by_this_thread() == core_)
        throw Error(Errc::deadlock, "wait", subject(), "this thread is the one that brings the pool's results");
}

bool Call::wait_within(Timeout timeout) const {
    std::unique_lock hold(mutex_);
    const auto is_over = [&] { return state_ == State::done || state_ == State::cancelled; };
    if (is_over()) return true;
    if (timeout && *timeout <= std::chrono::nanoseconds::zero()) return false;
    check_may_wait();
    if (!timeout || *timeout >= for_ever) {
        changed_.wait(hold, is_over);
        return true;
    }
    return changed_.wait_until(hold, std::chrono::steady_clock::now() + *timeout, is_over);
}

void Call::get_within(const char* operation, Timeout timeout) const {
    if (!wait_within(timeout)) throw Error(Errc::timeout, operation, subject());
    const std::scoped_lock hold(mutex_);
    if (state_ == State::cancelled) throw Error(Errc::cancelled, operation, subject());
    if (error_) std::rethrow_exception(error_);
}

bool Call::cancel() {
    {
        const std::scoped_lock hold(mutex_);
        if (state_ == State::cancelled) return true;
        if (state_ != State::queued) return false;
        state_ = State::cancelled;
    }
    end(State::cancelled);
    return true;
}

bool Call::when_done(std::function<void()> then) {
    const std::scoped_lock hold(mutex_);
    if (state_ == State::done || state_ == State::cancelled) return false;
    then_.push_back(std::move(then));
    return true;
}

bool Call::begin() {
    const std::scoped_lock hold(mutex_);
    if (state_ == State::queued) state_ = State::running;
    return state_ != State::cancelled && !dropped_;
}

void Call::drop() noexcept {
    const std::scoped_lock hold(mutex_);
    dropped_ = true;
}

void Call::run_callback(const std::function<void()>& then) const noexcept {
    try {
        then();
    } catch (...) {
        report_callback(errors_.get(), subject());
    }
}

void Call::arrived(std::size_t part, std::exception_ptr error) {
    if (!error || (error_ && failed_part_ < part)) return;
    error_ = std::move(error);
    failed_part_ = part;
}

bool Call::note(std::size_t part, std::exception_ptr error) noexcept {
    const std::scoped_lock hold(mutex_);
    if (complete_) return false;
    try {
        arrived(part, std::move(error));
    } catch (...) {  // no memory
        error_ = std::current_exception();
    }
    return complete_ = --left_ == 0;
}

bool Call::abandon(std::exception_ptr error) noexcept {
    const std::scoped_lock hold(mutex_);
    if (complete_ || state_ == State::cancelled) return false;
    complete_ = true;
    error_ = std::move(error);
    abandoned(error_);
    return true;
}

bool Call::take(std::size_t part, Reader& in) noexcept {
    std::exception_ptr error;
    try {
        decode(part, in);
    } catch (...) {
        error = std::current_exception();
    }
    return note(part, std::move(error));
}
bool Call::stored(std::size_t part) noexcept { return note(part, {}); }
bool Call::fail(std::size_t part, std::exception_ptr error) noexcept { return note(part, std::move(error)); }

void Call::finish() noexcept {
    if (!error_) {  // complete: nobody else writes it any more
        try {
            assemble();
        } catch (...) {
            const std::scoped_lock hold(mutex_);
            error_ = std::current_exception();
        }
    }
    run_callback([this] { call_back(error_); });
    end(State::done);
}

void Call::end(State state) noexcept {
    std::vector<std::function<void()>> then;
    {
        const std::scoped_lock hold(mutex_);
        state_ = state;
        then.swap(then_);
        changed_.notify_all();
    }
    for (const auto& each : then) run_callback(each);
}

void report_callback(const ErrorHandler* errors, const std::string& subject) noexcept {
    const std::exception_ptr error = std::current_exception();
    try {
        if (errors != nullptr && *errors) return (*errors)(error);
    } catch (...) {  // its own errors are nobody's
    }
    try {
        std::fprintf(stderr, "muster: %s: a callback threw: %s\n", subject.c_str(), text_of(error).c_str());
    } catch (...) {
        std::fputs("muster: a callback threw\n", stderr);
    }
}

}  // namespace muster::detail

// What somebody who gave work to a pool, and the pool itself, know of that work: parts of it are tasks, each of which gives
// a value or an error. Internal; what is typed is in detail/task.hpp.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <muster/detail/object.hpp>
#include <muster/error.hpp>
#include <muster/reader.hpp>
#include <muster/writer.hpp>

namespace muster::detail {

class PoolCore;
// Told of what a callback throws. Empty: a line on stderr.
using ErrorHandler = std::function<void(std::exception_ptr)>;

// One call of a pool: apply, map, submit ... It is queued, until the first of its tasks is given to a worker; running; and
// done, or cancelled. Thread safety: any thread may call anything.
class Call : public std::enable_shared_from_this<Call> {
  public:
    explicit Call(std::size_t parts, std::string name = {}) : name_(std::move(name)), left_(parts) {}
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    virtual ~Call() = default;

    // --- who has given the work ---
    bool ready() const;  // done or cancelled
    bool running() const;
    bool cancelled() const;
    // Only what is queued can be; true when it is cancelled, also by an earlier call. Runs what waits for the end.
    bool cancel();
    // Whether it came to its end in time. Throws deadlock in the thread that would bring it there.
    bool wait_within(Timeout timeout) const;
    // Waits; throws the error there is, `timeout`, `cancelled`.
    void get_within(const char* operation, Timeout timeout) const;
    // Of one that is ready. Null: there is a value.
    std::exception_ptr error() const;
    // `then` runs when the call has come to its end. False: it has already, and `then` was not taken.
    bool when_done(std::function<void()> then);
    // Nobody will ask for what has not begun yet.
    void drop() noexcept;
    // What `then` throws is reported.
    void run_callback(const std::function<void()>& then) const noexcept;
    // "task 7 'report'"
    std::string subject() const;

    // --- the pool ---
    void submitted(const PoolCore& core, std::uint64_t number, std::shared_ptr<const ErrorHandler> errors);
    // Queued becomes running. False: it was cancelled.
    bool begin();
    // A part's outcome: as the worker wrote it; stored by the task itself already; the reason why there is none. Once for
    // each part, of which several may come at once. True: that was the last one, and finish() is the next.
    bool take(std::size_t part, Reader& in) noexcept;
    bool stored(std::size_t part) noexcept;
    bool fail(std::size_t part, std::exception_ptr error) noexcept;
    // It ends with that error, and parts that come later do not count. True: finish() is the next; false: it has all its parts.
    bool abandon(std::exception_ptr error) noexcept;
    // Runs the callbacks, then it is done, then runs what waits for the end.
    void finish() noexcept;
    // Its callbacks are to run in the one thread for that.
    virtual bool has_callbacks() const noexcept { return false; }

    // A name for one thing in one part, for messages: its place in the whole; none: a part is one thing.
    virtual std::optional<std::size_t> place(std::size_t part, std::size_t item) const {
        static_cast<void>(part), static_cast<void>(item);
        return {};
    }

  protected:
    // The value of a part; throws the error that the worker wrote instead. Without the mutex.
    virtual void decode(std::size_t part, Reader& in) = 0;
    // Under the mutex: a part has come. The call's error is that of its first part that has one.
    virtual void arrived(std::size_t part, std::exception_ptr error);
    // Under the mutex.
    virtual void abandoned(const std::exception_ptr& error) { static_cast<void>(error); }
    // All parts have come, and there is no error: makes the value of them. May throw.
    virtual void assemble() {}
    // Without the mutex; `error` null: there is a value.
    virtual void call_back(const std::exception_ptr& error) { static_cast<void>(error); }
    // Throws deadlock where waiting would be for ever.
    void check_may_wait() const;

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;

  private:
    enum class State : std::uint8_t { queued, running, done, cancelled };
    bool note(std::size_t part, std::exception_ptr error) noexcept;
    void end(State state) noexcept;

    const std::string name_;
    State state_ = State::queued;
    bool dropped_ = false;
    bool complete_ = false;  // all parts have come, or it was abandoned
    std::size_t left_, failed_part_ = 0;
    std::exception_ptr error_;
    std::vector<std::function<void()>> then_;
    const PoolCore* core_ = nullptr;  // to be compared
    std::uint64_t number_ = 0;
    std::shared_ptr<const ErrorHandler> errors_;
};

// A task at work in a worker process.
class AtWork {
  public:
    explicit AtWork(std::uint32_t* thing) noexcept : thing_(thing) {}
    // How far a task of many things has come, for whoever asks after a death.
    void at(std::size_t thing) const noexcept { __atomic_store_n(thing_, static_cast<std::uint32_t>(thing), __ATOMIC_RELAXED); }
    // Until its result is on its way.
    void keep(std::shared_ptr<const void> result) { kept_.push_back(std::move(result)); }
    bool keeps() const noexcept { return !kept_.empty(); }

  private:
    std::uint32_t* thing_;
    std::vector<std::shared_ptr<const void>> kept_;
};

// Reads the function and its arguments, calls it, writes what it gives: one value. In a worker process.
using RunTask = void (*)(Reader& in, Writer& out, AtWork& work);

// The same in a thread of this process.
class LocalTask {
  public:
    virtual ~LocalTask() = default;
    // Stores the outcome in the call; true: the call has all its parts.
    virtual bool run() noexcept = 0;
};

// One part of a call on its way to a worker: as bytes, or as it is.
struct Task {
    std::shared_ptr<Call> call;
    std::size_t part = 0;
    RunTask run = nullptr;
    std::vector<std::byte> body;
    std::shared_ptr<const void> kept;  // what the handles in the body name
    std::unique_ptr<LocalTask> local;
    unsigned deliveries = 0;  // so often a worker has died of it
};

// Workers, and the work for them. Thread safety: any thread may call anything.
class PoolCore {
  public:
    virtual ~PoolCore() = default;
    // All of them or none. Throws closed, and what ended the pool. `operation` for the error.
    virtual void submit(const char* operation, std::vector<Task>&& tasks) = 0;
    virtual void close() = 0;
    // What is queued is cancelled.
    virtual void cancel_queued() = 0;
    virtual void terminate() = 0;
    // Until all has ended. Throws invalid_argument when neither close() nor terminate() came before, deadlock.
    virtual void join() = 0;
    virtual std::size_t workers() const noexcept = 0;
    virtual bool in_processes() const noexcept = 0;
    // The destructor of what owns it: terminate and join; nothing in a forked child, to which it does not belong.
    virtual void abandon() noexcept = 0;

  protected:
    // Of the thread that runs callbacks: nothing that this pool does comes to an end while it waits.
    static const PoolCore*& handled_by_this_thread() noexcept;
    friend class Call;
};

// An error on its way: [code, operation, subject, detail]. `write` that which is being handled: a muster::Error as it is,
// others with a fitting code, their type and what().
void write_current_error(Writer& out);
[[noreturn]] void throw_error_of(Reader& in);  // may be a std::bad_alloc
[[noreturn]] void throw_not_encoded();         // an outcome as bytes from a thread: a bug of ours
// what() of whatever it is.
std::string text_of(const std::exception_ptr& error);
// Tells `errors`, or stderr.
void report_callback(const ErrorHandler* errors, const std::string& subject) noexcept;

}  // namespace muster::detail

// One thread for what takes long and touches nothing of the service's: reading a message of a megabyte as JSON, and
// giving its memory back. Meanwhile the service's own thread serves the others.
//
// Thread safety: everything from the io_context's one thread. `work` runs in the other thread, in the order of the
// calls; `done` afterwards in the io_context's, and only then the next work: results do not pile up.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace boost::asio {
class io_context;
}

namespace muster::service {

class Aside {
  public:
    explicit Aside(boost::asio::io_context& context) : context_(context) {}
    ~Aside() { stop(); }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

    // `work` must not throw. The thread is made with the first one; throws when it cannot be.
    void run(std::function<void()> work, std::function<void()> done);
    // Runs `work` before all that waits.
    void run_first(std::function<void()> work);
    // Waits for the work in progress; what was not begun is dropped, and nothing is begun from now on.
    void stop() noexcept;

  private:
    struct Task {
        std::function<void()> work, done;
    };
    void begin();  // the thread, when there is none
    void loop() noexcept;

    boost::asio::io_context& context_;
    std::mutex mutex_;
    std::condition_variable more_;
    std::deque<Task> tasks_;  // under mutex_
    bool stopped_ = false, undelivered_ = false;  // under mutex_
    std::thread thread_;
};

}  // namespace muster::service

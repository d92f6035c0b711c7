// Pool of two processes against a bare pool of two threads, and one task's way there and back against a pair of pipes.
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include <muster/pool.hpp>

#include "realm.hpp"
#include "shared.hpp"

namespace muster::bench {
namespace {

constexpr int workers = 2;

int square(int i) { return i * i; }

// Threads, a deque, a lock: no results, no errors, no deaths.
class BareThreads {
  public:
    BareThreads() {
        for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    }
    BareThreads(const BareThreads&) = delete;
    BareThreads& operator=(const BareThreads&) = delete;
    ~BareThreads() {
        {
            const std::scoped_lock hold(mutex_);
            stop_ = true;
        }
        there_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }
    void post(std::function<void()> task) {
        {
            const std::scoped_lock hold(mutex_);
            tasks_.push_back(std::move(task));
        }
        there_.notify_one();
    }

  private:
    void work() {
        std::unique_lock hold(mutex_);
        for (;;) {
            there_.wait(hold, [&] { return stop_ || !tasks_.empty(); });
            if (tasks_.empty()) return;
            const auto task = std::move(tasks_.front());
            tasks_.pop_front();
            hold.unlock();
            task();
            hold.lock();
        }
    }
    std::mutex mutex_;
    std::condition_variable there_;
    std::deque<std::function<void()>> tasks_;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

struct All {
    Manager manager = local_manager(512u << 20);
    Pool pool{manager, {.processes = workers}};
    BareThreads threads;
};

template <typename Body>
Run timed(Body body) {
    return [body = std::move(body)](std::uint64_t n) mutable {
        const std::uint64_t begin = now_ns();
        body(n);
        return static_cast<double>(now_ns() - begin) / static_cast<double>(n);
    };
}

Setup singles() {
    const auto all = std::make_shared<All>();
    const auto ours = [all](std::uint64_t n) {
        std::vector<AsyncResult<int>> results;
        results.reserve(n);
        for (std::uint64_t i = 0; i < n; ++i) results.push_back(all->pool.apply_async(square, static_cast<int>(i)));
        for (const auto& result : results) keep(result.get());
    };
    const auto bare = [all](std::uint64_t n) {
        std::atomic<std::uint64_t> left{n};
        std::vector<int> results(n);
        for (std::uint64_t i = 0; i < n; ++i)
            all->threads.post([&, i] {
                results[i] = square(static_cast<int>(i));
                left.fetch_sub(1);
                left.notify_one();
            });
        for (std::uint64_t now = left; now != 0; now = left) left.wait(now);
        keep(results);
    };
    return {.ours = timed(ours), .limits = {{"threads, deque, mutex", timed(bare), Goal{Goal::Of::figure, 2e6}}}, .fixed = 50'000};
}

Setup map() {
    const auto all = std::make_shared<All>();
    const auto items = std::make_shared<std::vector<int>>(1'000'000);
    std::iota(items->begin(), items->end(), 0);
    const auto ours = [all, items](std::uint64_t) { keep(all->pool.map(square, *items)); };
    const auto bare = [all, items](std::uint64_t n) {
        std::vector<int> results(n);
        std::atomic<int> left{4 * workers};
        const std::size_t chunk = n / (4 * workers);
        for (std::size_t c = 0; c < 4 * workers; ++c)
            all->threads.post([&, c] {
                for (std::size_t i = c * chunk; i < (c + 1) * chunk; ++i) results[i] = square((*items)[i]);
                left.fetch_sub(1);
                left.notify_one();
            });
        for (int now = left; now != 0; now = left) left.wait(now);
        keep(results);
    };
    return {.ours = timed(ours), .limits = {{"threads, deque, mutex", timed(bare), Goal{Goal::Of::figure, 10e6}}}, .fixed = 1'000'000};
}

// One byte through a pipe to a process that sleeps, and back.
class Pipes {
  public:
    Pipes() {
        if (::pipe(there_) != 0 || ::pipe(back_) != 0) throw std::runtime_error("pipe");
        partner_ = std::make_unique<Partner>(std::vector<Duet>{{[this](std::uint64_t n) { ask(n); }, [this](std::uint64_t n) { answer(n); }}});
    }
    Pipes(const Pipes&) = delete;
    Pipes& operator=(const Pipes&) = delete;
    ~Pipes() {
        for (const int fd : {there_[0], there_[1], back_[0], back_[1]}) ::close(fd);
    }
    double run(std::uint64_t n) { return partner_->run(0, n) / static_cast<double>(n); }

  private:
    static void send(int fd) { (void)!::write(fd, "x", 1); }
    static void receive(int fd) {
        char byte;
        (void)!::read(fd, &byte, 1);
    }
    void ask(std::uint64_t n) {
        for (; n > 0; --n) {
            send(there_[1]);
            receive(back_[0]);
        }
    }
    void answer(std::uint64_t n) {
        for (; n > 0; --n) {
            receive(there_[0]);
            send(back_[1]);
        }
    }
    int there_[2], back_[2];
    std::unique_ptr<Partner> partner_;
};

Setup one() {
    const auto all = std::make_shared<All>();
    const auto pipes = std::make_shared<Pipes>();
    const auto ours = [all](std::uint64_t n) {
        const Pinned pinned(all->pool.pids(), Placed::apart);  // as who answers the pipe is
        for (std::uint64_t i = 0; i < n; ++i) keep(all->pool.apply(square, 3));
    };
    return {.ours = timed(ours),
            .limits = {{"a pair of pipes", [pipes](std::uint64_t n) { return pipes->run(n); }, Goal{Goal::Of::ratio, 1.3}}},
            .fixed = 200};
}

}  // namespace

void add_pool_rows(Rows& rows) {
    rows.push_back({"pool, single tasks", Unit::rate, singles});
    rows.push_back({"pool, map of 1M in chunks", Unit::rate, map});
    rows.push_back({"pool, one task and its result", Unit::nanoseconds, one});
}

}  // namespace muster::bench

// Queue against a single-producer, single-consumer ring in shared memory, and against sleeping on a futex.
#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>

#include "base/futex.hpp"
#include "realm.hpp"
#include "shared.hpp"

namespace muster::bench {
namespace {

// The floor: not crash-safe, for one producer and one consumer, and waiting burns the processor.
class Ring {
  public:
    Ring(std::size_t message, std::size_t slots)
        : message_(message), slots_(slots), memory_(message * slots) {}

    void put(const std::byte* from) noexcept {
        const std::uint64_t tail = ends_->tail.load(std::memory_order_relaxed);
        for (std::uint32_t turns = 0; tail - ends_->head_seen == slots_;) {
            ends_->head_seen = ends_->head.load(std::memory_order_acquire);
            if (tail - ends_->head_seen == slots_) spin_once(turns);
        }
        std::memcpy(memory_.data() + tail % slots_ * message_, from, message_);
        ends_->tail.store(tail + 1, std::memory_order_release);
    }
    void get(std::byte* to) noexcept {
        const std::uint64_t head = ends_->head.load(std::memory_order_relaxed);
        for (std::uint32_t turns = 0; head == ends_->tail_seen;) {
            ends_->tail_seen = ends_->tail.load(std::memory_order_acquire);
            if (head == ends_->tail_seen) spin_once(turns);
        }
        std::memcpy(to, memory_.data() + head % slots_ * message_, message_);
        ends_->head.store(head + 1, std::memory_order_release);
    }

  private:
    struct Ends {
        alignas(64) std::atomic<std::uint64_t> tail{0};
        std::uint64_t head_seen = 0;
        alignas(64) std::atomic<std::uint64_t> head{0};
        std::uint64_t tail_seen = 0;
    };
    std::size_t message_, slots_;
    SharedMemory memory_;
    Shared<Ends> ends_;
};

struct OneProcess {
    Queue<Value64> queue = local_manager(64u << 20).queue<Value64>("bench");
    Ring ring{64, 1024};
    std::shared_ptr<Shared<Mutex>> mutex = make_mutex();
    std::deque<Value64> deque;
};

Setup put_and_get() {
    const auto all = std::make_shared<OneProcess>();
    const auto ours = [all, value = Value64{}]() mutable {
        all->queue.put(value);
        value = all->queue.get();
        keep(value);
    };
    const auto deque = [all, value = Value64{}]() mutable {
        {
            const std::scoped_lock hold(**all->mutex);
            all->deque.push_back(value);
        }
        const std::scoped_lock hold(**all->mutex);
        value = all->deque.front();
        all->deque.pop_front();
        keep(value);
    };
    const auto ring = [all, value = Value64{}]() mutable {
        all->ring.put(value.data());
        all->ring.get(value.data());
        keep(value);
    };
    return {.ours = loop(ours), .limits = {{"std::deque + mutex", loop(deque)}, {"SPSC ring", loop(ring)}}};
}

// What the queue holds for messages of that size, and a message of it.
template <typename Message>
Message make_message(std::size_t size) {
    if constexpr (std::is_same_v<Message, Value64>)
        return {};
    else
        return Message(size);
}

template <typename Message>
struct Stream {
    Stream(std::size_t message, std::size_t slots)
        : size(message),
          queue(local_manager(256u << 20)
                    .queue<Message>("bench", {.maxsize = static_cast<std::int64_t>(slots)})),
          ring(message, slots) {
        const Duet ours{[this](std::uint64_t n) {
                            const auto one = make_message<Message>(size);
                            for (; n > 0; --n) queue.put(one);
                        },
                        [this](std::uint64_t n) {
                            for (; n > 0; --n) keep(queue.get());
                        }};
        const Duet limit{[this](std::uint64_t n) {
                             const std::vector<std::byte> one(size);
                             for (; n > 0; --n) ring.put(one.data());
                         },
                         [this](std::uint64_t n) {
                             std::vector<std::byte> one(size);
                             for (; n > 0; --n) {
                                 ring.get(one.data());
                                 keep(one[0]);
                             }
                         }};
        partner = std::make_unique<Partner>(std::vector<Duet>{ours, limit});
    }
    std::size_t size;
    Queue<Message> queue;
    Ring ring;
    std::unique_ptr<Partner> partner;
};

template <typename Message>
Setup stream(std::size_t size, std::size_t slots, std::uint64_t messages, double goal) {
    const auto all = std::make_shared<Stream<Message>>(size, slots);
    const auto side = [&](std::size_t which) {
        return [all, which](std::uint64_t n) { return all->partner->run(which, n) / static_cast<double>(n); };
    };
    return {
        .ours = side(0), .limits = {{"SPSC ring", side(1), Goal{Goal::Of::ratio, goal}}}, .fixed = messages};
}

// A word that one side counts up and the other waits on, asleep or spinning.
struct alignas(64) Signal {
    std::atomic<std::uint32_t> word{0};

    void raise(bool sleeping) noexcept {
        word.fetch_add(1, std::memory_order_release);
        if (sleeping) base::futex_wake(reinterpret_cast<std::uint32_t*>(&word), 1);
    }
    // Until it is no longer `seen`.
    void wait(std::uint32_t seen, bool sleeping) noexcept {
        for (std::uint32_t turns = 0; word.load(std::memory_order_acquire) == seen;) {
            if (sleeping)
                base::futex_wait(reinterpret_cast<std::uint32_t*>(&word), seen, base::Deadline::never());
            else
                spin_once(turns);
        }
    }
};
struct Signals {
    Signal there, back;
};

// There and back between two processes; the figure is the median round trip.
class PingPong {
  public:
    PingPong() {
        const Duet queues{[this](std::uint64_t n) {
                              sample(n, [&] {
                                  there_.put(Value64{});
                                  keep(back_.get());
                              });
                          },
                          [this](std::uint64_t n) {
                              for (; n > 0; --n) back_.put(there_.get());
                          }};
        partner_ = std::make_unique<Partner>(std::vector<Duet>{queues, by_signals(true), by_signals(false)});
    }
    enum Which : std::size_t { ours, sleeping, spinning };
    double run(Which which, std::uint64_t n) {
        partner_->run(which, n);
        return median(samples_);
    }

  private:
    template <typename Trip>
    void sample(std::uint64_t n, Trip trip) {
        samples_.clear();
        for (; n > 0; --n) {
            const std::uint64_t begin = now_ns();
            trip();
            samples_.push_back(static_cast<double>(now_ns() - begin));
        }
    }
    // Both count from the same number on: every duet ends with the words equal.
    Duet by_signals(bool asleep) {
        return {[this, asleep](std::uint64_t n) {
                    sample(n, [&] {
                        const std::uint32_t seen = signals_->back.word.load(std::memory_order_relaxed);
                        signals_->there.raise(asleep);
                        signals_->back.wait(seen, asleep);
                    });
                },
                [this, asleep](std::uint64_t n) {
                    for (; n > 0; --n) {
                        signals_->there.wait(signals_->back.word.load(std::memory_order_relaxed), asleep);
                        signals_->back.raise(asleep);
                    }
                }};
    }

    Manager manager_ = local_manager(64u << 20);
    Queue<Value64> there_ = manager_.queue<Value64>("there"), back_ = manager_.queue<Value64>("back");
    Shared<Signals> signals_;
    std::vector<double> samples_;
    std::unique_ptr<Partner> partner_;
};

Setup ping_pong() {
    const auto all = std::make_shared<PingPong>();
    const auto side = [&](PingPong::Which which) {
        return [all, which](std::uint64_t n) { return all->run(which, n); };
    };
    return {.ours = side(PingPong::ours),
            .limits = {{"futex", side(PingPong::sleeping), Goal{Goal::Of::ratio, 1.1}},
                       {"spinning on a word", side(PingPong::spinning)}},
            .fixed = 500};
}

}  // namespace

void add_queue_rows(Rows& rows) {
    rows.push_back({"queue put+get 64 B, one process", Unit::nanoseconds, put_and_get});
    // The goals in messages a second, 10 M and 5 M, against a ring that does 64 M and 11 M.
    rows.push_back(
        {"queue 64 B, two processes", Unit::rate, [] { return stream<Value64>(64, 1024, 100'000, 0.16); }});
    rows.push_back({"queue 4 KiB, two processes", Unit::rate,
                    [] { return stream<std::vector<std::byte>>(4096, 1024, 20'000, 0.45); }});
    rows.push_back({"queue 1 MiB, two processes", Unit::rate,
                    [] { return stream<std::vector<std::byte>>(1u << 20, 16, 64, 0.8); }});
    rows.push_back({"queue ping-pong 64 B, p50", Unit::nanoseconds, ping_pong});
}

}  // namespace muster::bench

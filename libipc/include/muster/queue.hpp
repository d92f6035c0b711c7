// Queue<T>: a shared queue, as Python's multiprocessing.Queue, JoinableQueue, queue.LifoQueue and queue.PriorityQueue,
// for many producers and consumers.
//
// An item is either in the queue or was taken by exactly one get; a process killed in between loses none. An item taken
// under a lease is the queue's until it is acknowledged: if the consumer dies, it goes to another one.
// What get, get_many, drain and the like cannot decode (it is no T, or there is no memory for it) stays where it is: the
// call throws type_mismatch, or what T's codec or allocator throws, and the item is the next one out still.
// Blocking calls sleep; whoever dies, no waiter is forgotten for longer than a fraction of a second.
//
// Order: first in first out; last in first out; or lowest first, by the natural order of the values (numbers, strings,
// arrays element by element), equal ones as they came. What has no order (null, maps, a NaN, a string among numbers) is
// refused by put with value_error, and nothing has changed.
//
// Throws Error: closed, destroyed, out_of_memory (nothing changed), limit_exceeded (an item over 1 GiB), type_mismatch,
// invalid_argument (a negative timeout), value_error (no order), timeout (of a call with one: somebody is stopped inside the
// queue, and who).
#pragma once

#include <chrono>
#include <iterator>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <muster/codec.hpp>
#include <muster/detail/lease.hpp>
#include <muster/detail/object.hpp>
#include <muster/detail/take.hpp>
#include <muster/detail/timeout.hpp>
#include <muster/value.hpp>

namespace muster {

enum class Order : unsigned char { fifo = 0, lifo = 1, priority = 2 };

// Used when the queue is created, not when it is opened; but opening it with another order is an error (wrong_kind).
struct QueueOptions {
    std::int64_t maxsize = 0;           // items; 0 and less: no bound
    std::optional<Order> order = {};    // none: first in first out, or what it is
    std::uint32_t max_deliveries = 0;   // so many leases of an item may fail, then it is a dead letter; 0: no limit
};

namespace detail {

class QueueBase : public Handle {
  public:
    using Handle::Handle;
    static constexpr std::size_t max_value = std::size_t{1} << 30;

    using Handle::version;  // watch.hpp
    using Handle::wait_for_change;
    std::size_t size() const;  // what waits: leased items and dead letters do not count
    std::size_t qsize() const { return size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    // Always false for a queue without bound.
    bool full() const;
    std::int64_t maxsize() const;
    Order order() const;
    std::uint32_t max_deliveries() const;
    // Later puts fail with `closed`, gets when the rest is drained (what others have leased belongs to the rest); who
    // waits wakes up to that. Idempotent.
    void close();
    bool closed() const;
    // Takes away what waits, what is leased (ack then fails) and the dead letters.
    void clear();

    // As queue.Queue: an item is unfinished from its put until somebody reports it as done, or acknowledges its lease.
    // One report too many is an error (value_error).
    void task_done();
    // Until nothing is unfinished.
    void join() { (void)join_within({}); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> timeout) {
        return join_within(detail::saturated(timeout));
    }
    std::uint64_t unfinished() const;

    std::size_t leased() const;  // items that consumers have under a lease
    // Dead letters back to the queue's head, with no delivery counted; and away with them. Both give their number.
    std::size_t retry_dead_letters();
    std::size_t drop_dead_letters();

  protected:
    bool put(Bytes value, Timeout timeout);
    std::size_t put_many(const Strings& values, Timeout timeout);
    bool get(const Taker& taker, Timeout timeout);
    // False: closed and drained, or a stop is requested; nothing was taken.
    bool get_unless_closed(const Taker& taker, const std::stop_token& stop);
    std::size_t get_many(std::size_t most, const Taker& taker, Timeout timeout);
    std::size_t drain(const Taker& taker);
    std::optional<LeaseToken> lease(const Taker& taker, Timeout timeout);
    std::optional<LeaseToken> lease_bytes(Buffer& out, Timeout timeout);
    bool peek(Buffer& out) const;
    void read(Strings& out) const;
    void read_dead(Strings& out, std::vector<std::uint64_t>& deliveries) const;
    [[noreturn]] void throw_full() const;
    [[noreturn]] void throw_empty() const;

  private:
    bool join_within(Timeout timeout);
    template <typename Take>
    bool take(const char* operation, Timeout timeout, bool* closed, Take&& take);
};

}  // namespace detail

// An item that is the queue's still. ack() when it is done; nack(), or the end of this object, gives it back to the
// queue's head; so does the death of the process. Move-only; may be settled by any thread of its process. In a forked
// child it is nobody's: ack and nack throw not_owner there, and its end does nothing.
// Throws Error not_owner, too, when the lease is over: settled before, or the queue was cleared.
template <typename T>
class Leased {
  public:
    T& value() noexcept { return value_; }
    const T& value() const noexcept { return value_; }
    // How often it was delivered, this time included.
    std::uint64_t deliveries() const noexcept { return token_.deliveries(); }
    // Done, and reported as such: it counts as its task_done().
    void ack() { token_.ack(); }
    void nack() { token_.nack(); }

    Leased(detail::LeaseToken token, T value) : token_(std::move(token)), value_(std::move(value)) {}

  private:
    detail::LeaseToken token_;
    T value_;
};

template <typename T>
struct DeadLetter {
    T value;
    std::uint64_t deliveries = 0;
};

template <Storable T = Value>
class Queue : public detail::QueueBase {
  public:
    using value_type = T;
    using QueueBase::QueueBase;

    // Blocks while the queue is full.
    void put(const T& value) { (void)put_within(value, {}); }
    // False: still full.
    [[nodiscard]] bool try_put(const T& value) { return put_within(value, std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool put_for(const T& value, std::chrono::duration<Rep, Period> timeout) {
        return put_within(value, detail::saturated(timeout));
    }
    // Throws full.
    void put_nowait(const T& value) {
        if (!try_put(value)) throw_full();
    }
    // Many at once, in their order, as fast as there is room; gives how many were put: less than all only when the time
    // ran out. They come in batches of a hundred or so, each of which nobody's put gets between (and of which a death
    // leaves all or none); into a priority queue one by one. Values without an order: none is put.
    void put_many(const std::vector<T>& values) { (void)put_many_within(values, {}); }
    [[nodiscard]] std::size_t try_put_many(const std::vector<T>& values) {
        return put_many_within(values, std::chrono::nanoseconds(0));
    }
    template <typename Rep, typename Period>
    [[nodiscard]] std::size_t put_many_for(const std::vector<T>& values, std::chrono::duration<Rep, Period> timeout) {
        return put_many_within(values, detail::saturated(timeout));
    }

    // Blocks while the queue is empty.
    T get() {
        return detail::take_value<T>([&](const detail::Taker& taker) { return QueueBase::get(taker, {}); });
    }
    // None: still empty.
    [[nodiscard]] std::optional<T> try_get() { return get_within(std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<T> get_for(std::chrono::duration<Rep, Period> timeout) {
        return get_within(detail::saturated(timeout));
    }
    // Throws empty.
    T get_nowait() {
        auto item = try_get();
        if (!item) throw_empty();
        return std::move(*item);
    }
    // Up to `most` of what is there; waits for the first one. Empty: nothing came in time. They are taken at once as long
    // as they come to less than 64 KiB and T's codec is none of the user's; otherwise in portions, or one by one, between
    // which others may take some. Of items that cannot be decoded it gives those before the first of them; that one stays,
    // and when it is the next one out the call throws.
    std::vector<T> get_many(std::size_t most) { return get_many_within(most, {}); }
    [[nodiscard]] std::vector<T> try_get_many(std::size_t most) { return get_many_within(most, std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::vector<T> get_many_for(std::size_t most, std::chrono::duration<Rep, Period> timeout) {
        return get_many_within(most, detail::saturated(timeout));
    }
    // All that waits, taken out. Never blocks; empty for a closed queue, too. With what cannot be decoded as get_many.
    [[nodiscard]] std::vector<T> drain() {
        return detail::take_many<T>(64, [&](const detail::Taker& taker) { return QueueBase::drain(taker); });
    }

    // for (auto& item : queue.consume()) ...: get after get, until the queue is closed and drained, or a stop is requested:
    // who waits hears of that at once, and takes nothing more, though there be items.
    class Consumption;
    Consumption consume(std::stop_token stop = {}) { return Consumption(*this, std::move(stop)); }

    // As get, but under a lease. What cannot be decoded goes back at once, as with nack(): a delivery that failed.
    Leased<T> get_leased() { return *lease_within({}); }
    [[nodiscard]] std::optional<Leased<T>> try_get_leased() { return lease_within(std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<Leased<T>> get_leased_for(std::chrono::duration<Rep, Period> timeout) {
        return lease_within(detail::saturated(timeout));
    }
    // What was delivered max_deliveries times and never acknowledged, the oldest first; it stays there. (Dead letters
    // live in the queue itself, so that no death can lose or double one on its way.)
    std::vector<DeadLetter<T>> dead_letters() const {
        detail::Strings all;
        std::vector<std::uint64_t> deliveries;
        read_dead(all, deliveries);
        std::vector<DeadLetter<T>> out;
        out.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) out.push_back({decode<T>(all[i]), deliveries[i]});
        return out;
    }

    // The next item, left where it is.
    std::optional<T> peek() const {
        detail::Buffer out;
        if (!QueueBase::peek(out)) return {};
        return decode<T>(out.bytes());
    }
    // All items, as of one moment, next out first.
    std::vector<T> snapshot() const {
        detail::Strings all;
        read(all);
        return decode_all(all);
    }

  private:
    static std::vector<T> decode_all(const detail::Strings& all) {
        std::vector<T> out;
        out.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) out.push_back(decode<T>(all[i]));
        return out;
    }
    bool put_within(const T& value, detail::Timeout timeout) {
        Writer v;
        encode(v, value);
        return QueueBase::put(v.bytes(), timeout);
    }
    std::size_t put_many_within(const std::vector<T>& values, detail::Timeout timeout) {
        detail::Strings all;
        for (const T& value : values) {
            Writer v;
            encode(v, value);
            all.add(v.bytes());
        }
        return QueueBase::put_many(all, timeout);
    }
    std::optional<T> get_within(detail::Timeout timeout) {
        return detail::take_one<T>([&](const detail::Taker& taker) { return QueueBase::get(taker, timeout); });
    }
    std::vector<T> get_many_within(std::size_t most, detail::Timeout timeout) {
        return detail::take_many<T>(most,
                                    [&](const detail::Taker& taker) { return QueueBase::get_many(most, taker, timeout); });
    }
    std::optional<Leased<T>> lease_within(detail::Timeout timeout) {
        std::optional<detail::LeaseToken> token;
        auto item = detail::take_one<T>([&](const detail::Taker& taker) {
            token = QueueBase::lease(taker, timeout);
            return token.has_value();
        });
        if (!item) return {};
        return Leased<T>(std::move(*token), std::move(*item));
    }
};

template <Storable T>
class Queue<T>::Consumption {
  public:
    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = T*;
        using reference = T&;

        explicit Iterator(Consumption* of) : of_(of) { ++*this; }
        T& operator*() const { return *of_->item_; }
        T* operator->() const { return &*of_->item_; }
        Iterator& operator++() {
            of_->item_.reset();
            const auto make = [this](std::size_t, const detail::Encoded& item, const detail::Encoded&) { of_->item_.emplace(decode<T>(item)); };
            if (!of_->queue_.get_unless_closed(detail::Taker(make, detail::DecodedByLibrary<T>), of_->stop_)) {
                of_->item_.reset();
                of_ = nullptr;
            }
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return of_ == nullptr; }

      private:
        Consumption* of_;
    };
    explicit Consumption(Queue queue, std::stop_token stop = {}) : queue_(std::move(queue)), stop_(std::move(stop)) {}
    Iterator begin() { return Iterator(this); }  // takes the first item
    std::default_sentinel_t end() const noexcept { return {}; }

  private:
    Queue queue_;
    std::stop_token stop_;
    std::optional<T> item_;
};

}  // namespace muster

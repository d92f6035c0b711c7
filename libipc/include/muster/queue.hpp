// Queue<T>: a shared first-in first-out queue, as Python's multiprocessing.Queue, for many producers and consumers.
//
// An item is either in the queue or was taken by exactly one get; a process killed in between loses none. Blocking calls
// sleep; whoever dies, no waiter is forgotten for longer than a fraction of a second.
// Throws Error: closed, destroyed, out_of_memory (nothing changed), limit_exceeded (an item over 1 GiB), type_mismatch,
// invalid_argument (a negative timeout), timeout (of a call with one: somebody is stopped inside the queue, and who).
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include <muster/codec.hpp>
#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>
#include <muster/value.hpp>

namespace muster {

struct QueueOptions {
    std::int64_t maxsize = 0;  // items; 0 and less: no bound. Used when the queue is created, not when it is opened.
};

namespace detail {

class QueueBase : public Handle {
  public:
    using Handle::Handle;
    static constexpr std::size_t max_value = std::size_t{1} << 30;

    std::size_t size() const;
    std::size_t qsize() const { return size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    // Always false for a queue without bound.
    bool full() const;
    std::int64_t maxsize() const;
    // Later puts fail with `closed`, gets when the rest is drained; who waits wakes up to that. Idempotent.
    void close();
    bool closed() const;
    void clear();

  protected:
    bool put(Bytes value, Timeout timeout);
    bool get(Buffer& out, Timeout timeout);
    bool peek(Buffer& out) const;
    void read(Strings& out) const;
    [[noreturn]] void throw_full() const;
    [[noreturn]] void throw_empty() const;
};

}  // namespace detail

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

    // Blocks while the queue is empty.
    T get() { return *get_within({}); }
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

    // The next item, left where it is.
    std::optional<T> peek() const {
        detail::Buffer out;
        if (!QueueBase::peek(out)) return {};
        return decode<T>(out.bytes());
    }
    // All items, as of one moment, first out first.
    std::vector<T> snapshot() const {
        detail::Strings all;
        read(all);
        std::vector<T> out;
        out.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) out.push_back(decode<T>(all[i]));
        return out;
    }

  private:
    bool put_within(const T& value, detail::Timeout timeout) {
        Writer v;
        encode(v, value);
        return QueueBase::put(v.bytes(), timeout);
    }
    std::optional<T> get_within(detail::Timeout timeout) {
        detail::Buffer out;
        if (!QueueBase::get(out, timeout)) return {};
        return decode<T>(out.bytes());
    }
};

}  // namespace muster

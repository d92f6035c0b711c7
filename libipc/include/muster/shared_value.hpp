// SharedValue<T>: one shared number, as multiprocessing.Value, but atomic: += is one step, and a process killed in the
// middle of it has either done it or not.
//
// T: bool, an integral type, float or double. Every call is atomic and ordered as seq_cst; reading locks nothing.
// Arithmetic on integers wraps around, as std::atomic's.
// get_lock() is the number's own RLock, for several calls as one among all who take it, as multiprocessing's. The calls
// themselves do not take it: they are atomic without, and keep nobody waiting. (What can be stored is the number, not it.)
// Throws Error: destroyed. Opening one that holds another type of number throws type_mismatch.
#pragma once

#include <vector>

#include <muster/detail/object.hpp>
#include <muster/detail/scalar.hpp>
#include <muster/lock.hpp>

namespace muster {

namespace detail {

class ScalarsBase : public Handle {
  public:
    using Handle::version;  // watch.hpp
    using Handle::wait_for_change;
    RLock get_lock() const { return RLock(state_); }

  protected:
    // Throws type_mismatch.
    ScalarsBase(std::shared_ptr<ObjectState> state, ScalarType type);

    std::uint64_t load_bits(std::uint64_t index) const;
    std::uint64_t exchange_bits(std::uint64_t index, std::uint64_t bits);
    bool compare_exchange_bits(std::uint64_t index, std::uint64_t& expected, std::uint64_t bits);
    std::size_t length() const;
    void read(std::uint64_t first, std::span<std::byte> out, std::uint64_t* version = nullptr) const;
    bool write(std::uint64_t first, std::span<const std::byte> values, const std::uint64_t* version = nullptr);
    // The element that a Python index means. Throws index_error.
    std::uint64_t position(const char* operation, std::ptrdiff_t index) const;
    void check_range(const char* operation, std::size_t first, std::size_t count) const;

    // number = change(number); the old one.
    template <Scalar T, typename Change>
    T change(std::uint64_t index, Change&& change) {
        std::uint64_t seen = load_bits(index);
        while (!compare_exchange_bits(index, seen, to_bits<T>(change(from_bits<T>(seen))))) {
        }
        return from_bits<T>(seen);
    }
    // Without the overflow that is undefined for signed integers.
    template <Scalar T>
    static T sum(T a, T b) noexcept {
        if constexpr (std::integral<T>)
            return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
        else
            return a + b;
    }
    template <Scalar T>
    static T difference(T a, T b) noexcept {
        if constexpr (std::integral<T>)
            return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
        else
            return a - b;
    }
};

}  // namespace detail

template <Scalar T>
class SharedValue : public detail::ScalarsBase {
  public:
    using value_type = T;

    explicit SharedValue(std::shared_ptr<detail::ObjectState> state) : ScalarsBase(std::move(state), scalar_type_of<T>()) {}

    T get() const { return detail::from_bits<T>(load_bits(0)); }
    T load() const { return get(); }
    void set(T value) { (void)exchange(value); }
    void store(T value) { set(value); }
    // The number that was there.
    T exchange(T value) { return detail::from_bits<T>(exchange_bits(0, detail::to_bits(value))); }
    // As std::atomic's: false, and `expected` gets the number that is there. Compares bits: 0.0 is not -0.0.
    bool compare_exchange(T& expected, T desired) {
        std::uint64_t bits = detail::to_bits(expected);
        const bool done = compare_exchange_bits(0, bits, detail::to_bits(desired));
        expected = detail::from_bits<T>(bits);
        return done;
    }
    // These return the number before.
    T fetch_add(T by) requires(!std::same_as<T, bool>) {
        return change<T>(0, [by](T now) { return sum(now, by); });
    }
    T fetch_sub(T by) requires(!std::same_as<T, bool>) {
        return change<T>(0, [by](T now) { return difference(now, by); });
    }
    // Atomically number = change(number); `change` may run again if somebody else was faster. Returns the new number.
    template <std::invocable<T> Change>
    T update(Change&& change) {
        T next{};
        (void)this->template change<T>(0, [&](T now) { return next = change(now); });
        return next;
    }

    operator T() const { return get(); }  // implicit: it reads as the number itself
    SharedValue& operator=(T value) {
        set(value);
        return *this;
    }
    T operator+=(T by) requires(!std::same_as<T, bool>) { return sum(fetch_add(by), by); }
    T operator-=(T by) requires(!std::same_as<T, bool>) { return difference(fetch_sub(by), by); }
    T operator++() requires(!std::same_as<T, bool>) { return *this += T{1}; }
    T operator--() requires(!std::same_as<T, bool>) { return *this -= T{1}; }
};

}  // namespace muster

// Array<T>: a shared array of numbers of fixed length, as multiprocessing.Array. Zero where nothing was given.
//
// T: bool, an integral type, float or double. Each call is atomic, those on ranges too: a process killed in the middle of
// one has changed all of the range or nothing. Reading locks nothing.
// get_lock() is the array's own RLock, as SharedValue's.
// Indices are Python's: negative ones count from the end. Throws Error: index_error, destroyed, out_of_memory (a range
// of more than 200 words is replaced by way of a copy; nothing changed). Opening one that holds another type of number
// throws type_mismatch, one of another length value_error.
#pragma once

#include <muster/shared_value.hpp>

namespace muster {

template <Scalar T>
class Array : public detail::ScalarsBase {
  public:
    using value_type = T;
    using Index = std::ptrdiff_t;
    class Element;

    explicit Array(std::shared_ptr<detail::ObjectState> state) : ScalarsBase(std::move(state), scalar_type_of<T>()) {}

    std::size_t size() const { return length(); }

    T get(Index index) const { return detail::from_bits<T>(load_bits(position("get", index))); }
    void set(Index index, T value) { (void)exchange_bits(position("set", index), detail::to_bits(value)); }
    // Returns the number before.
    T fetch_add(Index index, T by) requires(!std::same_as<T, bool>) {
        return change<T>(position("fetch_add", index), [by](T now) { return sum(now, by); });
    }
    Element operator[](Index index) { return {*this, index}; }
    T operator[](Index index) const { return get(index); }

    // As of one moment.
    std::vector<T> snapshot() const { return slice(0, size()); }
    // Throws index_error unless first + count <= size().
    std::vector<T> slice(std::size_t first, std::size_t count) const {
        check_range("slice", first, count);
        Plain plain(count);
        read(first, plain.bytes());
        return std::move(plain).take();
    }
    // Elements first ... first + values.size() - 1, all at once.
    void assign(std::size_t first, std::span<const T> values) {
        check_range("assign", first, values.size());
        write(first, std::as_bytes(values));
    }
    void fill(T value) {
        const std::size_t count = size();
        Plain plain(count);
        for (std::size_t i = 0; i < count; ++i) plain.span()[i] = value;
        write(0, plain.bytes());
    }
    // Atomically: `change` gets all numbers as a std::span<T> of its own and changes them; they become the array's at
    // once. It runs without any lock, and again if somebody else was faster, so it must have no other effect.
    template <std::invocable<std::span<T>> Change>
    void update(Change&& change) {
        const std::size_t count = size();
        for (;;) {
            Plain plain(count);
            std::uint64_t version = 0;
            read(0, plain.bytes(), &version);
            change(plain.span());
            if (write(0, plain.bytes(), &version)) return;
        }
    }
    // The same under get_lock(), which others who take it wait for. Who changes the array without it is not kept out, and
    // makes it run again.
    template <std::invocable<std::span<T>> Change>
    void with_lock(Change&& change) {
        RLock lock = get_lock();
        const std::scoped_lock hold(lock);
        update(change);
    }

  private:
    // Numbers in memory of our own. (std::vector<bool> has no bytes.)
    class Plain {
      public:
        explicit Plain(std::size_t count) : size_(count), numbers_(new T[count]{}) {}
        std::span<T> span() noexcept { return {numbers_.get(), size_}; }
        std::span<std::byte> bytes() noexcept { return std::as_writable_bytes(span()); }
        std::vector<T> take() && { return std::vector<T>(numbers_.get(), numbers_.get() + size_); }

      private:
        std::size_t size_;
        std::unique_ptr<T[]> numbers_;
    };
};

// What array[i] stands for. Not to be kept longer than the array's handle.
template <Scalar T>
class Array<T>::Element {
  public:
    operator T() const { return array_.get(index_); }  // implicit: it reads as the number itself
    const Element& operator=(T value) const {
        array_.set(index_, value);
        return *this;
    }
    // One step. Returns the new number.
    T operator+=(T by) const { return sum(array_.fetch_add(index_, by), by); }
    T operator-=(T by) const { return *this += difference(T{}, by); }

  private:
    friend class Array;
    Element(Array& array, Index index) : array_(array), index_(index) {}
    Array& array_;
    Index index_;
};

}  // namespace muster

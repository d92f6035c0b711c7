// List<T>: a shared list, as Python's list behind a Manager. Inserting and erasing anywhere is O(log n).
//
// Every call is atomic, extend() of a million elements too. Readers lock nothing. Indices may be negative, from the end,
// as Python's. Throws Error: index_error, value_error (no such value), destroyed, out_of_memory (nothing changed),
// limit_exceeded (an element over 1 GiB), type_mismatch (a stored element is no T; pop, too, then leaves it where it is, as
// when there is no memory to decode it).
#pragma once

#include <concepts>
#include <initializer_list>
#include <limits>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

#include <muster/codec.hpp>
#include <muster/detail/object.hpp>
#include <muster/detail/take.hpp>
#include <muster/value.hpp>

namespace muster {

using Index = std::ptrdiff_t;

namespace detail {

class ListBase : public Handle {
  public:
    using Handle::Handle;
    static constexpr std::size_t max_value = std::size_t{1} << 30;

    std::size_t size() const;
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear();
    using Handle::version;  // watch.hpp
    using Handle::wait_for_change;
    void reverse();
    // By the natural order of the values, stable; values that do not compare: value_error, nothing changed.
    void sort(bool descending = false);
    // Throws index_error.
    void erase(Index index);
    // Python's del list[start:stop:step].
    void erase_slice(std::optional<Index> start, std::optional<Index> stop, Index step = 1);

  protected:
    void get(Index index, Buffer& out) const;
    void set(Index index, Bytes value);
    bool set_if_equal(Index index, Bytes value, Bytes expected, Buffer& present);
    void append(Bytes value);
    void insert_before(Index index, Bytes value);
    void append_all(const Strings& values);
    void assign(std::optional<Index> start, std::optional<Index> stop, Index step, const Strings& values);
    void repeat(Index times);
    void take(Index index, const Taker& taker);
    // The first that equals, in Python's sense; [start, stop) clamped as a slice.
    std::optional<std::size_t> find(Bytes value, Index start, Index stop) const;
    std::size_t count_equal(Bytes value) const;
    bool remove_equal(Bytes value);
    void read(std::optional<Index> start, std::optional<Index> stop, Index step, Strings& out) const;
    [[noreturn]] void throw_no_value(const char* operation) const;
};

}  // namespace detail

template <Storable T = Value>
class List : public detail::ListBase {
  public:
    using value_type = T;
    using ListBase::ListBase;
    static constexpr Index last = std::numeric_limits<Index>::max();

    // --- reading ---
    T at(Index index) const {
        detail::Buffer out;
        ListBase::get(index, out);
        return decode<T>(out.bytes());
    }
    T operator[](Index index) const { return at(index); }
    // Python's list[start:stop:step]: bounds are clamped, none means from the end the step comes from.
    std::vector<T> slice(std::optional<Index> start, std::optional<Index> stop = {}, Index step = 1) const {
        detail::Strings all;
        read(start, stop, step, all);
        std::vector<T> out;
        out.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) out.push_back(decode<T>(all[i]));
        return out;
    }
    // All, as of one moment: plain data, as Python's list.copy() behind a Manager.
    std::vector<T> snapshot() const { return slice({}, {}); }
    std::vector<T> copy() const { return snapshot(); }
    // The first index of an equal element in [start, stop). Throws value_error.
    std::size_t index(const T& value, Index start = 0, Index stop = last) const {
        const auto found = find(value, start, stop);
        if (!found) throw_no_value("index");
        return *found;
    }
    std::optional<std::size_t> find(const T& value, Index start = 0, Index stop = last) const {
        Writer v;
        encode(v, value);
        return ListBase::find(v.bytes(), start, stop);
    }
    bool contains(const T& value) const { return find(value).has_value(); }
    std::size_t count(const T& value) const {
        Writer v;
        encode(v, value);
        return count_equal(v.bytes());
    }

    // --- changing ---
    void push_back(const T& value) {
        Writer v;
        encode(v, value);
        ListBase::append(v.bytes());
    }
    void append(const T& value) { push_back(value); }
    template <std::ranges::input_range Values>
    void extend(Values&& values) {
        append_all(encoded(std::forward<Values>(values)));
    }
    void extend(std::initializer_list<T> values) { append_all(encoded(values)); }
    // By what the other list is at some moment before: so it may be this one.
    void extend(const List& other) { extend(other.snapshot()); }
    template <std::ranges::input_range Values>
    List& operator+=(Values&& values) {
        extend(std::forward<Values>(values));
        return *this;
    }
    List& operator+=(const List& other) {
        extend(other);
        return *this;
    }
    List& operator+=(std::initializer_list<T> values) {
        extend(values);
        return *this;
    }
    // The list so many times over; zero and less: it is empty.
    List& operator*=(Index times) {
        repeat(times);
        return *this;
    }
    // Python's list[start:stop:step] = values. With a step of 1 the slice gives way to values of any number (an empty one
    // stands before `start`). With any other there must be as many values as the slice has elements: else value_error,
    // and nothing has changed.
    template <std::ranges::input_range Values>
    void assign_slice(std::optional<Index> start, std::optional<Index> stop, Values&& values, Index step = 1) {
        assign(start, stop, step, encoded(std::forward<Values>(values)));
    }
    void assign_slice(std::optional<Index> start, std::optional<Index> stop, std::initializer_list<T> values,
                      Index step = 1) {
        assign(start, stop, step, encoded(values));
    }
    // Throws index_error.
    void set(Index index, const T& value) {
        Writer v;
        encode(v, value);
        ListBase::set(index, v.bytes());
    }
    // Before that index; clamped, as Python's.
    void insert(Index index, const T& value) {
        Writer v;
        encode(v, value);
        insert_before(index, v.bytes());
    }
    // Throws index_error (also when empty).
    T pop(Index index = -1) {
        return detail::take_value<T>([&](const detail::Taker& taker) {
            take(index, taker);
            return true;
        });
    }
    // The first equal one. Throws value_error when there is none.
    void remove(const T& value) {
        Writer v;
        encode(v, value);
        if (!remove_equal(v.bytes())) throw_no_value("remove");
    }
    // Atomically list[index] = change(list[index]); see Dict::update. Returns the new value.
    template <typename Change>
    T update(Index index, Change&& change) {
        detail::Buffer seen[2];
        ListBase::get(index, seen[0]);
        for (int turn = 0;; turn ^= 1) {
            T next = change(decode<T>(seen[turn].bytes()));
            Writer v;
            encode(v, next);
            if (set_if_equal(index, v.bytes(), seen[turn].bytes(), seen[turn ^ 1])) return next;
        }
    }

    // --- plain data, as in Python; of each list what it is at one moment ---
    friend std::vector<T> operator+(const List& a, const List& b) { return joined(a.snapshot(), b.snapshot()); }
    template <std::ranges::input_range Values>
        requires std::convertible_to<std::ranges::range_reference_t<Values>, T>
    friend std::vector<T> operator+(const List& a, Values&& b) {
        return joined(a.snapshot(), std::forward<Values>(b));
    }
    template <std::ranges::input_range Values>
        requires std::convertible_to<std::ranges::range_reference_t<Values>, T>
    friend std::vector<T> operator+(Values&& a, const List& b) {
        return joined(joined({}, std::forward<Values>(a)), b.snapshot());
    }
    friend std::vector<T> operator*(const List& list, Index times) {
        std::vector<T> once = list.snapshot(), all;
        for (; times > 0 && !once.empty(); --times) all.insert(all.end(), once.begin(), once.end());
        return all;
    }
    friend std::vector<T> operator*(Index times, const List& list) { return list * times; }

  private:
    template <typename Values>
    static detail::Strings encoded(Values&& values) {
        detail::Strings all;
        for (const auto& value : values) {
            Writer v;
            encode(v, static_cast<const T&>(value));
            all.add(v.bytes());
        }
        return all;
    }
    template <typename Values>
    static std::vector<T> joined(std::vector<T> to, Values&& values) {
        for (const auto& value : values) to.push_back(static_cast<T>(value));
        return to;
    }
};

}  // namespace muster

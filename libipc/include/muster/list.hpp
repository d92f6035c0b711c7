// List<T>: a shared list, as Python's list behind a Manager. Inserting and erasing anywhere is O(log n).
//
// Every call is atomic, extend() of a million elements too. Readers lock nothing. Indices may be negative, from the end,
// as Python's. Throws Error: index_error, value_error (no such value), destroyed, out_of_memory (nothing changed),
// limit_exceeded (an element over 1 GiB), type_mismatch (a stored element is no T; pop, too, then leaves it where it is, as
// when there is no memory to decode it).
#pragma once

#include <initializer_list>
#include <limits>
#include <optional>
#include <ranges>
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
    // All, as of one moment.
    std::vector<T> snapshot() const { return slice({}, {}); }
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
        detail::Strings all;
        for (const auto& value : values) {
            Writer v;
            encode(v, static_cast<const T&>(value));
            all.add(v.bytes());
        }
        append_all(all);
    }
    void extend(std::initializer_list<T> values) { extend(std::vector<T>(values)); }
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
};

}  // namespace muster

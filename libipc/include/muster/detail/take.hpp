// How a value comes out of a shared object: it is decoded before the object lets go of it. So what cannot be decoded, for
// want of memory or because it is of another type, stays where it was, and the error says why. Internal.
//
// Code of the user's (a codec of his own) does not run while the object is locked: the bytes are copied, decoded without a
// lock, and taken if they still are what comes next; otherwise once more with what does. What runs the library's and the
// standard's code alone is decoded under the lock, unless it is large.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/codec.hpp>
#include <muster/detail/object.hpp>

namespace muster::detail {

// What makes values of bytes that are about to be taken: of the item at place `at` of those that the call takes, or of a
// key and its value. It may run more than once for a place; the last time counts. What it throws leaves the item.
class Taker {
  public:
    template <typename Decode>
    Taker(const Decode& decode, bool of_library) noexcept
        : run_([](const void* context, std::size_t at, const Encoded& first, const Encoded& second) {
              (*static_cast<const Decode*>(context))(at, first, second);
          }),
          context_(&decode),
          of_library_(of_library) {}
    void operator()(std::size_t at, const Encoded& first, const Encoded& second = {}) const { run_(context_, at, first, second); }
    // May it run while the object is locked, after others were faster so often?
    bool may_run_locked(std::size_t bytes, int lost = 0) const noexcept {
        return of_library_ && (bytes <= most_locked || lost >= patience);
    }
    bool of_library() const noexcept { return of_library_; }

  private:
    static constexpr std::size_t most_locked = 16 * 1024;
    static constexpr int patience = 8;
    void (*run_)(const void*, std::size_t, const Encoded&, const Encoded&);
    const void* context_;
    bool of_library_;
};

template <typename T>
struct Decoding {
    T operator()(const Encoded& bytes, const Encoded&) const { return decode<T>(bytes); }
};

// What `take(const Taker&)`, which gives false for nothing, takes. Once it is taken it is not moved any more: a move may
// throw.
template <typename T, bool of_library = DecodedByLibrary<T>, typename Take, typename Decode = Decoding<T>>
std::optional<T> take_one(Take&& take, const Decode& decode = {}) {
    std::optional<T> item;
    const auto make = [&](std::size_t, const Encoded& first, const Encoded& second) { item.emplace(decode(first, second)); };
    if (!take(Taker(make, of_library))) item.reset();
    return item;
}

// The same where there always is something, for a T whose move may throw: it is made where the caller gets it. The value is
// a variable of the function's own block: g++ 12 constructs no other in the place of the result.
template <typename T, bool of_library, typename Take, typename Decode>
T take_in_place(Take&& take, const Decode& decode) {
    T item{};
    const auto make = [&](std::size_t, const Encoded& first, const Encoded& second) { item = decode(first, second); };
    take(Taker(make, of_library));
    return item;
}

// The same for any T.
template <typename T, bool of_library = DecodedByLibrary<T>, typename Take, typename Decode = Decoding<T>>
T take_value(Take&& take, const Decode& decode = {}) {
    if constexpr (!std::is_nothrow_move_constructible_v<T> && std::is_default_constructible_v<T> && std::is_move_assignable_v<T>)
        return take_in_place<T, of_library>(take, decode);
    std::optional<T> item;
    const auto make = [&](std::size_t, const Encoded& first, const Encoded& second) { item.emplace(decode(first, second)); };
    take(Taker(make, of_library));
    return std::move(*item);
}

// As many as `take(const Taker&)` says that it took; `most` at the most, for the room for a few of them.
template <typename T, typename Take>
std::vector<T> take_many(std::size_t most, Take&& take) {
    std::vector<T> items;
    items.reserve(std::min(most, 1 + 2048 / sizeof(T)));
    const auto make = [&](std::size_t at, const Encoded& bytes, const Encoded&) {
        while (items.size() > at) items.pop_back();
        items.push_back(decode<T>(bytes));
    };
    const std::size_t taken = take(Taker(make, DecodedByLibrary<T>));
    while (items.size() > taken) items.pop_back();
    return items;
}

}  // namespace muster::detail

#include <muster/list.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>

#include <muster/detail/order.hpp>

#include "handles/departing.hpp"

namespace muster::detail {
namespace {

containers::Sequence sequence_of(const ObjectState& state) { return {state.segment(), state.ref}; }

// As `guarded`, for what only lists throw.
template <typename Fn>
decltype(auto) guarded_list(const ObjectState& state, const char* operation, Fn&& fn) {
    try {
        return guarded(state, operation, fn);
    } catch (const containers::TooManyItems&) {
        throw Error(Errc::limit_exceeded, operation, state.subject(),
                    "a list has at most " + std::to_string(containers::max_items) + " elements");
    }
}

[[noreturn]] void throw_index(const ObjectState& state, const char* operation, Index index, std::uint64_t size) {
    throw Error(Errc::index_error, operation, state.subject(),
                "index " + std::to_string(index) + " of " + std::to_string(size) + " elements");
}

// An index from the end when negative; none outside.
std::optional<std::uint64_t> resolve(Index index, std::uint64_t size) noexcept {
    const std::uint64_t back = 0 - static_cast<std::uint64_t>(index);
    if (index < 0 && back > size) return {};
    const std::uint64_t at = index < 0 ? size - back : static_cast<std::uint64_t>(index);
    return at < size ? std::optional(at) : std::nullopt;
}

// As a slice's bound: cut to what there is.
std::uint64_t clamp(Index index, std::uint64_t size) noexcept {
    const std::uint64_t back = 0 - static_cast<std::uint64_t>(index);
    if (index < 0) return back > size ? 0 : size - back;
    return std::min(static_cast<std::uint64_t>(index), size);
}

// Python's slice.indices(): first, past the last, in steps; count elements.
struct Slice {
    Index first = 0, step = 1;
    std::uint64_t count = 0;
    std::uint64_t at(std::uint64_t i) const noexcept {
        return static_cast<std::uint64_t>(first + static_cast<Index>(i) * step);
    }
};
Slice slice_of(std::optional<Index> start, std::optional<Index> stop, Index step, std::uint64_t size) noexcept {
    const auto n = static_cast<Index>(std::min(size, containers::max_items));
    const Index lower = step > 0 ? 0 : -1, upper = step > 0 ? n : n - 1;
    const auto bound = [&](std::optional<Index> given, Index otherwise) {
        if (!given) return otherwise;
        if (*given < 0) return *given < -n ? lower : std::max(*given + n, lower);
        return std::min(*given, upper);
    };
    const Index from = bound(start, step > 0 ? lower : upper), to = bound(stop, step > 0 ? upper : lower);
    Slice slice{from, step, 0};
    if (step > 0 && from < to) slice.count = static_cast<std::uint64_t>((to - from - 1) / step + 1);
    if (step < 0 && from > to) {
        // -step would overflow for the smallest index.
        const auto stride = static_cast<std::uint64_t>(-(step + 1)) + 1;
        slice.count = (static_cast<std::uint64_t>(from - to) - 1) / stride + 1;
    }
    return slice;
}

void check_step(const ObjectState& state, const char* operation, Index step) {
    if (step == 0) throw Error(Errc::value_error, operation, state.subject(), "a slice's step cannot be 0");
}

// Keep what it returns until the change is done.
[[nodiscard]] Entering check_value(const ObjectState& state, const char* operation, Bytes value) {
    check_size(state, operation, "an element", value.size(), ListBase::max_value);
    return {state, operation, value};
}

// `compute` reads the list and thinks, without its lock; `apply` runs under it, if the list is still the same. A list
// that changes all the time is in the end computed under its lock, too.
template <typename Compute, typename Apply>
void change_unchanged(const ObjectState& state, Compute&& compute, Apply&& apply) {
    constexpr int tries = 4;
    containers::Sequence sequence = sequence_of(state);
    for (int i = 0; i < tries; ++i) {
        const std::uint64_t version = sequence.version();
        compute(sequence);
        heap::ObjectLock lock = sequence.lock();
        if (sequence.version() == version) return apply(sequence, lock);
    }
    heap::ObjectLock lock = sequence.lock();
    compute(sequence);
    apply(sequence, lock);
}

}  // namespace

std::size_t ListBase::size() const {
    return guarded(*state_, "size", [&] { return static_cast<std::size_t>(sequence_of(*state_).size()); });
}

void ListBase::clear() {
    guarded(*state_, "clear", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        sequence.clear(lock);
    });
}

void ListBase::reverse() {
    guarded(*state_, "reverse", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        sequence.reverse(lock);
    });
}

void ListBase::sort(bool descending) {
    guarded(*state_, "sort", [&] {
        Strings all;
        std::vector<std::uint32_t> order;
        const auto compute = [&](containers::Sequence& sequence) {
            sequence.read(0, containers::max_items, all);
            order.resize(all.size());
            std::iota(order.begin(), order.end(), 0u);
            const auto before = [&](std::uint32_t a, std::uint32_t b) {
                const std::partial_ordering result = descending ? compare(all[b], all[a]) : compare(all[a], all[b]);
                if (result == std::partial_ordering::unordered)
                    throw Error(Errc::value_error, "sort", state_->subject(), "elements that do not compare");
                return result < 0;
            };
            std::stable_sort(order.begin(), order.end(), before);
        };
        change_unchanged(*state_, compute, [&](containers::Sequence& sequence, heap::ObjectLock& lock) {
            sequence.rearrange(lock, {}, order, order.size());
        });
    });
}

void ListBase::erase(Index index) {
    guarded(*state_, "erase", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        const std::uint64_t size = sequence.size();
        const auto at = resolve(index, size);
        if (!at || !sequence.erase(lock, *at)) throw_index(*state_, "erase", index, size);
    });
}

void ListBase::erase_slice(std::optional<Index> start, std::optional<Index> stop, Index step) {
    check_step(*state_, "erase", step);
    guarded(*state_, "erase", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        const std::uint64_t size = sequence.size();
        const Slice slice = slice_of(start, stop, step, size);
        if (slice.count == 0) return;
        if (step == 1) return sequence.splice(lock, slice.at(0), slice.at(0) + slice.count, {});
        std::vector<bool> goes(size);
        for (std::uint64_t i = 0; i < slice.count; ++i) goes[slice.at(i)] = true;
        std::vector<std::uint32_t> order;  // those that stay, then those that go
        order.reserve(size);
        for (const bool going : {false, true})
            for (std::uint32_t i = 0; i < size; ++i)
                if (goes[i] == going) order.push_back(i);
        sequence.rearrange(lock, {}, order, size - slice.count);
    });
}

void ListBase::get(Index index, Buffer& out) const {
    guarded(*state_, "get", [&] {
        const containers::Sequence sequence = sequence_of(*state_);
        reading(*state_, out, [&] {
            if (index >= 0) {  // the common case needs no size
                if (sequence.get(static_cast<std::uint64_t>(index), out)) return;
                throw_index(*state_, "get", index, sequence.size());
            }
            const heap::ObjectLock lock = sequence.lock();  // the size and the element of one moment
            const std::uint64_t size = sequence.size();
            const auto at = resolve(index, size);
            if (!at || !sequence.get(*at, out)) throw_index(*state_, "get", index, size);
        });
    });
}

void ListBase::set(Index index, Bytes value) {
    const Entering entering = check_value(*state_, "set", value);
    guarded(*state_, "set", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        const std::uint64_t size = sequence.size();
        const auto at = resolve(index, size);
        if (!at || !sequence.set(lock, *at, value)) throw_index(*state_, "set", index, size);
    });
}

bool ListBase::set_if_equal(Index index, Bytes value, Bytes expected, Buffer& present) {
    const Entering entering = check_value(*state_, "update", value);
    return guarded(*state_, "update", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        return reading(*state_, present, [&] {
            heap::ObjectLock lock = sequence.lock();
            const std::uint64_t size = sequence.size();
            const auto at = resolve(index, size);
            if (!at || !sequence.get(*at, present)) throw_index(*state_, "update", index, size);
            if (!std::ranges::equal(present.bytes(), expected)) return false;
            const bool done = sequence.set(lock, *at, value);
            present.resize(0);  // it is there no longer
            return done;
        });
    });
}

void ListBase::append(Bytes value) {
    const Entering entering = check_value(*state_, "append", value);
    guarded_list(*state_, "append", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        sequence.push_back(lock, value);
    });
}

void ListBase::insert_before(Index index, Bytes value) {
    const Entering entering = check_value(*state_, "insert", value);
    guarded_list(*state_, "insert", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        sequence.insert(lock, clamp(index, sequence.size()), value);
    });
}

void ListBase::append_all(const Strings& values) {
    for (std::size_t i = 0; i < values.size(); ++i) check_size(*state_, "extend", "an element", values[i].size(), max_value);
    const Entering entering(*state_, "extend", values);
    guarded_list(*state_, "extend", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        sequence.extend(lock, values);
    });
}

void ListBase::assign(std::optional<Index> start, std::optional<Index> stop, Index step, const Strings& values) {
    check_step(*state_, "assign_slice", step);
    for (std::size_t i = 0; i < values.size(); ++i) check_size(*state_, "assign_slice", "an element", values[i].size(), max_value);
    const Entering entering(*state_, "assign_slice", values);
    guarded_list(*state_, "assign_slice", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        const std::uint64_t size = sequence.size(), given = values.size();
        const Slice slice = slice_of(start, stop, step, size);
        if (step != 1 && given != slice.count)
            throw Error(Errc::value_error, "assign_slice", state_->subject(),
                        std::to_string(given) + " values for a slice of " + std::to_string(slice.count) +
                            " elements with a step");
        if (slice.count == 1 && given == 1) return void(sequence.set(lock, slice.at(0), values[0]));
        if (step == 1) return sequence.splice(lock, slice.at(0), slice.at(0) + slice.count, values);
        if (given == 0) return;
        if (given > containers::max_items - size) throw containers::TooManyItems{};
        std::vector<std::uint32_t> order(size + given);  // each new one, behind the last, changes places with an old one
        std::iota(order.begin(), order.end(), 0u);
        for (std::uint64_t i = 0; i < given; ++i) std::swap(order[slice.at(i)], order[size + i]);
        sequence.rearrange(lock, values, order, size);
    });
}

void ListBase::repeat(Index times) {
    guarded_list(*state_, "*=", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        heap::ObjectLock lock = sequence.lock();
        sequence.repeat(lock, static_cast<std::uint64_t>(std::max<Index>(times, 0)));
    });
}

void ListBase::take(Index index, const Taker& taker) {
    guarded(*state_, "pop", [&] {
        containers::Sequence sequence = sequence_of(*state_);
        Departing element(*state_, taker);
        for (;; element.decode()) {
            heap::ObjectLock lock = sequence.lock();
            const std::uint64_t size = sequence.size();
            const auto at = resolve(index, size);
            Buffer bytes;
            if (at && sequence.pop(lock, *at, bytes, [&] { return element.goes(bytes); })) return;
            if (!element.kept()) throw_index(*state_, "pop", index, size);
        }
    });
}

std::optional<std::size_t> ListBase::find(Bytes value, Index start, Index stop) const {
    return guarded(*state_, "index", [&]() -> std::optional<std::size_t> {
        const containers::Sequence sequence = sequence_of(*state_);
        const auto equals = [&](Bytes other) { return equal(value, other); };
        std::uint64_t from = static_cast<std::uint64_t>(start), to = static_cast<std::uint64_t>(stop);
        if (start < 0 || stop < 0) {  // against the size as it is now
            const std::uint64_t size = sequence.size();
            from = clamp(start, size);
            to = clamp(stop, size);
        }
        const auto found = sequence.find(from, std::max(from, to), equals);
        if (!found) return {};
        return static_cast<std::size_t>(*found);
    });
}

std::size_t ListBase::count_equal(Bytes value) const {
    return guarded(*state_, "count", [&] {
        Strings all;
        sequence_of(*state_).read(0, containers::max_items, all);
        std::size_t count = 0;
        for (std::size_t i = 0; i < all.size(); ++i) count += equal(value, all[i]) ? 1 : 0;
        return count;
    });
}

bool ListBase::remove_equal(Bytes value) {
    return guarded(*state_, "remove", [&] {
        std::optional<std::uint64_t> found;
        const auto look = [&](containers::Sequence& sequence) {
            found = sequence.find(0, containers::max_items, [&](Bytes other) { return equal(value, other); });
        };
        change_unchanged(*state_, look, [&](containers::Sequence& sequence, heap::ObjectLock& lock) {
            if (found) sequence.erase(lock, *found);
        });
        return found.has_value();
    });
}

void ListBase::read(std::optional<Index> start, std::optional<Index> stop, Index step, Strings& out) const {
    check_step(*state_, "slice", step);
    guarded(*state_, "slice", [&] {
        const containers::Sequence sequence = sequence_of(*state_);
        reading(*state_, out, [&] {
            const bool from_front = step == 1 && start.value_or(0) >= 0 && stop.value_or(0) >= 0;
            if (from_front) {  // cut to what there is, of one moment, without knowing the size
                const auto from = static_cast<std::uint64_t>(start.value_or(0));
                const std::uint64_t to = stop ? static_cast<std::uint64_t>(*stop) : containers::max_items;
                out.clear();
                if (from < to) sequence.read(from, to, out);
                return;
            }
            Strings all;
            sequence.read(0, containers::max_items, all);
            const Slice slice = slice_of(start, stop, step, all.size());
            out.clear();
            for (std::uint64_t i = 0; i < slice.count; ++i) out.add(all[static_cast<std::size_t>(slice.at(i))]);
        });
    });
}

void ListBase::throw_no_value(const char* operation) const {
    throw Error(Errc::value_error, operation, state_->subject(), "no such element");
}

}  // namespace muster::detail

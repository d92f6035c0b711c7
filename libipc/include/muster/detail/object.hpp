// What every handle shares: which object it names, in which realm. Internal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <muster/detail/buffer.hpp>
#include <muster/detail/msgpack.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {
class Waitable;  // wait_any.hpp
}

namespace muster::detail {

struct ObjectState;  // libipc/src/handles/object_state.hpp
using Bytes = std::span<const std::byte>;
using Timeout = std::optional<std::chrono::nanoseconds>;  // none: for ever; zero and less: not at all

// Many byte strings in one allocation, in order.
class Strings {
  public:
    void reserve(std::size_t count, std::size_t bytes) {
        ends_.reserve(count);
        bytes_.reserve(bytes);
    }
    void add(Bytes bytes) {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        ends_.push_back(bytes_.size());
    }
    // A new string of `size` bytes, to be filled.
    std::byte* add(std::size_t size) {
        const std::size_t begin = bytes_.size();
        bytes_.resize(begin + size);
        ends_.push_back(bytes_.size());
        return bytes_.data() + begin;
    }
    void clear() noexcept {
        bytes_.clear();
        ends_.clear();
    }
    // The first `count` remain.
    void cut(std::size_t count) noexcept {
        ends_.resize(count);
        bytes_.resize(count == 0 ? 0 : ends_.back());
    }
    std::size_t size() const noexcept { return ends_.size(); }
    Encoded operator[](std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return {Bytes(bytes_.data() + begin, ends_[i] - begin), origin_.get()};
    }
    // All of them, one behind the other.
    Bytes bytes() const noexcept { return bytes_; }
    // As Buffer's.
    void set_origin(std::shared_ptr<const Origin> origin) noexcept { origin_ = std::move(origin); }

  private:
    std::shared_ptr<const Origin> origin_;
    std::vector<std::byte> bytes_;
    std::vector<std::size_t> ends_;
};

// What a watch last saw of a value (watch.hpp).
struct SeenValue {
    bool there = false;
    std::vector<std::byte> value;
    std::uint64_t version = 0;
};

// A handle: cheap to copy; copies name the same object. Anonymous objects live while a handle to them exists in any
// process, or is stored as a value where somebody can reach it. Thread safety: distinct handles of one object may be used
// at once, and so may one by several threads.
class Handle {
  public:
    // "totals", or empty for an anonymous object.
    const std::string& name() const noexcept;
    friend bool operator==(const Handle& a, const Handle& b) noexcept { return a.same(b); }

    // As it is stored when it becomes a value: the object itself, not a copy of what is in it.
    ObjectRef ref() const noexcept;

    explicit Handle(std::shared_ptr<ObjectState> state) noexcept : state_(std::move(state)) {}

  protected:
    friend class muster::Waitable;
    friend class TransactionBase;
    bool same(const Handle& other) const noexcept;
    // "dict 'totals'": the subject of errors.
    std::string subject() const;
    // Public where `using` says so: of the kinds that have versions. watch.hpp is the contract.
    std::uint64_t version() const;
    std::uint64_t wait_for_change(std::uint64_t seen) const { return *changed_within(seen, {}); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<std::uint64_t> wait_for_change(std::uint64_t seen,
                                                               std::chrono::duration<Rep, Period> timeout) const {
        return changed_within(seen, saturated(timeout));
    }
    std::optional<std::uint64_t> changed_within(std::uint64_t seen, Timeout timeout) const;
    std::shared_ptr<ObjectState> state_;
};

}  // namespace muster::detail

// A field of a live structure in the segment. Anybody may read it; only a Tx can write it (I1).
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace muster::tx {

template <typename T>
class Cell {
    static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));

  public:
    Cell() = default;
    // A value for memory that nobody else can see yet (I3).
    constexpr explicit Cell(T value) noexcept : value_(value) {}
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;

    T get() const noexcept {
        T copy;
        __atomic_load(const_cast<T*>(&value_), &copy, __ATOMIC_RELAXED);
        return copy;
    }
    operator T() const noexcept { return get(); }

  private:
    friend class Tx;
    void put(T value) noexcept { __atomic_store(&value_, &value, __ATOMIC_RELAXED); }
    alignas(sizeof(T)) T value_;
};

}  // namespace muster::tx

// What workers tell their parent without a message: memory that both see, a place for each worker.
//
// Invariants:
//   B1 A place is written by its worker, and by the parent while it has none. The claim alone is changed by both.
//   B2 Each word's every value is a valid state: a death leaves one of them.
//   B3 A worker's claim names the item it has from before the first of its tasks begins until after the last one's result is in
//      the queue. Task i was begun when and only when next > i, and its result is in the queue when next > i + 1.
//   B4 Tasks of an item from `end` on are the parent's again; it makes `end` smaller, never smaller than `next`.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace muster::pool {

struct Claim {
    std::uint32_t item = 0;           // 0: none
    std::uint16_t next = 0, end = 0;  // places in it

    std::uint64_t packed() const noexcept { return std::uint64_t{item} << 32 | std::uint64_t{next} << 16 | end; }
    static Claim unpack(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16), static_cast<std::uint16_t>(word)};
    }
};

struct alignas(64) Place {
    std::atomic<std::uint64_t> claim{0};
    std::atomic<std::uint64_t> busy_ns{0}, tasks{0};  // all that its workers ever did
    std::uint32_t thing = 0;                           // which one of the task's, where it is many
    std::atomic<std::uint32_t> ready{0};               // its initializer has succeeded
    std::atomic<std::uint32_t> starts{0};              // so often

    // The worker begins the next task of its item; none left: false, and it has not.
    bool advance(std::size_t& at) noexcept {
        std::uint64_t word = claim.load(std::memory_order_relaxed);
        for (;;) {
            Claim now = Claim::unpack(word);
            if (now.next >= now.end) return false;
            at = now.next++;
            if (claim.compare_exchange_weak(word, now.packed(), std::memory_order_acq_rel)) return true;
        }
    }
    // The parent takes back what is not begun, if this is the item: the places [first, last).
    bool take_back(std::uint32_t item, std::size_t& first, std::size_t& last) noexcept {
        std::uint64_t word = claim.load(std::memory_order_acquire);
        for (;;) {
            Claim now = Claim::unpack(word);
            if (now.item != item || now.next >= now.end) return false;
            first = now.next;
            last = now.end;
            now.end = now.next;
            if (claim.compare_exchange_weak(word, now.packed(), std::memory_order_acq_rel)) return true;
        }
    }
};

// Anonymous memory that forked children share. Throws out_of_memory.
class Board {
  public:
    explicit Board(std::size_t places);
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;
    ~Board();
    std::size_t size() const noexcept { return size_; }
    Place& operator[](std::size_t i) const noexcept { return places_[i]; }

  private:
    Place* places_;
    std::size_t size_;
};

}  // namespace muster::pool

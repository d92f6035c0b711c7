// What a Leased item holds of its queue. Internal.
#pragma once

#include <cstdint>
#include <memory>

namespace muster::detail {

struct ObjectState;

// Move-only; its end gives the item back. Thread safety: one thread at a time.
class LeaseToken {
  public:
    LeaseToken(std::shared_ptr<ObjectState> queue, std::uint64_t owner, std::uint64_t at, std::uint64_t id,
               std::uint64_t deliveries) noexcept
        : queue_(std::move(queue)), owner_(owner), at_(at), id_(id), deliveries_(deliveries) {}
    LeaseToken(LeaseToken&&) noexcept = default;  // leaves `queue_` null: settled
    LeaseToken& operator=(LeaseToken&& other) noexcept;
    ~LeaseToken();

    std::uint64_t deliveries() const noexcept { return deliveries_; }
    void ack() { settle("ack", true); }
    void nack() { settle("nack", false); }

  private:
    void settle(const char* operation, bool done);
    std::shared_ptr<ObjectState> queue_;  // null: settled
    std::uint64_t owner_, at_, id_, deliveries_;
};

}  // namespace muster::detail

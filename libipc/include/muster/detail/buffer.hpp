// A byte buffer for results: small ones need no allocation. Not zeroed. Internal; movable by nobody, cheap on the stack.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace muster::detail {

// What opens the handles in bytes that came out of a shared object: <muster/detail/origin.hpp>.
class Origin;
struct Encoded : std::span<const std::byte> {
    const Origin* origin = nullptr;
};

class Buffer {
  public:
    Buffer() noexcept = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    // Room for `size` bytes; what was there is gone.
    std::byte* resize(std::size_t size) {
        if (size > capacity_) {
            heap_ = std::make_unique_for_overwrite<std::byte[]>(size);
            data_ = heap_.get();
            capacity_ = size;
        }
        size_ = size;
        return data_;
    }
    const std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    Encoded bytes() const noexcept { return {std::span<const std::byte>(data_, size_), origin_.get()}; }
    // Where they came from; kept as long as they are. None: there are no handles in them.
    void set_origin(std::shared_ptr<const Origin> origin) noexcept { origin_ = std::move(origin); }

  private:
    std::byte inline_[512];
    std::byte* data_ = inline_;
    std::size_t size_ = 0, capacity_ = sizeof inline_;
    std::unique_ptr<std::byte[]> heap_;
    std::shared_ptr<const Origin> origin_;
};

}  // namespace muster::detail

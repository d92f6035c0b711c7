// The layer `segment`: one sealed memfd, mapped whole, its header, and bounds-checked access to it.
//
// The file has its full size from the start and is sparse: pages are reserved with reserve() before they are used
// (I7), and given back with release(). It is sealed against shrinking and growing, so a mapping never loses its
// file: no SIGBUS. Thread safety: const members from any thread; a Segment object is not moved while in use.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/base.hpp"
#include "segment/bytes.hpp"
#include "segment/hash.hpp"
#include "segment/layout.hpp"
#include "segment/offset.hpp"

namespace muster::segment {

// Thrown when something read from the segment leads outside it. A reader that overlapped with a writer gets it
// for a torn read and tries again; anybody else has found damage.
struct Damage {
    const char* what;
};

class Segment {
  public:
    // A new one: memfd made, sized, sealed, mapped, header written; the fixed regions are reserved and zero.
    static Segment create(const std::string& name, std::uint64_t capacity);
    // Maps an existing one; throws Error(damaged) when seals, magic, version, size or regions do not hold.
    static Segment open(base::UniqueFd memfd, const std::string& name);
    // Private memory of this process's own, laid out as `like` is and with its header: all zero otherwise, and backed
    // only where it is written. For copies of structures, on which their own code runs. Throws Error(system).
    static Segment scratch(const Segment& like);
    // Of a scratch segment: [offset, offset + size) is zero again and costs nothing.
    void wipe(std::uint64_t offset, std::uint64_t size) const noexcept;

    Segment(Segment&&) noexcept;
    Segment& operator=(Segment&&) noexcept;
    ~Segment();

    // What is wrong with the header as it is now, nullptr when nothing is: it is written once and never again.
    const char* header_damage() const noexcept;

    const std::string& name() const noexcept { return name_; }
    int memfd() const noexcept { return memfd_.get(); }
    const Header& header() const noexcept { return *reinterpret_cast<const Header*>(base_); }
    // Private copies: a client that scribbles over the header does not move our regions.
    const Regions& regions() const noexcept { return regions_; }
    std::uint64_t capacity() const noexcept { return capacity_; }
    std::uint64_t hash_seed() const noexcept { return hash_seed_; }
    std::string instance() const;  // 32 hex digits
    std::byte* base() const noexcept { return base_; }

    // The object at an offset; Damage when it does not lie in the segment, aligned, behind the header.
    template <typename T>
    T* at(std::uint64_t offset, std::uint64_t count = 1) const {
        if (__builtin_expect(offset < page_size || offset % alignof(T) != 0 || offset > capacity_ ||
                             count > (capacity_ - offset) / sizeof(T), false))
            throw Damage{"offset outside the segment"};
        return reinterpret_cast<T*>(base_ + offset);
    }
    template <typename T>
    T* at(Offset<T> offset) const { return at<T>(offset.value()); }

    // The same for what lies in extents: never a domain, a root or a table, however damaged the offset is. So whatever is
    // written there harms data alone.
    template <typename T>
    T* block(std::uint64_t offset, std::uint64_t count = 1) const {
        if (__builtin_expect(offset < regions_.data || offset % alignof(T) != 0 || offset > capacity_ ||
                             count > (capacity_ - offset) / sizeof(T), false))
            throw Damage{"offset outside the data"};
        return reinterpret_cast<T*>(base_ + offset);
    }
    // `size` bytes in extents that begin at a word's boundary: reading them in whole words is within the segment.
    std::byte* bytes(std::uint64_t offset, std::uint64_t size) const {
        if (__builtin_expect(offset < regions_.data || offset % 8 != 0 || offset > capacity_ || size > capacity_ - offset,
                             false))
            throw Damage{"bytes outside the data"};
        return base_ + offset;
    }

    // How long this process waits for a lock inside when it was not told otherwise: for ever, unless limited. The
    // daemon limits it: no client can stop it.
    void limit_waits(std::chrono::milliseconds limit) noexcept { wait_limit_ = limit; }
    base::Deadline lock_deadline() const noexcept {
        return wait_limit_ ? base::Deadline::after(*wait_limit_) : base::Deadline::never();
    }

    std::uint64_t offset_of(const void* pointer) const noexcept {
        return static_cast<std::uint64_t>(static_cast<const std::byte*>(pointer) - base_);
    }

    // Backs the pages of [offset, offset + size) with memory. False when there is none; nothing has changed then.
    [[nodiscard]] bool reserve(std::uint64_t offset, std::uint64_t size) const noexcept;
    // Gives them back; they read as zero afterwards.
    void release(std::uint64_t offset, std::uint64_t size) const noexcept;
    // Bytes backed by memory now, as the kernel counts them.
    std::uint64_t reserved_bytes() const noexcept;

  private:
    Segment(base::UniqueFd memfd, std::string name, std::uint64_t capacity);
    explicit Segment(const Segment& like);
    struct Mapping;
    std::string name_;
    base::UniqueFd memfd_;
    std::unique_ptr<Mapping> mapping_;
    std::byte* base_ = nullptr;
    std::uint64_t capacity_ = 0;
    std::uint64_t hash_seed_ = 0;
    std::optional<std::chrono::milliseconds> wait_limit_;
    Regions regions_{};
};

}  // namespace muster::segment

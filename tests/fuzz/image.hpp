// The realm that the segment fuzzer damages: made once, the same in every run, and put back before each input.
//
// In it: a dict, a list with inner nodes, a queue with chunks and blocks of its own, a lock that a dead session holds, an
// anonymous object of that session, an erased object's entry, a dict and a list whose owners died in mid-change.
// Thread safety: one thread.
#pragma once

#include <vector>

#include "base/base.hpp"
#include "input.hpp"
#include "segment/segment.hpp"

namespace muster::fuzz {

inline constexpr std::uint64_t image_capacity = segment::minimum_capacity;

class Image {
  public:
    Image();

    // As it was when it was made, in a file that can be mapped anew.
    void restore();
    base::UniqueFd file() const;
    // Damage as the input says: at most `most` words.
    void patch(Input& input, std::size_t most);

    // Is a mutex, by its word, somebody's who lives? Clients wait for such a one for seconds; the service does not.
    bool occupied() const noexcept;

    // The next mapping of a segment lies between pages that nobody may touch. False: it would lie elsewhere.
    bool fence();

  private:
    enum class Place : std::uint8_t;
    void build();
    void remember();
    std::uint64_t pick_word(Input& input) const;
    std::uint64_t pick_value(Input& input, std::uint64_t now) const;
    std::byte* at(std::uint64_t offset) const noexcept { return raw_ + offset; }

    segment::Regions regions_;
    base::UniqueFd file_;
    std::byte* raw_ = nullptr;              // a mapping of our own
    std::vector<std::byte> fixed_;          // the bytes before the data
    struct Page {
        std::uint64_t offset;
        std::vector<std::byte> bytes;
    };
    std::vector<Page> pages_;               // of the data, up to the last one in use
    std::vector<std::uint64_t> words_;      // of the data that are not zero, by offset
    std::vector<std::uint64_t> offsets_;    // worth pointing to
    std::uint64_t objects_ = 0;             // entries in use
};

}  // namespace muster::fuzz

// The numbers under SharedValue and Array: one or many scalars of one type, as the machine has them.
//
// A value's number stands in the object's root, an array's in a block of its heap. Changing one element is one word,
// published without a log (I1); a range up to `in_place_words` is logged and written in place, a larger one written to a
// new block that one logged word then names (I3).
// Thread safety: readers need nothing (validated under the sequence number, I8); writers hold the object's lock, which
// these functions take. Throws heap::Destroyed, heap::OutOfMemory, tx::Busy, segment::Damage.
#pragma once

#include <functional>
#include <span>
#include <string>

#include <muster/detail/scalar.hpp>

#include "heap/heap.hpp"

namespace muster::containers {

using heap::ObjectLock;
using heap::ObjectRef;
using heap::ObjectRep;
using segment::Segment;
using tx::Cell;
using tx::Tx;

struct ScalarsRep {
    Cell<std::uint64_t> type;    // ScalarType; constant, as is the length
    Cell<std::uint64_t> length;  // elements
    Cell<std::uint64_t> data;    // offset of the words that hold them
    Cell<std::uint64_t> single;  // the word of a value
    std::uint64_t reserved[4];
};
static_assert(sizeof(ScalarsRep) == 64);

class Scalars {
  public:
    static constexpr std::uint64_t in_place_words = 200;
    static constexpr std::uint64_t max_bytes = std::uint64_t{1} << 30;

    Scalars(const Segment& segment, ObjectRef ref) : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}

    // For Directory's Init. `initial`: the elements' bytes; shorter than the whole: the rest is zero.
    static void init(const Segment& segment, ObjectRep& object, std::uint32_t id, ScalarType type, std::uint64_t length,
                     std::span<const std::byte> initial);

    ScalarType type() const;
    std::uint64_t length() const;

    // An element's bits, the rest zero. The index has been checked.
    std::uint64_t load(std::uint64_t index) const;
    // The bits that were there.
    std::uint64_t exchange(std::uint64_t index, std::uint64_t bits);
    // False: `expected` gets the bits that are there, and nothing has changed.
    bool compare_exchange(std::uint64_t index, std::uint64_t& expected, std::uint64_t bits);

    // A range of elements as of one moment; `version` tells later whether any element has changed since.
    void read(std::uint64_t first, std::span<std::byte> out, std::uint64_t* version = nullptr) const;
    // All or nothing. With `version`: only if nothing has changed since; false if it has.
    bool write(std::uint64_t first, std::span<const std::byte> values, const std::uint64_t* version = nullptr);

    // As a part of a larger change, under the caller's lock (heap::mutate_together): the element's bits. Logs a word.
    void set_within(Tx& tx, std::uint64_t index, std::uint64_t bits);

    void verify(const std::function<void(std::string)>& violation) const;

  private:
    ScalarsRep& rep() const noexcept { return heap::root_of<ScalarsRep>(object_); }
    static std::uint64_t words_of(ScalarType type, std::uint64_t length) noexcept {
        return (length * size_of(type) + 7) / 8;
    }
    // Of a root that may be torn: throws Damage rather than lead anywhere else.
    ScalarType checked_type() const;
    std::uint64_t* words() const;
    void check_live() const;
    // Where an element's bits are.
    struct Place {
        Cell<std::uint64_t>* word;
        unsigned shift;
        std::uint64_t mask;
    };
    Place place(std::uint64_t index) const;
    template <typename Look>
    void validated(Look&& look) const;

    const Segment& segment_;
    ObjectRep& object_;
    ObjectRef ref_;
};

}  // namespace muster::containers

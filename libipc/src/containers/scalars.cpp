#include "containers/scalars.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "containers/audit.hpp"

namespace muster::containers {

// The elements of a word stand in it as in memory.
static_assert(std::endian::native == std::endian::little);

void Scalars::init(const Segment& segment, ObjectRep& object, std::uint32_t id, ScalarType type, std::uint64_t length,
                   std::span<const std::byte> initial) {
    ScalarsRep& root = heap::root_of<ScalarsRep>(object);
    Tx::init(root.type, static_cast<std::uint64_t>(type));
    Tx::init(root.length, length);
    const std::uint64_t words = words_of(type, length);
    MUSTER_CHECK(initial.size() <= words * 8);
    if (object.heap.body == 0) {  // a value
        MUSTER_CHECK(words == 1);
        Tx::init(root.data, segment.offset_of(&root.single));
        Tx::init_bytes(&root.single, initial.data(), initial.size());
        return;
    }
    if (words == 0) return;
    heap::Heap heap(segment, object, id);
    const std::uint64_t bytes = words * 8;
    std::uint64_t block = 0;
    for (bool grown = false;; grown = true) {
        try {
            Tx tx(segment, object.domain);
            block = heap.allocate(tx, bytes);
            tx.commit();
            break;
        } catch (const heap::NeedMemory& need) {
            if (grown) throw heap::OutOfMemory{need.bytes};
            heap.grow(need.bytes);
        }
    }
    std::byte* to = segment.bytes(block, bytes);
    std::memset(to, 0, bytes);  // nobody can reach it yet
    if (!initial.empty()) std::memcpy(to, initial.data(), initial.size());
    Tx::init(root.data, block);
}

void Scalars::check_live() const {
    const heap::Ident ident = heap::Ident::unpack(object_.ident);
    if (ident.generation != ref_.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
}

ScalarType Scalars::checked_type() const {
    const std::uint64_t type = rep().type;
    if (type > 255 || size_of(static_cast<ScalarType>(type)) == 0) throw segment::Damage{"no such type of number"};
    return static_cast<ScalarType>(type);
}

std::uint64_t* Scalars::words() const {
    const ScalarType type = checked_type();
    const std::uint64_t length = rep().length;
    if (length > max_bytes / size_of(type)) throw segment::Damage{"array: length"};
    const std::uint64_t count = words_of(type, length);
    if (count <= 1 && rep().data == segment_.offset_of(&rep().single)) return reinterpret_cast<std::uint64_t*>(&rep().single);
    return count == 0 ? nullptr : segment_.block<std::uint64_t>(rep().data, count);
}

Scalars::Place Scalars::place(std::uint64_t index) const {
    const std::uint64_t size = size_of(checked_type());
    std::uint64_t* const all = words();
    if (index >= rep().length) throw segment::Damage{"array: shorter than it was"};
    const std::uint64_t at = index * size;
    return {reinterpret_cast<Cell<std::uint64_t>*>(all + at / 8), static_cast<unsigned>(at % 8 * 8),
            size == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << size * 8) - 1};
}

template <typename Look>
void Scalars::validated(Look&& look) const {
    const auto checked = [&] {
        check_live();
        look();
    };
    if (tx::read_validated(object_.domain, checked)) return;
    const ObjectLock lock(segment_, ref_);
    look();
}

ScalarType Scalars::type() const {
    ScalarType type{};
    validated([&] { type = checked_type(); });
    return type;
}

std::uint64_t Scalars::length() const {
    std::uint64_t length = 0;
    validated([&] { length = rep().length; });
    return length;
}

std::uint64_t Scalars::load(std::uint64_t index) const {
    std::uint64_t bits = 0;
    validated([&] {
        const Place at = place(index);
        bits = at.word->get() >> at.shift & at.mask;
    });
    return bits;
}

std::uint64_t Scalars::exchange(std::uint64_t index, std::uint64_t bits) {
    const ObjectLock lock(segment_, ref_);
    const Place at = place(index);
    const std::uint64_t now = at.word->get();
    Tx::publish(object_.domain, *at.word, (now & ~(at.mask << at.shift)) | (bits & at.mask) << at.shift);
    return now >> at.shift & at.mask;
}

bool Scalars::compare_exchange(std::uint64_t index, std::uint64_t& expected, std::uint64_t bits) {
    const ObjectLock lock(segment_, ref_);
    const Place at = place(index);
    const std::uint64_t now = at.word->get(), there = now >> at.shift & at.mask;
    if (there != expected) {
        expected = there;
        return false;
    }
    Tx::publish(object_.domain, *at.word, (now & ~(at.mask << at.shift)) | (bits & at.mask) << at.shift);
    return true;
}

void Scalars::set_within(Tx& tx, std::uint64_t index, std::uint64_t bits) {
    const Place at = place(index);
    tx.set(*at.word, (at.word->get() & ~(at.mask << at.shift)) | (bits & at.mask) << at.shift);
}

void Scalars::read(std::uint64_t first, std::span<std::byte> out, std::uint64_t* version) const {
    std::vector<std::uint64_t> copy;
    validated([&] {
        if (version != nullptr) *version = tx::sequence_of(object_.domain);
        if (out.empty()) return;
        const std::uint64_t begin = first * size_of(checked_type()), end = begin + out.size();
        if (end > rep().length * size_of(checked_type())) throw segment::Damage{"array: shorter than it was"};
        const std::uint64_t* from = words() + begin / 8;
        copy.resize((end + 7) / 8 - begin / 8);
        segment::copy_out(copy.data(), from, copy.size() * 8);
        std::memcpy(out.data(), reinterpret_cast<const std::byte*>(copy.data()) + begin % 8, out.size());
    });
}

bool Scalars::write(std::uint64_t first, std::span<const std::byte> values, const std::uint64_t* version) {
    ObjectLock lock(segment_, ref_);
    if (version != nullptr && tx::sequence_of(object_.domain) != *version) return false;
    if (values.empty()) return true;
    const std::uint64_t begin = first * size_of(checked_type()), end = begin + values.size();
    const std::uint64_t count = words_of(checked_type(), rep().length), bytes = count * 8;
    if (end > bytes) throw segment::Damage{"array: shorter than it was"};
    std::uint64_t* const all = words();
    // The words that change, as they will be. (Made before the transaction: I4.)
    std::vector<std::uint64_t> fresh((end + 7) / 8 - begin / 8);
    segment::copy_out(fresh.data(), all + begin / 8, fresh.size() * 8);
    std::memcpy(reinterpret_cast<std::byte*>(fresh.data()) + begin % 8, values.data(), values.size());
    if (fresh.size() == 1) {
        Tx::publish(object_.domain, *reinterpret_cast<Cell<std::uint64_t>*>(all + begin / 8), fresh.front());
        return true;
    }
    if (fresh.size() <= in_place_words) {
        Tx tx(segment_, object_.domain);
        tx.write(all + begin / 8, fresh.data(), fresh.size() * 8);
        tx.commit();
        return true;
    }
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        const std::uint64_t block = heap.allocate(tx, bytes), old = rep().data;
        auto* to = segment_.block<std::uint64_t>(block, count);
        segment::copy_in(to, all, begin / 8 * 8);
        segment::copy_in(to + begin / 8, fresh.data(), fresh.size() * 8);
        const std::uint64_t behind = begin / 8 + fresh.size();
        segment::copy_in(to + behind, all + behind, (count - behind) * 8);
        tx.set(rep().data, block);
        heap.free(tx, old, bytes);
    });
    return true;
}

void Scalars::verify(const std::function<void(std::string)>& violation) const {
    const ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    try {
        const std::uint64_t bytes = words_of(checked_type(), rep().length) * 8;
        (void)words();
        if (bytes == 0) return;
        if (object_.heap.body == 0) {
            if (rep().length != 1 || rep().data != segment_.offset_of(&rep().single)) violation("a value's number is elsewhere");
        } else {
            Audit audit(lock, violation);
            audit.block(rep().data, bytes, "an array's elements");
            audit.finish();
        }
        if (checked_type() == ScalarType::boolean)
            for (std::uint64_t i = 0; i < rep().length; ++i)
                if ((place(i).word->get() >> place(i).shift & 0xff) > 1) {
                    violation("a truth value that is neither true nor false");
                    break;
                }
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    }
}

}  // namespace muster::containers

#include "containers/handle_bytes.hpp"

namespace muster::containers {
namespace {

namespace lead = muster::detail::lead;
using muster::detail::load;
using Bytes = std::span<const std::byte>;

// Reads one value, and remembers the handles in it.
class Walk {
  public:
    Walk(Bytes value, std::vector<muster::ObjectRef>& found) : at_(value.data()), end_(at_ + value.size()), found_(found) {}
    // False: it is no value, so nobody can have read a handle in it.
    bool run() { return value(0) && at_ == end_; }

  private:
    bool skip(std::uint64_t size) {
        if (static_cast<std::uint64_t>(end_ - at_) < size) return false;
        at_ += size;
        return true;
    }
    // A length in so many bytes, and the rest of what it counts.
    bool counted(unsigned bytes, std::uint64_t extra, std::uint64_t& length) {
        const std::byte* const from = at_;
        if (!skip(bytes)) return false;
        length = bytes == 1 ? load<std::uint8_t>(from) : bytes == 2 ? load<std::uint16_t>(from) : load<std::uint32_t>(from);
        length += extra;
        return true;
    }
    bool text(unsigned bytes, std::uint64_t extra = 0) {
        std::uint64_t length = 0;
        return counted(bytes, extra, length) && skip(length);
    }
    bool values(std::uint64_t count, unsigned depth) {
        if (depth >= max_depth) return false;
        for (; count > 0; --count)
            if (!value(depth + 1)) return false;
        return true;
    }
    bool many(unsigned bytes, unsigned each, unsigned depth) {
        std::uint64_t count = 0;
        return counted(bytes, 0, count) && values(count * each, depth);
    }
    bool value(unsigned depth) {
        const std::byte* const from = at_;
        if (!skip(1)) return false;
        const auto first = static_cast<unsigned>(*from);
        if (first < lead::fixmap || first >= lead::negative_fixint) return true;
        if (first < lead::fixarray) return values(2 * (first - lead::fixmap), depth);
        if (first < lead::fixstr) return values(first - lead::fixarray, depth);
        if (first < lead::nil) return skip(first - lead::fixstr);
        switch (first) {
            case lead::nil: case lead::no: case lead::yes: return true;
            case lead::bin8: case lead::str8: return text(1);
            case lead::bin16: case lead::str16: return text(2);
            case lead::bin32: case lead::str32: return text(4);
            case lead::ext8: return text(1, 1);
            case lead::ext16: return text(2, 1);
            case lead::ext32: return text(4, 1);
            case lead::uint8: case lead::int8: return skip(1);
            case lead::uint16: case lead::int16: return skip(2);
            case lead::uint32: case lead::int32: case lead::float32: return skip(4);
            case lead::uint64: case lead::int64: case lead::float64: return skip(8);
            case lead::array16: return many(2, 1, depth);
            case lead::array32: return many(4, 1, depth);
            case lead::map16: return many(2, 2, depth);
            case lead::map32: return many(4, 2, depth);
            case lead::fixext16:
                if (!skip(1 + muster::detail::object_ref_size)) return false;
                if (static_cast<int>(from[1]) == muster::detail::object_ref_type) found_.push_back(muster::detail::load_ref(from + 2));
                return true;
            default: return first >= lead::fixext1 && first < lead::fixext16 && skip(1 + (std::uint64_t{1} << (first - lead::fixext1)));
        }
    }

    const std::byte* at_;
    const std::byte* const end_;
    std::vector<muster::ObjectRef>& found_;
};

}  // namespace

void read_handles(Bytes value, std::vector<muster::ObjectRef>& found) {
    const std::size_t before = found.size();
    if (!Walk(value, found).run()) found.resize(before);
}

}  // namespace muster::containers

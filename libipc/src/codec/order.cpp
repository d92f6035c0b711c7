#include <muster/detail/order.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <muster/detail/key.hpp>
#include <muster/reader.hpp>

namespace muster {
namespace {

using Bytes = std::span<const std::byte>;

// partial_ordering with one meaning added: `unordered` says not equal, too. Equal things that have no order
// among themselves (nil and nil) are `equivalent` here; compare() sorts that out at the top.
using Relation = std::partial_ordering;

struct Number {
    Reader::AnyInteger integer{};
    double floating = 0;
    bool is_floating = false;
};

bool is_number(Kind kind) noexcept {
    return kind == Kind::boolean || kind == Kind::integer || kind == Kind::floating;
}

Number read_number(Reader& in, Kind kind) {
    if (kind == Kind::boolean) return {.integer = {in.boolean(), false}};
    if (kind == Kind::integer) return {.integer = in.any_integer()};
    return {.floating = in.number(), .is_floating = true};
}

Relation order(Reader::AnyInteger a, Reader::AnyInteger b) noexcept {
    if (a.negative != b.negative) return a.negative ? Relation::less : Relation::greater;
    return a.bits <=> b.bits;  // two's complement keeps the order among negative ones
}

Relation order(Reader::AnyInteger a, double b) noexcept {
    if (b != b) return Relation::unordered;
    if (b >= 0x1p64) return Relation::less;
    if (b < -0x1p63) return Relation::greater;
    if (b >= 0) {
        const auto whole = static_cast<std::uint64_t>(b);
        const Relation wholes = order(a, Reader::AnyInteger{whole, false});
        if (wholes != 0) return wholes;
        return static_cast<double>(whole) < b ? Relation::less : Relation::equivalent;
    }
    const auto whole = static_cast<std::int64_t>(b);  // toward zero
    const Relation wholes = order(a, Reader::AnyInteger{static_cast<std::uint64_t>(whole), whole < 0});
    if (wholes != 0) return wholes;
    return static_cast<double>(whole) > b ? Relation::greater : Relation::equivalent;
}

Relation order(const Number& a, const Number& b) noexcept {
    if (a.is_floating && b.is_floating) return a.floating <=> b.floating;
    if (b.is_floating) return order(a.integer, b.floating);
    if (a.is_floating) return 0 <=> order(b.integer, a.floating);
    return order(a.integer, b.integer);
}

Relation order_bytes(Bytes a, Bytes b) noexcept {
    const std::size_t common = std::min(a.size(), b.size());
    if (const int found = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common); found != 0)
        return found <=> 0;
    return a.size() <=> b.size();
}

Relation relate(Reader& a, Reader& b);

Relation relate_arrays(Reader& a, Reader& b) {
    const std::size_t a_count = a.begin_array(), b_count = b.begin_array();
    for (std::size_t i = 0; i < std::min(a_count, b_count); ++i)
        if (const Relation items = relate(a, b); items != 0) return items;  // the rest does not matter
    if (a_count != b_count) return a_count <=> b_count;
    a.end();
    b.end();
    return Relation::equivalent;
}

struct Entry {
    std::string key;  // canonical where it can be, so that equal keys have equal bytes
    Bytes value;
};

std::vector<Entry> read_entries(Reader& in) {
    std::vector<Entry> entries;
    for (std::size_t count = in.begin_map(); count > 0; --count) {
        Bytes key = in.raw();
        Writer canonical;
        try {
            detail::canonicalize(key, canonical);
            key = canonical.bytes();
        } catch (const Error& error) {
            if (error.errc() != Errc::unhashable) throw;  // no key of ours: equal if the bytes are
        }
        entries.push_back({{reinterpret_cast<const char*>(key.data()), key.size()}, in.raw()});
    }
    in.end();
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& x, const Entry& y) { return x.key < y.key; });
    return entries;
}

// The entries are read by Readers of their own, at depth 0; read_entries has checked the true depth.
Relation relate_maps(Reader& a, Reader& b) {
    const std::vector<Entry> ours = read_entries(a), theirs = read_entries(b);
    if (ours.size() != theirs.size()) return Relation::unordered;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        if (ours[i].key != theirs[i].key) return Relation::unordered;
        Reader left(ours[i].value), right(theirs[i].value);
        if (relate(left, right) != 0) return Relation::unordered;
    }
    return Relation::equivalent;
}

Relation relate_extensions(Reader& a, Reader& b) {
    const Reader::Extension ours = a.extension(), theirs = b.extension();
    const bool same = ours.type == theirs.type && order_bytes(ours.data, theirs.data) == 0;
    return same ? Relation::equivalent : Relation::unordered;
}

// Leaves both Readers behind the value if it is equivalent, somewhere otherwise.
Relation relate(Reader& a, Reader& b) {
    const Kind a_kind = a.peek(), b_kind = b.peek();
    if (is_number(a_kind) && is_number(b_kind)) {
        const Number ours = read_number(a, a_kind);
        return order(ours, read_number(b, b_kind));
    }
    if (a_kind != b_kind) return Relation::unordered;
    switch (a_kind) {
        case Kind::nil:
            a.nil(), b.nil();
            return Relation::equivalent;
        case Kind::string: {
            const std::string_view ours = a.string(), theirs = b.string();
            return order_bytes(std::as_bytes(std::span(ours)), std::as_bytes(std::span(theirs)));
        }
        case Kind::binary: {
            const Bytes ours = a.binary();
            return order_bytes(ours, b.binary());
        }
        case Kind::array:
            return relate_arrays(a, b);
        case Kind::map:
            return relate_maps(a, b);
        case Kind::extension:
            return relate_extensions(a, b);
        default:
            return Relation::unordered;
    }
}

Relation relate_whole(Bytes a, Bytes b) {
    Reader left(a), right(b);
    const Relation found = relate(left, right);
    if (found == 0) {
        left.finish();
        right.finish();
    }
    return found;
}

}  // namespace

bool equal(Bytes a, Bytes b) { return relate_whole(a, b) == 0; }

Relation compare(Bytes a, Bytes b) {
    const Relation found = relate_whole(a, b);
    if (found != 0) return found;
    const Kind kind = Reader(a).peek();
    const bool ordered =
        is_number(kind) || kind == Kind::string || kind == Kind::binary || kind == Kind::array;
    return ordered ? found : Relation::unordered;
}

}  // namespace muster

// Any bytes read as stored values and keys: a value that is taken is written again as the same value, everything else is
// a muster::Error.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <muster/detail/key.hpp>
#include <muster/detail/order.hpp>
#include <muster/error.hpp>
#include <muster/value.hpp>

#include "input.hpp"

namespace {

using namespace muster;
using Bytes = std::span<const std::byte>;
using Mixed = std::tuple<bool, std::optional<std::string>, std::variant<std::uint8_t, std::vector<std::byte>>>;

[[noreturn]] void broken(const char* what) {
    std::fprintf(stderr, "codec: %s\n", what);
    std::abort();
}

template <typename Fn>
bool accepted(Fn&& fn) {
    try {
        fn();
        return true;
    } catch (const Error&) {
        return false;
    }
}

// Read, written, read again: the writing is stable.
template <typename T>
void round_trip(Bytes bytes) {
    (void)accepted([&] {
        const T value = decode<T>(bytes);
        Writer once, twice;
        encode(once, value);
        encode(twice, decode<T>(once.bytes()));
        if (!std::equal(once.bytes().begin(), once.bytes().end(), twice.bytes().begin(), twice.bytes().end()))
            broken("a value changes when it is written again");
    });
}

void key(Bytes bytes) {
    (void)accepted([&] {
        Writer canonical, again;
        detail::canonicalize(bytes, canonical);
        detail::canonicalize(canonical.bytes(), again);
        if (!std::equal(canonical.bytes().begin(), canonical.bytes().end(), again.bytes().begin(), again.bytes().end()))
            broken("a canonical key is not canonical");
        if (!accepted([&] { (void)decode_key<Value>(canonical.bytes()); })) broken("a canonical key does not read");
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::uint8_t how = input.byte();
    const std::size_t cut = input.byte();
    const std::string_view first = input.text(cut), rest = input.text();
    const Bytes a = std::as_bytes(std::span(first)), b = std::as_bytes(std::span(rest));
    switch (how % 8) {
        case 0: round_trip<Value>(a); break;
        case 1: round_trip<std::vector<std::int32_t>>(a); break;
        case 2: round_trip<std::map<std::string, double>>(a); break;
        case 3: round_trip<Mixed>(a); break;
        case 4: key(a); break;
        case 5: (void)accepted([&] { (void)decode_key<Value>(a); }); break;
        case 6: (void)accepted([&] {
                if (equal(a, b) != equal(b, a)) broken("equality has a side");
            }); break;
        default: (void)accepted([&] {
                const auto forward = compare(a, b), backward = compare(b, a);
                if ((forward < 0) != (backward > 0) || (forward == 0) != (backward == 0)) broken("the order has a side");
            });
    }
    return 0;
}

// Handles among the bytes of a value, as who decodes it finds them, and as who does not.
#include <catch2/catch.hpp>
#include <functional>

#include <muster/codec.hpp>

#include "containers/containers.hpp"

using namespace muster;
using containers::find_handle;
using containers::for_each_handle;
using containers::read_handles;

namespace {

const ObjectRef one{7, 3, 2, 0x00112233445566}, two{9, 1, 4, 0x00112233445566};

std::vector<std::byte> written(const std::function<void(Writer&)>& write) {
    Writer out;
    write(out);
    const auto bytes = out.bytes();
    return {bytes.begin(), bytes.end()};
}

std::vector<ObjectRef> read(std::span<const std::byte> value) {
    std::vector<ObjectRef> found;
    read_handles(value, found);
    return found;
}

std::vector<ObjectRef> looked_for(std::span<const std::byte> value) {
    std::vector<ObjectRef> found;
    for_each_handle(value, one.realm, [&](const ObjectRef& ref) { found.push_back(ref); });
    return found;
}

}  // namespace

TEST_CASE("handles are found wherever they stand in a value") {
    const auto value = written([](Writer& out) {
        out.begin_array(4);
        out.integer(-70'000);
        out.object_ref(one);
        out.begin_map(1);
        out.string(std::string(300, 's'));
        out.begin_array(1);
        out.object_ref(two);
        out.end();
        out.end();
        out.number(0.5);
        out.end();
    });
    CHECK(read(value) == std::vector{one, two});
    CHECK(looked_for(value) == std::vector{one, two});
}

TEST_CASE("handles are found as deep as values go") {
    const auto value = written([](Writer& out) {
        for (unsigned depth = 0; depth < max_depth; ++depth) out.begin_array(1);
        out.object_ref(one);
        for (unsigned depth = 0; depth < max_depth; ++depth) out.end();
    });
    CHECK(read(value) == std::vector{one});
    std::vector<std::byte> deeper{std::byte{0x91}};
    deeper.insert(deeper.end(), value.begin(), value.end());
    CHECK(read(deeper).empty());  // as for who decodes it
}

TEST_CASE("a string that looks like a handle is none for who decodes it, and one for who looks for the bytes") {
    const auto bytes = written([](Writer& out) { out.object_ref(one); });
    const auto value = written([&](Writer& out) { out.binary(bytes); });
    CHECK(read(value).empty());
    CHECK(looked_for(value) == std::vector{one});
    CHECK(looked_for(written([](Writer& out) { out.object_ref({7, 3, 2, 1}); })).empty());  // another realm's
}

TEST_CASE("what is no value has no handles") {
    const auto handle = written([](Writer& out) { out.object_ref(one); });
    const std::span<const std::byte> whole(handle);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size << " bytes of a handle");
        CHECK(read(whole.first(size)).empty());
        CHECK(find_handle(whole.data(), whole.data() + size) == nullptr);
    }
    std::vector<std::byte> twice(handle);
    twice.insert(twice.end(), handle.begin(), handle.end());
    CHECK(read(twice).empty());
    CHECK(looked_for(twice) == std::vector{one, one});
    for (const unsigned lead : {0xc1u, 0xdfu, 0xddu, 0xc6u, 0xdbu, 0xc9u}) {  // undefined; lengths that are not there
        std::vector<std::byte> damaged{static_cast<std::byte>(lead), std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
        damaged.insert(damaged.end(), handle.begin(), handle.end());
        INFO("leading byte " << lead);
        CHECK(read(damaged).empty());
    }
}

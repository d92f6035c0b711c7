#include "service/watches.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "base/base.hpp"

using namespace muster;

namespace {

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
        out.reset(ends[0]);
        in.reset(ends[1]);
    }
    void fill() const { REQUIRE(::write(in.get(), "x", 1) == 1); }
    base::UniqueFd out, in;
};

}  // namespace

TEST_CASE("watches: a ready descriptor's action runs once") {
    boost::asio::io_context context;
    service::Watches watches(context);
    Pipe pipe;
    int ran = 0;
    watches.add(1, pipe.out.get(), [&] { ++ran; });
    context.poll();
    CHECK(ran == 0);
    pipe.fill();
    context.poll();
    context.poll();
    CHECK(ran == 1);
}

// The reactor has found both ready when the first action takes the second away and puts another in its place.
TEST_CASE("watches: a descriptor is not taken for ready because the one before it in its place was") {
    boost::asio::io_context context;
    service::Watches watches(context);
    std::array<Pipe, 2> ready;
    Pipe silent;
    bool replaced = false, woken = false;
    const auto replace = [&](std::size_t other) {
        if (replaced) return;
        replaced = true;
        watches.remove(other);
        ready[other].out.reset();
        watches.add(2, silent.out.get(), [&] { woken = true; });
    };
    for (std::size_t i : {0u, 1u}) watches.add(i, ready[i].out.get(), [&replace, i] { replace(1 - i); });
    for (const Pipe& pipe : ready) pipe.fill();
    for (int i = 0; i < 10; ++i) context.poll();
    CHECK(replaced);
    CHECK_FALSE(woken);

    silent.fill();
    for (int i = 0; i < 10; ++i) context.poll();
    CHECK(woken);
}

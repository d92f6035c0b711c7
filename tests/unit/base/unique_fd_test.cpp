#include "base/unique_fd.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>

using muster::base::UniqueFd;

namespace {

UniqueFd fresh() {
    UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    REQUIRE(fd);
    return fd;
}
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a descriptor is closed with its owner") {
    int number = -1;
    {
        const UniqueFd fd = fresh();
        number = fd.get();
        CHECK(is_open(number));
    }
    CHECK_FALSE(is_open(number));
}

TEST_CASE("a moved descriptor has one owner") {
    UniqueFd first = fresh();
    const int number = first.get();
    UniqueFd second = std::move(first);
    CHECK_FALSE(first);
    CHECK(second.get() == number);
    UniqueFd third = fresh();
    const int replaced = third.get();
    third = std::move(second);
    CHECK_FALSE(is_open(replaced));
    CHECK(third.get() == number);
    UniqueFd& same = third;
    third = std::move(same);
    CHECK(third.get() == number);
    CHECK(is_open(number));
}

TEST_CASE("a released descriptor is somebody else's") {
    UniqueFd fd = fresh();
    const int number = fd.release();
    CHECK_FALSE(fd);
    CHECK(is_open(number));
    fd.reset(number);
    fd.reset();
    CHECK_FALSE(is_open(number));
}

TEST_CASE("no descriptor is no owner's trouble") {
    UniqueFd none;
    CHECK_FALSE(none);
    CHECK(none.get() == -1);
    none.reset();
    CHECK(none.release() == -1);
}

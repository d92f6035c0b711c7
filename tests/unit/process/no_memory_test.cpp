// A start for which some allocation fails, each one in turn: no child, no descriptor, and it can be tried again.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <muster/process.hpp>
#include <new>

namespace {

thread_local int left = 0;  // allocations until one fails; 0: none does

}  // namespace

// For this whole program.
void* operator new(std::size_t size) {
    if (left > 0 && --left == 0) throw std::bad_alloc();
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
// As the default one: a sanitizer's own would not know of the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return ::operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

std::size_t descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

}  // namespace

TEST_CASE("a start that has no memory leaves no child and no descriptor, and can be tried again") {
    ::pthread_atfork(nullptr, nullptr, [] { left = 0; });  // the parent's alone are counted
    {
        muster::Process first([] { return 0; });  // what is made once
        first.start();
        first.join();
    }
    REQUIRE_FALSE(has_children());
    const auto before = descriptors();
    int failed = 0;
    for (int nth = 1;; ++nth) {
        INFO("allocation " << nth);
        REQUIRE(nth < 1000);
        muster::Process process([] { return 7; });
        bool refused = false;
        left = nth;
        try {
            process.start();
        } catch (const std::bad_alloc&) {
            refused = true;
        }
        const bool fired = left == 0;
        left = 0;
        if (refused) {
            ++failed;
            CHECK_FALSE(has_children());
            CHECK(descriptors() == before);
            process.start();
        }
        process.join();
        CHECK(process.exitcode() == 7);
        if (!fired) break;
    }
    CHECK(failed >= 3);
    CHECK_FALSE(has_children());
}

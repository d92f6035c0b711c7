// What the tests of pools share.
#pragma once

#include <catch2/catch.hpp>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <array>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <muster/executor.hpp>
#include <muster/process.hpp>
#include <muster/value.hpp>

#include "support/child.hpp"
#include "support/daemon_fixture.hpp"
#include "support/eventually.hpp"
#include "support/fails_with.hpp"
#include "support/leftovers.hpp"
#include "support/local_realm.hpp"
#include "support/skip.hpp"

namespace muster::test {

using namespace std::chrono_literals;

// For tests whose pools are of processes: they end by SIGTERM as in a program without Catch's handler. TSan bears no threads
// in the child of a program that has threads, and a worker is one.
inline void need_processes() {
    ::signal(SIGTERM, SIG_DFL);
#ifdef __SANITIZE_THREAD__
    skip("TSan bears no threads in the child of a program that had threads");
#endif
}

// The Error that `call` throws; fails when it throws none.
template <typename Call>
Error error_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    FAIL("it threw nothing");
    throw std::logic_error("unreachable");
}

inline std::vector<int> up_to(int end) {
    std::vector<int> numbers(static_cast<std::size_t>(end));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}
inline int square(int i) { return i * i; }
[[noreturn]] inline void fail_with(const std::string& what) { throw std::runtime_error(what); }
inline void sleep_for(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }
inline int kill_self(int signal) {
    ::signal(signal, SIG_DFL);  // Catch's handler is for the test itself
    ::kill(::getpid(), signal);
    std::this_thread::sleep_for(30s);
    return 0;
}
// A task that somebody else lets end: it counts itself in, and waits to be let go.
struct Gate {
    std::atomic<int> inside{0}, open{0};
    bool enter() {
        ++inside;
        while (open.load() == 0) std::this_thread::sleep_for(1ms);
        return true;
    }
};
// One that workers see who were forked before it was made: it is in memory that was there from the beginning.
class SharedGate {
  public:
    SharedGate() : gate_(&(*all())[made()++ % count]) { gate_->inside = gate_->open = 0; }
    Gate& operator*() const noexcept { return *gate_; }
    Gate* operator->() const noexcept { return gate_; }

  private:
    static constexpr std::size_t count = 64;
    static Shared<std::array<Gate, count>>& all() {
        static Shared<std::array<Gate, count>> gates;
        return gates;
    }
    static std::size_t& made() {
        static std::size_t number = 0;
        return number;
    }
    friend struct GatesBeforeAll;
    Gate* gate_;
};
inline const struct GatesBeforeAll {
    GatesBeforeAll() { (void)SharedGate::all(); }
} gates_before_all;
inline bool pass(std::uintptr_t gate) { return reinterpret_cast<Gate*>(gate)->enter(); }
inline std::uintptr_t address(Gate& gate) { return reinterpret_cast<std::uintptr_t>(&gate); }

}  // namespace muster::test

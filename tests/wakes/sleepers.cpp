#include "wakes/sleepers.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "base/base.hpp"
#include "base/futex_any.hpp"
#include "segment/segment.hpp"

namespace muster::test {
namespace {

constexpr long futex_waitv = 449;

std::uint32_t* word(std::atomic<std::uint32_t>& atomic) { return reinterpret_cast<std::uint32_t*>(&atomic); }

}  // namespace

Sleepers::Sleepers(std::size_t lanes, const Sleep& sleep)
    : shared_(static_cast<Lane*>(map_shared(lanes * sizeof(Lane))),
              [lanes](Lane* all) { unmap_shared(all, lanes * sizeof(Lane)); }) {
    for (std::size_t i = 0; i < lanes; ++i) new (&lane(i)) Lane{};
    process_ = std::make_unique<Child>([&]() -> int {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < lanes; ++i) threads.emplace_back([&, i] { run(i, sleep); });
        for (;;) ::pause();
    });
    for (std::size_t i = 0; i < lanes; ++i)
        if (!eventually([&] { return lane(i).thread.load() != 0; }))
            throw std::runtime_error("the sleepers' threads did not start");
}

void Sleepers::run(std::size_t index, const Sleep& sleep) {
    Lane& mine = lane(index);
    mine.thread.store(static_cast<pid_t>(::syscall(SYS_gettid)));
    for (std::uint32_t round = 0;; ++round) {
        while (mine.asked.load() == round) base::futex_wait(word(mine.asked), round, base::Deadline::never());
        mine.error[0] = '\0';
        const auto failed = [&](const char* why) { std::snprintf(mine.error, sizeof mine.error, "%s", why); };
        try {
            sleep(index);
        } catch (const std::exception& error) {
            failed(error.what());
        } catch (const segment::Damage& damage) {
            failed(damage.what);
        } catch (...) {
            failed("an exception of another type");
        }
        mine.answered.store(round + 1);
    }
}

void Sleepers::start(std::size_t index) {
    Lane& to = lane(index);
    to.asked.fetch_add(1);
    base::futex_wake(word(to.asked));
}

bool Sleepers::done(std::size_t index) const { return lane(index).answered.load() == lane(index).asked.load(); }

std::string Sleepers::error(std::size_t index) const { return lane(index).error; }

const void* Sleepers::sleeps_on(std::size_t index) const {
    char text[160];
    std::snprintf(text, sizeof text, "/proc/%d/task/%d/syscall", static_cast<int>(process_->pid()),
                  static_cast<int>(lane(index).thread.load()));
    const base::UniqueFd fd{::open(text, O_RDONLY | O_CLOEXEC)};
    const ssize_t size = fd ? ::read(fd.get(), text, sizeof text - 1) : -1;
    if (size <= 0) return nullptr;
    text[size] = '\0';
    char* at = nullptr;
    const long call = std::strtol(text, &at, 10);
    if ((call != SYS_futex && call != futex_waitv) || at == text) return nullptr;  // "running", or another call
    const auto argument = std::strtoull(at, nullptr, 16);
    if (call == SYS_futex) return reinterpret_cast<const void*>(argument);  // NOLINT: an address is what it is
    // Of several words the first; which they are stands in the sleeper's own memory.
    base::FutexWaiter first;
    const iovec here{&first, sizeof first}, there{reinterpret_cast<void*>(argument), sizeof first};  // NOLINT
    if (::process_vm_readv(process_->pid(), &here, 1, &there, 1, 0) != sizeof first) return nullptr;
    return reinterpret_cast<const void*>(first.address);  // NOLINT
}

}  // namespace muster::test

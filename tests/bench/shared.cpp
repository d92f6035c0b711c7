#include "shared.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>

namespace muster::bench {

SharedMemory::SharedMemory(std::size_t size) : size_(size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    data_ = static_cast<std::byte*>(at);
}

SharedMemory::~SharedMemory() { ::munmap(data_, size_); }

void Mutex::init(Robust robust) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (robust == Robust::yes) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

std::shared_ptr<Shared<Mutex>> make_mutex(Mutex::Robust robust) {
    auto mutex = std::make_shared<Shared<Mutex>>();
    (*mutex)->init(robust);
    return mutex;
}

void spin_once(std::uint32_t& turns) noexcept {
    if (++turns % 1024 == 0)
        ::sched_yield();
    else
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#else
        std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

Pinned::Pinned(std::span<const pid_t> others, Placed placed) {
    const auto pin = [](pid_t pid, int cpu) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (::sched_setaffinity(pid, sizeof set, &set) != 0)
            throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
    };
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0)
        throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    std::vector<int> allowed;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &before_)) allowed.push_back(cpu);
    pin(0, allowed.front());
    for (const pid_t pid : others) pin(pid, placed == Placed::apart ? allowed.back() : allowed.front());
}

Pinned::~Pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

// Turns: this side sets `called`, the partner answers with `ready`, this side starts both with `go`, and the
// partner reports with `done`. Each on a line of its own.
struct Partner::Board {
    alignas(64) std::atomic<std::uint64_t> called{0};
    std::uint64_t which = 0, n = 0;
    alignas(64) std::atomic<std::uint64_t> ready{0};
    alignas(64) std::atomic<std::uint64_t> go{0};
    alignas(64) std::atomic<std::uint64_t> done{0};
    std::uint64_t begin = 0, end = 0;
    bool failed = false;
};

Partner::Partner(std::vector<Duet> duets)
    : duets_(std::move(duets)), board_(std::make_unique<Shared<Board>>()) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    serve();
}

Partner::~Partner() {
    ::kill(pid_, SIGKILL);  // it holds nothing between two duets
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool Partner::alive() const noexcept {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

void Partner::serve() {
    Board& board = **board_;
    for (std::uint64_t turn = 1;; ++turn) {
        // Between rows it sleeps: whoever is measured alone then has the machine.
        for (std::uint32_t turns = 0; board.called.load(std::memory_order_acquire) != turn;) {
            if (turns < 200'000)
                spin_once(turns);
            else
                ::usleep(200);
        }
        const std::uint64_t which = board.which, n = board.n;
        board.ready.store(turn, std::memory_order_release);
        for (std::uint32_t turns = 0; board.go.load(std::memory_order_acquire) != turn;) spin_once(turns);
        try {
            board.begin = now_ns();
            duets_[which].there(n);
            board.end = now_ns();
        } catch (...) {
            board.failed = true;
        }
        board.done.store(turn, std::memory_order_release);
    }
}

double Partner::run(std::size_t which, std::uint64_t n) {
    Board& board = **board_;
    const std::uint64_t turn = board.called.load() + 1;
    const auto await = [&](const std::atomic<std::uint64_t>& mark) {
        for (std::uint32_t turns = 0; mark.load(std::memory_order_acquire) != turn;) {
            spin_once(turns);
            if (turns % (1u << 20) == 0 && !alive()) throw std::runtime_error("the partner process has died");
        }
    };
    const Pinned pinned({&pid_, 1}, Placed::apart);
    board.which = which;
    board.n = n;
    board.called.store(turn, std::memory_order_release);
    await(board.ready);
    board.go.store(turn, std::memory_order_release);
    const std::uint64_t begin = now_ns();
    duets_[which].here(n);
    const std::uint64_t end = now_ns();
    await(board.done);
    if (board.failed) throw std::runtime_error("the partner's side of the duet failed");
    return static_cast<double>(std::max(end, board.end) - std::min(begin, board.begin));
}

}  // namespace muster::bench

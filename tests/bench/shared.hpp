// Plain shared memory, pthread mutexes in it, a forked partner, and where both run: what the limits are made of.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "measure.hpp"

namespace muster::bench {

// Anonymous memory that forked children share, zeroed.
class SharedMemory {
  public:
    explicit SharedMemory(std::size_t size);
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory();
    std::byte* data() const noexcept { return data_; }

  private:
    std::byte* data_;
    std::size_t size_;
};

// A T in shared memory of its own; trivially destroyed.
template <typename T>
class Shared {
  public:
    Shared() : memory_(sizeof(T)), value_(new (memory_.data()) T) {}
    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }

  private:
    SharedMemory memory_;
    T* value_;
};

// A process-shared pthread mutex as C++ programs wrap it. For a Shared.
class alignas(64) Mutex {
  public:
    enum class Robust { no, yes };
    void init(Robust robust);
    void lock() noexcept { (void)pthread_mutex_lock(&mutex_); }
    void unlock() noexcept { (void)pthread_mutex_unlock(&mutex_); }

  private:
    pthread_mutex_t mutex_;
};
std::shared_ptr<Shared<Mutex>> make_mutex(Mutex::Robust robust = Mutex::Robust::no);

// Where those run who work with the calling thread: on the same processor, or on another where there is one. The scheduler
// would decide otherwise, and differently for the sides of a comparison.
enum class Placed { together, apart };

// While it lives the calling thread keeps to one processor, and `others` to that or to another one; they stay there.
// Throws std::system_error.
class Pinned {
  public:
    Pinned(std::span<const pid_t> others, Placed placed);
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    ~Pinned();

  private:
    cpu_set_t before_;
};

// What two processes do at the same time: `here` in this one, `there` in the partner, both given the
// operations.
struct Duet {
    std::function<void(std::uint64_t n)> here, there;
};

// A forked process that plays the other side of duets. It must be made after everything the duets use, and it
// ends with this object, or with this process.
class Partner {
  public:
    explicit Partner(std::vector<Duet> duets);
    Partner(const Partner&) = delete;
    Partner& operator=(const Partner&) = delete;
    ~Partner();

    // Both sides of duet `which`, each on a processor of its own. Nanoseconds from the first one's start to the last one's end. Throws
    // std::runtime_error when the partner has died or its side threw.
    double run(std::size_t which, std::uint64_t n);

  private:
    struct Board;
    [[noreturn]] void serve();
    bool alive() const noexcept;

    std::vector<Duet> duets_;
    std::unique_ptr<Shared<Board>> board_;
    pid_t pid_ = 0;
};

// One turn of spinning: yields the processor now and then, so that a machine with one free core gets on.
void spin_once(std::uint32_t& turns) noexcept;

}  // namespace muster::bench

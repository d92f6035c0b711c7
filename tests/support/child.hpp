// A forked child for one test: runs a function, ends with _exit, is reaped or killed whatever the test does.
#pragma once

#include <sys/types.h>

#include <functional>

#include "support/eventually.hpp"

namespace muster::test {

class Child {
  public:
    // The function's result is the exit code; 99 if it throws.
    explicit Child(const std::function<int()>& run);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    pid_t pid() const noexcept { return pid_; }
    void kill(int signal);
    // Waits; the exit code, or minus the signal.
    int join();

  private:
    pid_t pid_;
    bool joined_ = false;
};

// What a child does that waits to be killed.
[[noreturn]] void sleep_for_ever();

// A word that parent and children see.
template <typename T>
class Shared {
  public:
    Shared();
    ~Shared();
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }

  private:
    T* value_;
};

void* map_shared(std::size_t size);
void unmap_shared(void* at, std::size_t size);

template <typename T>
Shared<T>::Shared() : value_(new (map_shared(sizeof(T))) T{}) {}
template <typename T>
Shared<T>::~Shared() { unmap_shared(value_, sizeof(T)); }

}  // namespace muster::test

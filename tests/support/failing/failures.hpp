// "Fail the Nth until none fires": what a process asks of the system, step by step, any of which can be told to fail once.
//
//   for (int nth = 1;; ++nth) {
//       const FailNth failing(nth);
//       ... the operation, which throws or not ...
//       if (!failing.fired()) break;
//   }
//
// A program that links this (muster_failing) has operator new and the C library's functions below replaced. A plan counts
// the steps of one process, of one of its threads if it says so; it lies in shared memory, so that a forked process can be
// meant. One plan at a time.
#pragma once

#include <sys/types.h>

#include <string>

namespace muster::test {

enum Step : unsigned {
    allocation = 1,   // operator new: std::bad_alloc
    reservation = 2,  // fallocate (no punched holes), ftruncate: ENOSPC
    mapping = 4,      // mmap: ENOMEM
    descriptor = 8,   // memfd_create, socket, eventfd, pipe2, open: EMFILE
    sending = 16,     // connect, send, sendmsg: ENOBUFS
    receiving = 32,   // recv, recvmsg: ENOMEM
    process = 64,     // fork, pthread_create: EAGAIN
};
inline constexpr unsigned every_step = 127;

struct Failing {
    unsigned steps = every_step;
    int times = 1;           // so many in a row fail
    pid_t pid = 0;           // 0: this one
    bool any_thread = false;  // of this process; another one's are all meant
};

class FailNth {
  public:
    explicit FailNth(int nth, Failing what = {});
    FailNth(const FailNth&) = delete;
    FailNth& operator=(const FailNth&) = delete;
    ~FailNth() { end(); }

    void end() noexcept;  // nothing fails any more
    bool fired() const noexcept;
    std::string step() const;  // "mmap"; empty when none fired
};

}  // namespace muster::test

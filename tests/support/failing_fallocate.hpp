// "Fail the Nth until none fires": fallocate() as this program sees it, which can be told to run out of memory.
// Include in one source file of a test program; it replaces the C library's.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace muster::test {

// Reservations (not punched holes) until the one that fails, counted down; less than 0: none does.
inline int reservations_left = -1;
inline bool reservation_failed = false;

class FailingReservation {
  public:
    explicit FailingReservation(int nth) {
        reservations_left = nth;
        reservation_failed = false;
    }
    FailingReservation(const FailingReservation&) = delete;
    FailingReservation& operator=(const FailingReservation&) = delete;
    ~FailingReservation() { reservations_left = -1; }
    bool fired() const { return reservation_failed; }
};

}  // namespace muster::test

extern "C" int fallocate(int fd, int mode, off_t offset, off_t length) {
    if ((mode & FALLOC_FL_PUNCH_HOLE) == 0 && muster::test::reservations_left >= 0 &&
        muster::test::reservations_left-- == 0) {
        muster::test::reservation_failed = true;
        errno = ENOSPC;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, length));
}

// <sys/pidfd.h> for C++: glibc 2.36 declares its functions without saying that they are C's.
#pragma once

#include <fcntl.h>
#include <signal.h>

extern "C" {
#include <sys/pidfd.h>
}

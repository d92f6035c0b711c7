// A new PID namespace for one test, where numbers can be given out a second time at will.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace muster::test {

enum class Proc { own, outer };  // which processes /proc shows there

// Runs it as a child that is process 1 of a new PID namespace; all that it started ends with it. What it returns is what
// was wrong: empty if nothing was. Says why, in SKIP and the end of the test, where namespaces may not be made.
std::string in_pid_namespace(Proc proc, const std::function<std::string()>& run);

// In such a namespace: the next process forked there gets this number. False: the kernel does not do it.
bool next_pid(pid_t pid);

// Runs it in a forked child and waits for its end; what it returns is passed on.
std::string in_child(const std::function<std::string()>& run);

}  // namespace muster::test

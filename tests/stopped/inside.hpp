// A process that is stopped inside a change of a realm: by SIGSTOP in a transaction, or by a debugger at the instruction
// where its first word is logged.
#pragma once

#include <csignal>
#include <functional>

#include "containers/containers.hpp"
#include "support/child.hpp"
#include "sync/sync.hpp"

namespace muster::test {

// A child with a half-done transaction in the domain, stopped by a signal. The transaction is rolled back when it goes on.
class StoppedInside {
  public:
    StoppedInside(const segment::Segment& segment, tx::DomainRep& domain);
    pid_t pid() const noexcept { return child_.pid(); }
    void go_on() { child_.kill(SIGCONT); }
    // Its exit code: 0 when it left as if nothing had been.
    int join() { return child_.join(); }

  private:
    Child child_;
};

// A child that runs the operation up to the point where `inside` becomes true, and stays there under ptrace.
class TracedInside {
  public:
    TracedInside(const std::function<void()>& operation, const std::function<bool()>& inside);
    ~TracedInside();
    TracedInside(const TracedInside&) = delete;
    TracedInside& operator=(const TracedInside&) = delete;
    pid_t pid() const noexcept { return pid_; }
    void go_on();  // detaches
    int join();    // its exit code

  private:
    pid_t pid_ = -1;
};

tx::DomainRep& domain_at(const segment::Segment& segment, std::uint64_t offset);
// Of a live named object.
tx::DomainRep& domain_of(const segment::Segment& segment, const std::string& name);

}  // namespace muster::test

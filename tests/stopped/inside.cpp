#include "stopped/inside.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include "support/daemon_fixture.hpp"

namespace muster::test {

StoppedInside::StoppedInside(const segment::Segment& segment, tx::DomainRep& domain)
    : child_([&] {
          const tx::DomainLock lock(segment, domain, base::Deadline::after(std::chrono::seconds(20)));
          tx::begin_writing(domain.sequence);  // the first thing that a transaction does
          ::raise(SIGSTOP);
          tx::finish_writing(domain.log_count, domain.sequence);
          return 0;
      }) {
    if (!eventually([&] { return process_state(child_.pid()) == 'T'; }))
        throw std::runtime_error("the child did not stop inside");
}

TracedInside::TracedInside(const std::function<void()>& operation, const std::function<bool()>& inside) : pid_(::fork()) {
    if (pid_ == 0) {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(98);
        ::raise(SIGSTOP);
        int code = 0;
        try {
            operation();
        } catch (...) {
            code = 99;
        }
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    while (WIFSTOPPED(status) && !inside()) {
        ::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr);
        ::waitpid(pid_, &status, 0);
    }
    if (WIFSTOPPED(status)) return;
    pid_ = -1;
    throw std::runtime_error("the child never came inside");
}

TracedInside::~TracedInside() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void TracedInside::go_on() { ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr); }

int TracedInside::join() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

tx::DomainRep& domain_at(const segment::Segment& segment, std::uint64_t offset) {
    return *segment.at<tx::DomainRep>(offset);
}

tx::DomainRep& domain_of(const segment::Segment& segment, const std::string& name) {
    const auto found = containers::Directory(segment).find_any(name);
    if (!found) throw std::runtime_error("no object " + name);
    return heap::object_at(segment, found->ref.id).domain;
}

}  // namespace muster::test

#include "support/child.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <system_error>

namespace muster::test {

Child::Child(const std::function<int()>& run) : pid_(::fork()) {
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ != 0) return;
    int code = 99;
    try {
        code = run();
    } catch (...) {
    }
    ::_exit(code);
}

Child::~Child() {
    if (joined_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Child::kill(int signal) { ::kill(pid_, signal); }

int Child::join() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    joined_ = true;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void sleep_for_ever() {
    for (;;) ::pause();
}

void* map_shared(std::size_t size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc{};
    return at;
}

void unmap_shared(void* at, std::size_t size) { ::munmap(at, size); }

}  // namespace muster::test

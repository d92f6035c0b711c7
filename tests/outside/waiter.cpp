#include "outside/waiter.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

namespace outside {

struct Waiter::Words {
    std::atomic<unsigned> asked{0}, begun{0}, done{0};
};

Waiter::Waiter(const std::function<void()>& wait) {
    void* at = ::mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc{};
    words_ = new (at) Words;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ != 0) {
        ::close(ends[0]);
        orders_ = ends[1];
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        for (char order; ::read(ends[0], &order, 1) == 1;) {
            words_->begun.fetch_add(1);
            wait();
            words_->done.fetch_add(1);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "the waiter: %s\n", error.what());
    }
    ::_exit(1);
}

Waiter::~Waiter() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(orders_);
    ::munmap(words_, sizeof(Words));
}

void Waiter::start() {
    words_->asked.fetch_add(1);
    if (::write(orders_, "w", 1) != 1) throw std::system_error(errno, std::generic_category(), "write");
}

bool Waiter::done() const { return words_->done.load() == words_->asked.load(); }

bool Waiter::settled() const {
    return done() || (words_->begun.load() == words_->asked.load() && process_state(pid_) == 'S');
}

char process_state(pid_t pid) {
    char text[512] = "";
    std::snprintf(text, sizeof text, "/proc/%d/stat", static_cast<int>(pid));
    if (std::FILE* file = std::fopen(text, "re")) {
        text[std::fread(text, 1, sizeof text - 1, file)] = '\0';
        std::fclose(file);
        if (const char* bracket = std::strrchr(text, ')'); bracket != nullptr && bracket[1] != '\0') return bracket[2];
    }
    return 'X';
}

}  // namespace outside

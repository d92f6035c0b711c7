#include "identity/namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/base.hpp"
#include "support/child.hpp"
#include "support/skip.hpp"

namespace muster::test {
namespace {

struct Answer {
    char text[400];
};

int answer(Answer& to, const std::function<std::string()>& run) {
    std::string text = "an exception of another type";
    try {
        text = run();
    } catch (const std::exception& error) {
        text = std::string("it threw: ") + error.what();
    } catch (...) {
    }
    std::snprintf(to.text, sizeof to.text, "%s", text.c_str());
    return 0;
}

std::string heard(int code, const Answer& from) {
    return code == 0 ? std::string(from.text) : "the child ended with " + std::to_string(code);
}

constexpr int no_namespace = 78;

}  // namespace

std::string in_child(const std::function<std::string()>& run) {
    const Shared<Answer> said;
    Child child([&] { return answer(*said, run); });
    return heard(child.join(), *said);
}

std::string in_pid_namespace(Proc proc, const std::function<std::string()>& run) {
    const Shared<Answer> said;
    Child outer([&] {
        if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return no_namespace;
        Child first([&] {  // process 1
            if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return no_namespace;
            if (proc == Proc::own && ::mount("proc", "/proc", "proc", 0, nullptr) != 0) return no_namespace;
            return answer(*said, run);
        });
        return first.join();
    });
    const int code = outer.join();
    if (code == no_namespace) skip("PID namespaces may not be made here");
    return heard(code, *said);
}

bool next_pid(pid_t pid) {
    const base::UniqueFd last{::open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC)};
    const std::string text = std::to_string(pid - 1);
    return last && ::write(last.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace muster::test

#include <fcntl.h>
#include <sys/wait.h>

#include <csignal>

#include "crash/examine.hpp"

namespace muster::test {
namespace {

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t n = base::retry_interrupted([&] { return ::read(fd, buffer, sizeof buffer); });
        if (n <= 0) return text;
        text.append(buffer, static_cast<std::size_t>(n));
    }
}

}  // namespace

Examination examine_apart(const Operation& operation, const Depth& depth, unsigned seconds) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) base::throw_errno(errno, "examine", operation.name, "pipe2");
    base::UniqueFd in{ends[0]}, out{ends[1]};
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(seconds);
        std::string text;
        try {
            for (const std::string& failure : examine(operation, depth).failures) text += failure + "\n";
        } catch (const std::exception& error) {
            text = std::string("exception: ") + error.what() + "\n";
        } catch (...) {
            text = "exception of another type\n";
        }
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t n = ::write(out.get(), text.data() + done, text.size() - done);
            if (n <= 0) break;
            done += static_cast<std::size_t>(n);
        }
        ::_exit(0);
    }
    out.reset();
    Examination result;
    result.name = operation.name;
    const std::string text = read_all(in.get());
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) base::throw_errno(errno, "examine", operation.name, "fork");
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        result.failures.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    if (WIFSIGNALED(status))
        result.failures.push_back(std::string("the examination died: ") + ::strsignal(WTERMSIG(status)));
    return result;
}

}  // namespace muster::test

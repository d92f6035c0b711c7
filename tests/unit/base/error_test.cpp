#include <catch2/catch.hpp>

#include <csignal>
#include <set>

#include <fcntl.h>
#include <sys/wait.h>


#include "base/base.hpp"

using muster::Errc;
using muster::Error;
namespace base = muster::base;

TEST_CASE("an error tells what, on what, why, and what to do, on one line") {
    const Error error(Errc::out_of_memory, "set", "dict 'totals'", "4.0 MiB asked, quota 64 MiB");
    CHECK(std::string(error.what()) == "dict 'totals': set: out of memory: 4.0 MiB asked, quota 64 MiB");
    CHECK(error.errc() == Errc::out_of_memory);
    CHECK(error.operation() == "set");
    CHECK(error.subject() == "dict 'totals'");
    CHECK(error.detail() == "4.0 MiB asked, quota 64 MiB");
    CHECK(error.code() == Errc::out_of_memory);
    CHECK(std::string(Error(Errc::timeout, "", "").what()) == "timed out");
}

TEST_CASE("every error code has a name of its own, and is found by it") {
    std::set<std::string> names;
    int codes = 0;
    for (int i = static_cast<int>(Errc::key_error); i <= static_cast<int>(Errc::worker_died); ++i, ++codes) {
        const auto code = static_cast<Errc>(i);
        const std::string name(muster::to_string(code));
        INFO(i << " " << name);
        names.insert(name);
        CHECK(muster::errc_from_name(name) == code);
        CHECK(muster::error_category().message(i).find("unknown") == std::string::npos);
    }
    CHECK(names.size() == static_cast<std::size_t>(codes));
    CHECK(muster::errc_from_name("nonsense") == Errc::system);
    CHECK(muster::to_string(static_cast<Errc>(9999)) == "system");
}

TEST_CASE("the numbers of error codes that replies carry never change") {
    CHECK(static_cast<int>(Errc::key_error) == 1);
    CHECK(static_cast<int>(Errc::no_such_object) == 6);
    CHECK(static_cast<int>(Errc::timeout) == 11);
    CHECK(static_cast<int>(Errc::out_of_memory) == 17);
    CHECK(static_cast<int>(Errc::system) == 28);
    CHECK(static_cast<int>(Errc::broken_pipe) == 33);
    CHECK(static_cast<int>(Errc::worker_died) == 36);
}

TEST_CASE("errno is translated") {
    const auto code = [](int error) { return base::from_errno(error, "open", "file", "openat").errc(); };
    CHECK(code(EACCES) == Errc::refused);
    CHECK(code(EPERM) == Errc::refused);
    CHECK(code(ENOMEM) == Errc::out_of_memory);
    CHECK(code(ENOSPC) == Errc::out_of_memory);
    CHECK(code(ECONNREFUSED) == Errc::unreachable);
    CHECK(code(ETIMEDOUT) == Errc::timeout);
    CHECK(code(EIO) == Errc::system);
    const Error error = base::from_errno(EACCES, "open", "file 'x'", "openat");
    CHECK(std::string(error.what()) == "file 'x': open: permission denied: openat: Permission denied");
    CHECK_THROWS_AS(base::throw_errno(EIO, "read", "file", "read"), Error);
}

TEST_CASE("an interrupted call is repeated, another failure is not") {
    int calls = 0;
    const int result = base::retry_interrupted([&] {
        errno = EINTR;
        return ++calls < 3 ? -1 : 7;
    });
    CHECK(result == 7);
    CHECK(calls == 3);
    calls = 0;
    CHECK(base::retry_interrupted([&] {
        ++calls;
        errno = EIO;
        return -1;
    }) == -1);
    CHECK(calls == 1);
}

TEST_CASE("a failed check says where, and aborts") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const base::UniqueFd in{ends[0]};
    base::UniqueFd out{ends[1]};
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGABRT, SIG_DFL);
        ::dup2(out.get(), STDERR_FILENO);
        const int two = 2;
        MUSTER_CHECK(two == 2);
        MUSTER_CHECK(two == 3);
        ::_exit(0);
    }
    out.reset();
    char text[512]{};
    const ssize_t size = ::read(in.get(), text, sizeof text - 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
    REQUIRE(size > 0);
    CHECK(std::string(text).find("check failed: two == 3 (") != std::string::npos);
    CHECK(std::string(text).find("error_test.cpp:") != std::string::npos);
}

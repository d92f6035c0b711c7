#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "session/reply_error.hpp"

using muster::Errc;
using muster::session::reply_error;
using nlohmann::json;

TEST_CASE("each error of the interfaces has its code and one line that says it all") {
    struct Case {
        const char* method;
        const char* error;
        json parameters;
        Errc code;
        const char* what;
    };
    const std::vector<Case> cases{
        {"io.muster.service.Shutdown",
         "io.muster.service.NotPermitted",
         {{"operation", "shutdown"}, {"reason", "owner or root only"}},
         Errc::refused,
         "shutdown: permission denied: owner or root only"},
        {"io.muster.service.Attach",
         "io.muster.service.OutOfMemory",
         {{"reason", "64 MiB"}},
         Errc::out_of_memory,
         "attach: out of memory: 64 MiB"},
        {"io.muster.processes.Spawn",
         "io.muster.processes.LimitExceeded",
         {{"what", "processes"}, {"limit", 4096}},
         Errc::limit_exceeded,
         "processes: spawn: over the limit: at most 4096"},
        {"io.muster.processes.Spawn",
         "io.muster.processes.LimitExceeded",
         {{"what", "processes"}, {"limit", 4096}, {"key", "limits.processes"}},
         Errc::limit_exceeded,
         "processes: spawn: over the limit: at most 4096; raised by limits.processes"},
        {"io.muster.service.Attach",
         "io.muster.service.Damaged",
         {{"reason", "bad magic"}},
         Errc::damaged,
         "attach: damaged: bad magic"},
        {"io.muster.processes.Stop",
         "io.muster.processes.NoSuchProcess",
         {{"select", "web"}},
         Errc::no_such_process,
         "process 'web': stop: no such process"},
        {"io.muster.processes.Spawn",
         "io.muster.processes.StartFailed",
         {{"step", "chdir"}, {"subject", "/nope"}, {"errno", 2}, {"reason", "No such file or directory"}},
         Errc::start_failed,
         "process: spawn: could not be started: chdir /nope: No such file or directory"},
        {"io.muster.processes.Wait",
         "io.muster.processes.WaitTimeout",
         {{"processes", {1, 2}}},
         Errc::timeout,
         "processes: wait: timed out: 2 still running"},
        {"io.muster.objects.List",
         "io.muster.service.Busy",
         {{"reason", "PID 7 (x), stopped, has been inside"}},
         Errc::timeout,
         "list: timed out: PID 7 (x), stopped, has been inside"},
        {"io.muster.objects.Erase",
         "io.muster.objects.NoSuchObject",
         {{"name", "jobs"}},
         Errc::no_such_object,
         "object 'jobs': erase: no such object"},
        {"io.muster.service.Frob",
         "org.varlink.service.MethodNotFound",
         {{"method", "io.muster.service.Frob"}},
         Errc::protocol,
         "io.muster.service.Frob: frob: protocol error: MethodNotFound: is this musterd of another version?"},
        {"io.muster.processes.Signal",
         "org.varlink.service.InvalidParameter",
         {{"parameter", "signal"}},
         Errc::invalid_argument,
         "parameter 'signal': signal: invalid argument: the daemon does not take it"},
        {"io.muster.processes.Signal",
         "org.varlink.service.InvalidParameter",
         {{"parameter", "signal"}, {"reason", "1 to 64"}},
         Errc::invalid_argument,
         "parameter 'signal': signal: invalid argument: 1 to 64"},
        {"io.muster.objects.List", "com.example.Strange", nullptr, Errc::protocol,
         "io.muster.objects.List: list: protocol error: unknown error com.example.Strange"},
    };
    for (const auto& c : cases) {
        const auto error = reply_error(c.error, c.parameters, c.method);
        CHECK(error.errc() == c.code);
        CHECK(error.what() == std::string(c.what));
        CHECK(error.name() == c.error);
        CHECK(error.parameters() == c.parameters);
    }
}

TEST_CASE("an error reply of the wrong shape is still told, on one line") {
    const auto error =
        reply_error("io.muster.service.Damaged", {{"reason", "a\nb\x1b[31m"}}, "io.muster.service.Attach");
    CHECK(error.what() == std::string("attach: damaged: a b [31m"));
    CHECK(reply_error("io.muster.processes.StartFailed", 3, "io.muster.processes.Spawn").errc() ==
          Errc::start_failed);
    CHECK(reply_error("", json::array(), "").errc() == Errc::protocol);
    CHECK(muster::session::one_line(std::string(600, 'x')).size() == 515);
}

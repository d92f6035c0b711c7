// The examples about processes say what they should, and the daemon says the same.
#include <csignal>
#include <regex>

#include "example_run.hpp"

using namespace muster::test;

TEST_CASE_METHOD(ExampleRun, "example pid_ppid: parent, child and daemon agree who is whose child") {
    example("pid_ppid");
    REQUIRE(lines.size() == 4);
    std::smatch parent, child, seen;
    REQUIRE(std::regex_match(lines[0], parent, std::regex("parent: pid (\\d+), ppid (\\d+)")));
    REQUIRE(std::regex_match(lines[1], child, std::regex("child:  pid (\\d+), ppid (\\d+)")));
    REQUIRE(std::regex_match(lines[2], seen, std::regex("daemon: 'child' pid (\\d+), ppid (\\d+), running")));
    CHECK(parent[2] == std::to_string(::getpid()));
    CHECK(child[2] == parent[1]);
    CHECK(seen[1] == child[1]);
    CHECK(seen[2] == parent[1]);
    CHECK(lines[3] == "the child was " + child[1].str() + " and ended with 0");
    CHECK(eventually([&] { return process("child").at("exit_code") == 0; }));
    CHECK(process("child").at("pid") == std::stoi(child[1]));
    CHECK(process("child").at("ppid") == std::stoi(parent[1]));
}

TEST_CASE_METHOD(ExampleRun, "example process_life: each stage shows what is known of a process") {
    example("process_life");
    CHECK(lines == std::vector<std::string>{
                       "Process-1 made: pid none, alive no, exit code none",
                       "Process-1 is no daemon",
                       "Process-1 started: pid known, alive yes, exit code none",
                       "Process-1 has not ended within 50 ms",
                       "Process-1 terminated and joined: pid known, alive no, exit code -15",
                       "Process-2 killed and joined: pid known, alive no, exit code -9",
                       "Process-3 left alone and joined: pid known, alive no, exit code 7",
                   });
    CHECK(eventually([&] { return process("Process-3").at("exit_code") == 7; }));
    CHECK(process("Process-1").at("signal") == SIGTERM);
    CHECK(process("Process-2").at("signal") == SIGKILL);
}

TEST_CASE_METHOD(ExampleRun, "example ways_to_end: each end is told as what it was") {
    example("ways_to_end", "Process on-an-error: the disk is full\n");
    CHECK(lines == std::vector<std::string>{
                       "by-itself: exit code 0",
                       "on-an-error: exit code 1",
                       "on-a-fatal-error: signal SIGABRT, exit code -6",
                       "killed: signal SIGKILL, exit code -9",
                   });
    CHECK(eventually([&] { return process("killed").at("signal") == SIGKILL; }));
    CHECK(process("by-itself").at("exit_code") == 0);
    CHECK(process("by-itself").at("signal").is_null());
    CHECK(process("on-an-error").at("exit_code") == 1);
    CHECK(process("on-a-fatal-error").at("signal") == SIGABRT);
    CHECK(process("on-a-fatal-error").at("exit_code").is_null());
}

TEST_CASE_METHOD(ExampleRun, "example daemon_process: the daemon ends with its parent, the other is waited for") {
    example("daemon_process");
    // Parent and children speak at once; what counts is who says what, and that the last word is the one waited for.
    CHECK(sorted(lines) == sorted({
                               "background is a daemon, foreground is no daemon",
                               "background: starting",
                               "foreground: starting",
                               "strict: a daemon process may not have children",
                               "MainProcess: exiting",
                               "foreground: exiting",
                           }));
    CHECK(lines.back() == "foreground: exiting");
    CHECK(eventually([&] { return process("background").at("signal") == SIGTERM; }));
    CHECK(process("foreground").at("exit_code") == 0);
}

TEST_CASE_METHOD(ExampleRun, "example process_class: each process has its own arguments and its own run()") {
    example("process_class");
    CHECK(lines == std::vector<std::string>{
                       "greeter-of-Ada: hello Ada",
                       "greeter-of-Ada ended with 3",
                       "greeter-of-Grace: hello Grace",
                       "greeter-of-Grace ended with 5",
                       "greeter-of-Barbara: hello Barbara",
                       "greeter-of-Barbara ended with 7",
                       "Ada: 3 letters",
                       "Grace: 5 letters",
                       "Barbara: 7 letters",
                   });
    CHECK(eventually([&] { return process("greeter-of-Ada").at("exit_code") == 3; }));
}

TEST_CASE_METHOD(ExampleRun, "example threads_in_process: the threads of a process share its handles") {
    example("threads_in_process");
    CHECK(lines == std::vector<std::string>{
                       "current thread: MainThread",
                       "threads: MainThread Thread-1 Thread-2 Thread-3",
                       "active: 4",
                       "active after join: 1",
                       "Thread-1 in Process-1",
                       "Thread-2 in Process-1",
                       "Thread-3 in Process-1",
                       "total: 3000, the process ended with 0",
                   });
}

TEST_CASE("an example without an address has a daemon of its own, which ends with it") {
    const TempDirectory runtime;
    const Ran ran =
        run({program("example-pid_ppid")}, {"MUSTER_ADDRESS=", "XDG_RUNTIME_DIR=" + runtime.path()});
    INFO(ran.err);
    CHECK(ran.status == 0);
    CHECK(lines_of(ran.out).size() == 4);
    // Its socket was there, or it would not say four lines; nothing of it is left.
    const Ran left = run({"/bin/ls", "-A", runtime.path()});
    CHECK(left.out.empty());
}

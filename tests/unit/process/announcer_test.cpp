// Who is told what about children, and when.
#include "process/process.hpp"

#include "support.hpp"

using namespace process_test;
using muster::Process;
using muster::process::Announcer;
using muster::process::Ending;

namespace {

struct Told {
    pid_t pid = 0;
    std::string name;
    char state = 0;  // of the process, at that moment
    std::optional<Ending> ending;
};

class Recorder final : public Announcer {
  public:
    Recorder() : before_(muster::process::set_announcer(this)) {}
    ~Recorder() override { muster::process::set_announcer(before_); }
    void started(pid_t pid, const std::string& name) noexcept override {
        told.push_back({pid, name, process_state(pid), {}});
    }
    void ended(pid_t pid, const Ending& ending) noexcept override {
        told.push_back({pid, "", process_state(pid), ending});
    }
    void before_fork() noexcept override { ++forks; }
    void after_fork_in_parent() noexcept override { ++returns; }
    void after_fork_in_child() noexcept override { told.clear(); }

    std::vector<Told> told;
    int forks = 0, returns = 0;

  private:
    Announcer* before_;
};

}  // namespace

TEST_CASE("a child is announced before its function runs, and its end while it is a zombie") {
    Channel running;
    Recorder listener;
    Process process(Process::Options{.name = "announced"}, [&] {
        running.send(1);
        return 3;
    });
    process.start();
    REQUIRE(listener.told.size() == 1);
    CHECK(listener.told[0].pid == process.pid());
    CHECK(listener.told[0].name == "announced");
    CHECK_FALSE(listener.told[0].ending);
    process.join();
    REQUIRE(listener.told.size() == 2);
    CHECK(listener.told[1].pid == process.pid());
    CHECK(listener.told[1].state == 'Z');
    REQUIRE(listener.told[1].ending);
    CHECK(listener.told[1].ending->exit_code == 3);
    CHECK_FALSE(listener.told[1].ending->signal);
    CHECK(gone(*process.pid()));
    process.join();
    CHECK(listener.told.size() == 2);
}

TEST_CASE("while the announcer is told of a start the child's function has not begun") {
    struct Slow final : Announcer {
        Slow() : before(muster::process::set_announcer(this)) {}
        ~Slow() override { muster::process::set_announcer(before); }
        void started(pid_t, const std::string&) noexcept override {
            early = running.receive<int>(30ms).has_value();
        }
        void ended(pid_t, const Ending&) noexcept override {}
        Channel running;
        bool early = true;
        Announcer* before;
    } slow;
    Process process([&] { slow.running.send(1); });
    process.start().join();
    CHECK_FALSE(slow.early);
    CHECK(slow.running.receive<int>());
}

TEST_CASE("an end by signal is announced as one") {
    Recorder listener;
    Process process(hang);
    process.start().kill();
    process.join();
    REQUIRE(listener.told.size() == 2);
    CHECK(listener.told[1].ending->signal == SIGKILL);
    CHECK_FALSE(listener.told[1].ending->exit_code);
    CHECK_FALSE(listener.told[1].ending->core_dumped);
}

TEST_CASE("a new announcer hears of the children that run already") {
    Channel go;
    Process process(Process::Options{.name = "early"}, [&] { go.receive<int>(); });
    process.start();
    Recorder listener;
    REQUIRE(listener.told.size() == 1);
    CHECK(listener.told[0].pid == process.pid());
    CHECK(listener.told[0].name == "early");
    go.send(1);
    process.join();
    CHECK(listener.told.size() == 2);
}

TEST_CASE(
    "every fork is bracketed for the announcer, and the child begins with none of the parent's children") {
    Recorder listener;
    Process process(
        [&] { return static_cast<int>(listener.told.size()) * 10 + listener.forks - listener.returns; });
    process.start();
    CHECK(listener.forks == 1);
    CHECK(listener.returns == 1);
    process.join();
    CHECK(process.exitcode() == 1);
    const pid_t bare = ::fork();
    if (bare == 0) ::_exit(listener.told.empty() ? 0 : 1);
    CHECK(wait_status(bare) == 0);
    CHECK(listener.forks == 2);
    CHECK(listener.returns == 2);
}

// A keeper for which each system call fails in turn, its own and those of a service that it starts, up to
// exec: while it serves nothing is lost, of what it was told or of how a child ended; when it stops it leaves
// nothing.
#include <sys/mman.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "harness.hpp"
#include "keeper/proc.hpp"
#include "support/failing/system_calls.hpp"
#include "support/skip.hpp"

using namespace muster;
using namespace muster::keeper::test;
using namespace std::chrono_literals;
using muster::test::as_it_would;
using muster::test::CallTracer;
using muster::test::FailedCall;

namespace {

constexpr int most_of_a_kind = 12;  // of a call that is made again and again; a scan of /proc has hundreds
constexpr std::uint64_t worker_id = 1;
constexpr const char *note = "told", *label = "memory";

// Lets it go on and its nth call of a name fail, in a thread of its own.
class FailingKeeper {
  public:
    FailingKeeper(RunningKeeper& keeper, std::string name, int nth) : keeper_(keeper) {
        thread_ =
            std::thread([this, pid = keeper.pid(), name = std::move(name), nth] { trace(pid, name, nth); });
        while (!traced_ && !over_) std::this_thread::sleep_for(100us);
    }
    FailingKeeper(const FailingKeeper&) = delete;
    FailingKeeper& operator=(const FailingKeeper&) = delete;
    ~FailingKeeper() { (void)let_go(); }

    bool ended() const { return over_; }
    // Throws what tracing threw.
    FailedCall let_go() {
        if (!thread_.joinable()) return call_;
        enough_ = true;
        thread_.join();
        if (end_) keeper_.ended_with(*end_);
        return call_;
    }
    const std::string& error() const { return error_; }
    const std::set<std::string>& names() const {
        return names_;
    }  // of the calls up to that one, once it has been let go

  private:
    void trace(pid_t pid, const std::string& wanted, int nth) {
        try {
            CallTracer tracer(pid);
            tracer.fail(nth, as_it_would, [&](pid_t, const std::string& name) {
                names_.insert(name);
                return name == wanted;
            });
            traced_ = true;
            while (!enough_ && !tracer.ended())
                if (!tracer.step(false)) std::this_thread::sleep_for(50us);
            call_ = tracer.call();
            end_ = tracer.ended();
        } catch (const std::exception& error) {
            error_ = error.what();
        }
        over_ = true;
    }

    RunningKeeper& keeper_;
    std::thread thread_;
    std::atomic<bool> traced_ = false, enough_ = false, over_ = false;
    FailedCall call_;
    std::optional<int> end_;
    std::string error_;
    std::set<std::string> names_;
};

// The service's, over the lives of as many services as there are.
class Mind {
  public:
    explicit Mind(RunningKeeper& keeper) : keeper_(keeper) {}

    void take_over() {
        HandOver state;
        for (int tries = 0;; ++tries) try {
                state = keeper_.take_over();
                break;
            } catch (const std::runtime_error& error) {
                if (tries == 5 || std::strcmp(error.what(), "the relay hung up") != 0) throw;
            }
        ++lives;
        knows_memory = state.memories.contains(label);
        const auto worker = state.children.find(worker_id);
        if (worker == state.children.end()) return;
        known_note = worker->second.child.note;
        if (worker->second.child.ending) ending = worker->second.child.ending;
    }
    void listen() {
        while (auto received = keeper_.link().receive()) {
            if (const auto* exited = std::get_if<link::Exited>(&received->message)) ending = exited->ending;
            if (const auto* done = std::get_if<link::SignalDone>(&received->message))
                answered = done->error == 0, refused = !answered;
            stopped |= std::holds_alternative<link::Stop>(received->message);
        }
        keeper_.link().flush();
    }
    bool until(const std::function<bool()>& condition) {
        return eventually([&] {
            if (keeper_.link().closed()) take_over();
            listen();
            return condition();
        });
    }

    std::optional<link::Ending> ending;
    std::string known_note;
    bool knows_memory = false, answered = false, refused = false, stopped = false;
    int lives = 0;

  private:
    RunningKeeper& keeper_;
};

// What the relay still had when it died is nobody's: it is said again, as is what was answered with an error.
bool tell_all(RunningKeeper& keeper, Mind& mind) {
    const base::UniqueFd memory(::memfd_create("kept", MFD_CLOEXEC));
    while (!mind.answered && !mind.ending) {
        const int life = mind.lives;
        mind.refused = false;
        keeper.send(link::SetNote{worker_id, note});
        keeper.send(link::KeepMemory{label}, {memory.get()});
        keeper.send(link::Signal{worker_id, SIGTERM, false});
        if (!mind.until([&] { return mind.answered || mind.refused || mind.ending || mind.lives != life; }))
            return false;
    }
    return true;
}

struct Life {
    // Done while a call fails; says whether it got through.
    std::function<bool(RunningKeeper&, Mind&, FailingKeeper&)> live;
    // Afterwards. `before`: descriptors the keeper had, with a worker.
    std::function<void(RunningKeeper&, Mind&, pid_t worker, std::size_t before)> look;
};

// The nth call of this name, none if it is empty. Returns which names there were, none once there is no nth.
std::set<std::string> live_once(const Life& life, const std::string& name, int nth) {
    RunningKeeper keeper(relay::obedient, [](keeper::Options& options) {
        options.stop_timeout = 1s;
        options.kill_grace = 500ms;
    });
    Mind mind(keeper);
    mind.take_over();
    const pid_t worker = keeper.start(shell("exec sleep 1000")).pid;
    keeper.settle();
    const std::size_t before = open_descriptors(keeper.pid());
    FailingKeeper failing(keeper, name, nth);
    const bool lived = life.live(keeper, mind, failing);
    const FailedCall call = failing.let_go();
    INFO(name << ", the " << nth << "th, of the " << (call.in_child ? "child" : "keeper") << ' ' << call.path
              << "; " << keeper.log());
    REQUIRE(failing.error() == "");
    REQUIRE(lived);
    life.look(keeper, mind, worker, before);
    return call.fired || name.empty() ? failing.names() : std::set<std::string>{};
}

// For every call, by its name, as how many there are is not the same each time.
void with_each_call_failing(const Life& life, const std::set<std::string>& must_be_there) {
    if (const std::string why = muster::test::no_tracing_here(); !why.empty()) muster::test::skip(why);
    const auto names = live_once(life, {}, 1);
    for (const std::string& name : must_be_there) CHECK(names.contains(name));
    for (const std::string& name : names) {
        int nth = 1;
        while (nth <= most_of_a_kind && !live_once(life, name, nth).empty()) ++nth;
        INFO(name);
        CHECK((nth > 1 || !must_be_there.contains(name)));
    }
}

}  // namespace

TEST_CASE(
    "a keeper of which any system call fails while it serves forgets nothing, and no service is told less") {
    with_each_call_failing(
        {[](RunningKeeper& keeper, Mind& mind, FailingKeeper& failing) {
             if (!tell_all(keeper, mind) || !mind.until([&] { return mind.ending.has_value(); }))
                 return false;
             const int life = mind.lives;
             pid_t service = 0;
             if (!eventually([&] { return (service = keeper.service_pid()) != 0; })) return false;
             ::kill(service, SIGKILL);
             mind.ending.reset();
             return mind.until([&] { return mind.lives > life; }) && !failing.ended();
         },
         [](RunningKeeper& keeper, Mind& mind, pid_t, std::size_t before) {
             CHECK(mind.known_note == note);
             CHECK(mind.knows_memory);
             REQUIRE(mind.ending.has_value());
             CHECK(mind.ending->signal == SIGTERM);
             bool settled = false;
             while (!settled) {  // it may be about to start one more
                 const int life = mind.lives;
                 mind.answered = false;
                 keeper.send(link::Signal{0, 0, false});
                 REQUIRE(mind.until([&] { return mind.answered || mind.refused || mind.lives != life; }));
                 settled = mind.lives == life;
             }
             CHECK(keeper::children_of(keeper.pid()).size() == 1);  // the service
             CHECK(open_descriptors(keeper.pid()) == before);       // with the memory, without the worker
             mind.ending.reset();
             keeper.send(link::Spawn{worker_id + 1, shell("exit 7"), {}});
             REQUIRE(mind.until([&] { return mind.ending.has_value(); }));
             CHECK(mind.ending->exit_code == 7);
         }},
        {"epoll_wait", "epoll_ctl", "recvmsg", "sendmsg", "clone3", "socketpair"});
}

TEST_CASE("a keeper of which any system call fails while it stops ends all the same, and leaves no process") {
    with_each_call_failing({[](RunningKeeper& keeper, Mind& mind, FailingKeeper& failing) {
                                ::kill(keeper.pid(), SIGTERM);
                                bool hung_up = false;
                                return eventually([&] {
                                    if (!hung_up && !keeper.link().closed()) mind.listen();
                                    if (mind.stopped && !std::exchange(hung_up, true)) keeper.hang_up();
                                    return failing.ended();
                                });
                            },
                            [](RunningKeeper& keeper, Mind&, pid_t worker, std::size_t) {
                                CHECK(keeper.wait_for_end() == 0);
                                CHECK(::kill(worker, 0) == -1);
                                CHECK(keeper::children_of(::getpid()).empty());
                            }},
                           {"epoll_wait", "sendmsg", "read", "pidfd_send_signal"});
}

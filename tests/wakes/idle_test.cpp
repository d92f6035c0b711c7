// Whoever waits sleeps: fifty waiters of each blocking primitive take less than one per cent of a core.
#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <functional>
#include <thread>
#include <vector>

#include "support/child.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;

namespace {

struct Blocking {
    const char* name;
    std::function<void(const Manager&)> prepare;  // so that whoever waits waits for long
    std::function<void(const Manager&)> wait;
};

std::vector<Blocking> blocking_ones() {
    return {
        {"lock", [](const Manager& m) { m.lock("idle").lock(); }, [](const Manager& m) { m.lock("idle").lock(); }},
        {"rlock", [](const Manager& m) { m.rlock("idle").lock(); }, [](const Manager& m) { m.rlock("idle").lock(); }},
        {"queue get", [](const Manager&) {}, [](const Manager& m) { (void)m.queue<int>("idle").get(); }},
        {"queue put", [](const Manager& m) { m.queue<int>("idle", {.maxsize = 1}).put(1); },
         [](const Manager& m) { m.queue<int>("idle").put(2); }},
        {"queue join", [](const Manager& m) { m.queue<int>("idle").put(1); },
         [](const Manager& m) { m.queue<int>("idle").join(); }},
        {"semaphore", [](const Manager&) {}, [](const Manager& m) { m.semaphore("idle", 0).acquire(); }},
        {"event", [](const Manager&) {}, [](const Manager& m) { m.event("idle").wait(); }},
        {"barrier", [](const Manager&) {}, [](const Manager& m) { (void)m.barrier("idle", 51).wait(); }},
        {"condition", [](const Manager&) {},
         [](const Manager& m) {
             Condition condition = m.condition("idle");
             condition.lock();
             condition.wait();
         }},
    };
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

TEST_CASE("fifty who wait take less than one per cent of a core") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr bool sanitized = true;
#else
    constexpr bool sanitized = false;
#endif
    if (sanitized) {
        WARN("SKIP: sanitizers do work of their own at each look");
        return;
    }
    constexpr int waiters = 50;
    static constexpr std::chrono::milliseconds settling{500}, watched{4000};
    struct Measured {
        std::atomic<int> begun;
        std::atomic<bool> done;
        double share;
    };
    const auto all = blocking_ones();
    std::vector<std::unique_ptr<test::LocalRealm>> realms;
    std::vector<std::unique_ptr<test::Shared<Measured>>> figures;
    std::vector<std::unique_ptr<Child>> children;
    for (const Blocking& primitive : all) {  // side by side: the time passes once
        realms.push_back(std::make_unique<test::LocalRealm>());
        figures.push_back(std::make_unique<test::Shared<Measured>>());
        const Manager manager = realms.back()->manager();
        primitive.prepare(manager);
        children.push_back(std::make_unique<Child>([&primitive, manager, &measured = **figures.back()] {
            std::vector<std::thread> threads;
            for (int i = 0; i < waiters; ++i)
                threads.emplace_back([&] {
                    ++measured.begun;
                    primitive.wait(manager);
                    ::_exit(1);  // it was not to get it
                });
            while (measured.begun.load() < waiters) std::this_thread::sleep_for(1ms);
            std::this_thread::sleep_for(settling);
            const double before = cpu_seconds();
            std::this_thread::sleep_for(watched);
            measured.share = (cpu_seconds() - before) / std::chrono::duration<double>(watched).count();
            measured.done = true;
            ::_exit(0);
            return 0;
        }));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        INFO(all[i].name);
        REQUIRE(children[i]->join() == 0);
        REQUIRE((*figures[i])->done.load());
        INFO((*figures[i])->share * 100 << " % of a core");
        CHECK((*figures[i])->share < 0.01);
    }
}

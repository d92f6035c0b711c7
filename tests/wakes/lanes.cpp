#include "wakes/lanes.hpp"

#include <sched.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/spin.hpp"

namespace muster::test {

Lanes::Lanes(const Scene& scene) {
    (void)base::several_cores();  // who is stepped, on one processor, spins as well
    for (std::size_t lane = 0; lane < count; ++lane) {
        worlds_.push_back(std::make_unique<World>());
        const World& world = *worlds_.back();
        // With as many objects known as there will ever be at a time.
        for (const char* name : {"a", "b", "c"}) (void)world.manager.lock(name);
        clean(lane);
        used_.push_back(world.service.memory().used);
    }
    sleepers_ = std::make_unique<Sleepers>(count, [&](std::size_t lane) { scene.sleep(*worlds_[lane], the_object); });
}

void Lanes::clean(std::size_t lane) {
    World& world = *worlds_[lane];
    for (const std::string& name : world.manager.names()) world.manager.erase(name);
    world.service.reclaim_dead({});
}

void Lanes::for_each_batch(std::size_t total, const std::function<void(std::size_t, std::size_t)>& batch) {
    for (std::size_t first = 0; first < total; first += count) {
        const std::size_t size = std::min(count, total - first);
        batch(first, size);
        for (std::size_t lane = 0; lane < size; ++lane) clean(lane);
    }
}

bool Lanes::await_sleep(const Image& image, std::size_t lane, bool may_be_done) {
    static constexpr int looks_without_rest = 2000;
    const auto& words = image.words;
    bool sleeps = false;
    const auto settled = [&] {
        const void* word = sleepers_->sleeps_on(lane);
        sleeps = words.empty() ? worlds_[lane]->has(word) : std::find(words.begin(), words.end(), word) != words.end();
        return sleeps || (may_be_done && sleepers_->done(lane));
    };
    for (int i = 0; i < looks_without_rest; ++i, ::sched_yield())
        if (settled()) return sleeps;
    if (!eventually(settled)) FAIL("it does not go to sleep: " << sleepers_->error(lane));
    return sleeps;
}

void Lanes::check() {
    for (std::size_t lane = 0; lane < count; ++lane) {
        const World& world = *worlds_[lane];
        const auto report = world.service.check();
        for (const auto& violation : report.violations) FAIL_CHECK(violation.invariant << " " << violation.text);
        REQUIRE(world.manager.names().empty());
        REQUIRE(world.service.session_count() <= 2);  // of this process and the sleepers'
        REQUIRE(world.service.memory().used == used_[lane]);
    }
}

}  // namespace muster::test

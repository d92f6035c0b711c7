// One of two who wait for the same is killed, at every instruction of going to sleep and of waking up: what they wait
// for is not lost with it. Either the other one gets it, or the dead one had it, and the next is the other one's.
#include <catch2/catch.hpp>
#include <numeric>

#include "support/skip.hpp"
#include "wakes/clock.hpp"
#include "wakes/lanes.hpp"

using namespace muster;
using namespace muster::test;

namespace {

class Dying {
  public:
    Dying(const Scene& scene, bool service) : scene_(scene), service_(service), lanes_(scene) {
        const auto asleep = [](Stepped& child) { return [&child] { return child.before_sleep(); }; };
        const auto on_a_victim = [&](const auto& record) {
            const Image image = scene_.make(lanes_[0], the_object);
            Stepped child = victim(image, 0);
            record(image, child);
            kill(child, 0);
            if (!lanes_.sleepers().done(0)) {
                image.grant();
                settle(image, 0, false);
            }
            lanes_.clean(0);
        };
        for (int tries = 0; waking_up_.size() == 0 && tries < 20; ++tries)
            on_a_victim([&](const Image& image, Stepped& child) {
                falling_asleep_[0] = child.record(asleep(child));
                REQUIRE(child.before_sleep());
                if (!child.sleep()) return;  // its slice was over before it slept
                image.grant();
                REQUIRE(child.woken());
                waking_up_ = child.record();
                REQUIRE(child.at_end());
            });
        REQUIRE(waking_up_.size() != 0);
        on_a_victim([&](const Image& image, Stepped& child) {
            start_other(image, 0);
            falling_asleep_[1] = child.record(asleep(child));
            REQUIRE(child.before_sleep());
        });
        if (!scene.overtaken) return;
        for (int tries = 0; overtaken_.size() == 0 && tries < 20; ++tries)
            on_a_victim([&](const Image& image, Stepped& child) {
                wake(child, image, 0);
                if (!image.overtake()) return;  // the other one's slice was over just then
                overtaken_ = child.record(asleep(child));
                REQUIRE(child.before_sleep());
            });
        REQUIRE(overtaken_.size() != 0);
    }

    // Who sleeps first, and whether it is granted before the death or after it, in all four ways.
    void falling_asleep() {
        const std::vector<std::size_t> ways[] = {some_of(falling_asleep_[0]),
                                                 some_of(falling_asleep_[1])};
        run(2 * (ways[0].size() + ways[1].size()), false, [&](Image& image, std::size_t lane, std::size_t n) {
            const bool other_first = n / 2 >= ways[0].size(), granted_before = n % 2 == 0;
            const std::size_t instruction = other_first ? ways[1][n / 2 - ways[0].size()] : ways[0][n / 2];
            Stepped child = victim(image, lane);
            if (other_first) start_other(image, lane);
            const bool reached = child.go(falling_asleep_[other_first], instruction);
            const bool free = image.can_grant();
            if (!other_first && free) start_other(image, lane);
            if (granted_before && free) image.grant();
            kill(child, lane);
            if (!other_first && !free) start_other(image, lane);
            image.owed = !granted_before || !free;
            return reached;
        });
    }
    // Woken by the grant, in the other one's place: who slept first is woken.
    void waking_up() {
        const auto chosen = some_of(waking_up_);
        run(chosen.size(), true, [&](Image& image, std::size_t lane, std::size_t n) {
            Stepped child = victim(image, lane);
            wake(child, image, lane);
            const bool reached = child.go(waking_up_, chosen[n]);
            kill(child, lane);
            return reached;
        });
    }
    // ... and finds that somebody else was faster; who goes on to the next grant.
    void overtaken() {
        const auto chosen = some_of(overtaken_);
        run(chosen.size(), false, [&](Image& image, std::size_t lane, std::size_t n) {
            Stepped child = victim(image, lane);
            wake(child, image, lane);
            const bool overtaken = image.overtake();
            const bool reached = child.go(overtaken_, chosen[n]);
            kill(child, lane);
            image.owed = overtaken;
            return reached;
        });
    }

  private:
    // With a service, which looks at one path a second time, fewer instructions stand for all.
    std::vector<std::size_t> some_of(const Path& path) const {
        return service_ ? choose(path, 90, 60) : choose(path, 300, 150);
    }
    Stepped victim(const Image& image, std::size_t lane) {
        clock_.set();
        return Stepped([&, lane] {
            // As one who has been here before: the other one comes for the first time, and must not wait for it elsewhere.
            (void)lanes_[lane].realm.session().slot();
            if (image.prepare) image.prepare();
            clock_.wear();
        }, image.operation, &clock_);
    }
    void kill(Stepped& child, std::size_t lane) {
        child.kill();
        if (service_) lanes_[lane].service.reclaim_dead({});
    }
    // `kill_one`: false when the victim never came by there. On a loaded machine some wake up at the end of a slice, another
    // way: where too many did, these are tried again.
    void run(std::size_t total, bool may_have_got_it,
             const std::function<bool(Image& image, std::size_t lane, std::size_t n)>& kill_one) {
        static constexpr int most_rounds = 4;
        std::vector<std::size_t> left(total);
        std::iota(left.begin(), left.end(), std::size_t{0});
        for (int round = 0; round < most_rounds && left.size() * 10 >= total; ++round)
            left = run_round(left, may_have_got_it, kill_one);
        REQUIRE(left.size() * 10 < total);
    }
    // Returns which were not killed where they should have been.
    std::vector<std::size_t> run_round(const std::vector<std::size_t>& all, bool may_have_got_it,
                                       const std::function<bool(Image& image, std::size_t lane, std::size_t n)>& kill_one) {
        std::vector<std::size_t> missed;
        lanes_.for_each_batch(all.size(), [&](std::size_t first, std::size_t count) {
            std::vector<Image> images;
            for (std::size_t lane = 0; lane < count; ++lane) {
                const std::size_t n = all[first + lane];
                INFO("kill " << n);
                images.push_back(scene_.make(lanes_[lane], the_object));
                if (!kill_one(images.back(), lane, n)) missed.push_back(n);
            }
            for (std::size_t lane = 0; lane < count; ++lane) {
                INFO("kill " << all[first + lane]);
                settle(images[lane], lane, may_have_got_it);
            }
        });
        lanes_.check();
        return missed;
    }
    // The victim goes to sleep, then the other one; the victim is woken, and stopped.
    void wake(Stepped& child, const Image& image, std::size_t lane) {
        const Path& path = falling_asleep_[0];
        REQUIRE(child.go(path, path.size() - 1));
        REQUIRE((child.step() && child.before_sleep()));
        const bool sleeps = child.sleep();
        start_other(image, lane);
        image.grant();
        if (sleeps) REQUIRE(child.woken());
    }
    void start_other(const Image& image, std::size_t lane) {
        lanes_.sleepers().start(lane);
        lanes_.await_sleep(image, lane, false);
    }
    void settle(const Image& image, std::size_t lane, bool may_have_got_it) {
        if (image.owed) image.grant();
        const auto done = [&] { return lanes_.sleepers().done(lane); };
        if (!eventually([&] { return done() || (may_have_got_it && image.may_sleep()); }))
            FAIL("it was granted, and the other one sleeps");
        if (!done()) image.let_on();
        if (!eventually(done)) FAIL("nothing wakes the other one any more");
        REQUIRE(lanes_.sleepers().error(lane) == "");
    }

    const Scene& scene_;
    const bool service_;
    Lanes lanes_;
    ChildClock clock_;
    Path falling_asleep_[2];  // alone, and where somebody sleeps already
    Path waking_up_, overtaken_;
};

template <typename Part>
void play(const std::vector<Scene>& scenes, bool service, Part&& part) {
    if (const std::string why = no_stepping_here(); !why.empty()) skip(why);
    for (const Scene& scene : scenes) {
        INFO(scene.name);
        Dying dying(scene, service);
        part(dying);
    }
}
void falling_asleep(Dying& dying) { dying.falling_asleep(); }
void waking_up(Dying& dying) { dying.waking_up(); }

std::vector<Scene> scenes_overtaken() {
    std::vector<Scene> all;
    for (auto* some : {lock_waiter_scenes, item_waiter_scenes, pipe_waiter_scenes, sync_waiter_scenes})
        for (Scene& scene : some())
            if (scene.overtaken) all.push_back(std::move(scene));
    return all;
}

}  // namespace

TEST_CASE("a waiter killed at any instruction of going to sleep takes nothing with it: locks") {
    play(lock_waiter_scenes(), false, falling_asleep);
}
TEST_CASE("a waiter killed at any instruction of going to sleep takes nothing with it: queues") {
    play(item_waiter_scenes(), false, falling_asleep);
}
TEST_CASE("a waiter killed at any instruction of going to sleep takes nothing with it: pipes") {
    play(pipe_waiter_scenes(), false, falling_asleep);
}
TEST_CASE("a waiter killed at any instruction of going to sleep takes nothing with it: semaphores and their like") {
    play(sync_waiter_scenes(), false, falling_asleep);
}
TEST_CASE("a waiter killed while it goes to sleep takes nothing with it, and a service cleans up: locks") {
    play(lock_waiter_scenes(), true, falling_asleep);
}
TEST_CASE("a waiter killed while it goes to sleep takes nothing with it, and a service cleans up: queues") {
    play(item_waiter_scenes(), true, falling_asleep);
}
TEST_CASE("a waiter killed while it goes to sleep takes nothing with it, and a service cleans up: pipes") {
    play(pipe_waiter_scenes(), true, falling_asleep);
}
TEST_CASE("a waiter killed while it goes to sleep takes nothing with it, and a service cleans up: semaphores and their like") {
    play(sync_waiter_scenes(), true, falling_asleep);
}

TEST_CASE("a waiter killed at any instruction of waking up takes nothing with it that it had not got: locks") {
    for (const bool service : {false, true}) play(lock_waiter_scenes(), service, waking_up);
}
TEST_CASE("a waiter killed at any instruction of waking up takes nothing with it that it had not got: queues") {
    for (const bool service : {false, true}) play(item_waiter_scenes(), service, waking_up);
}
TEST_CASE("a waiter killed at any instruction of waking up takes nothing with it that it had not got: pipes") {
    for (const bool service : {false, true}) play(pipe_waiter_scenes(), service, waking_up);
}
TEST_CASE("a waiter killed at any instruction of waking up takes nothing with it that it had not got: semaphores and their like") {
    for (const bool service : {false, true}) play(sync_waiter_scenes(), service, waking_up);
}

TEST_CASE("a waiter that was woken, came too late and is killed takes the next turn from nobody, without a service") {
    play(scenes_overtaken(), false, [](Dying& dying) { dying.overtaken(); });
}
TEST_CASE("a waiter that was woken, came too late and is killed takes the next turn from nobody, with a service") {
    play(scenes_overtaken(), true, [](Dying& dying) { dying.overtaken(); });
}

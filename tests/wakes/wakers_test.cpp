// Whoever lets another one on is killed, at every instruction of doing so: the other one proceeds, as soon as what it
// waits for is there. With a service that cleans up after each death at once, and with none.
#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>

#include "support/skip.hpp"
#include "wakes/clock.hpp"
#include "wakes/lanes.hpp"

using namespace muster;
using namespace muster::test;

namespace {

constexpr std::size_t most_kills = 400, every_one_of_the_last = 250;

class Killing {
  public:
    Killing(const Scene& scene, bool service) : scene_(scene), service_(service), lanes_(scene) {}

    void run() {
        const Path path = record();
        const auto chosen = choose(path, most_kills, every_one_of_the_last);
        lanes_.for_each_batch(chosen.size(), [&](std::size_t first, std::size_t count) {
            std::vector<Image> images;
            for (std::size_t lane = 0; lane < count; ++lane) {
                INFO("killed before instruction " << chosen[first + lane] << " of " << path.size());
                images.push_back(scene_.make(lanes_[lane], the_object));
                kill_waker(images.back(), path, chosen[first + lane], lane);
            }
            for (std::size_t lane = 0; lane < count; ++lane) {
                INFO("killed before instruction " << chosen[first + lane] << " of " << path.size());
                settle(images[lane], lane);
            }
        });
        lanes_.check();
        REQUIRE(reached_ * 4 >= chosen.size() * 3);  // the kernel's clock may need a second look
        REQUIRE(asleep_ > 0);
    }
    std::uint64_t woken() const { return woken_; }

  private:
    Stepped waker(const Image& image, std::size_t lane) {
        clock_.set();
        return Stepped([&, lane] {
            if (service_) (void)lanes_[lane].realm.session().id();  // known to the service, by its session
            if (image.prepare) image.prepare();
            clock_.wear();
        }, image.operation, &clock_);
    }
    Path record() {
        const Image image = scene_.make(lanes_[0], the_object);
        Stepped child = waker(image, 0);
        if (scene_.together) start_sleeper(image, 0);
        const Path path = child.record();
        REQUIRE(child.at_end());
        child.kill();
        if (scene_.together) REQUIRE(eventually([&] { return lanes_.sleepers().done(0); }));
        lanes_.clean(0);
        return path;
    }
    void kill_waker(const Image& image, const Path& path, std::size_t instruction, std::size_t lane) {
        Stepped child = waker(image, lane);
        if (!scene_.late) start_sleeper(image, lane);
        reached_ += child.go(path, instruction) ? 1 : 0;
        if (scene_.late) start_sleeper(image, lane);
        child.kill();
        if (service_) woken_ += lanes_[lane].service.reclaim_dead({}).waiters_woken;
    }
    void start_sleeper(const Image& image, std::size_t lane) {
        lanes_.sleepers().start(lane);
        asleep_ += lanes_.await_sleep(image, lane, scene_.late) ? 1 : 0;
    }
    void settle(const Image& image, std::size_t lane) {
        const auto done = [&] { return lanes_.sleepers().done(lane); };
        if (!eventually([&] { return done() || image.may_sleep(); })) FAIL("what it waits for is there, and it sleeps");
        if (!done()) image.let_on();
        if (!eventually(done)) FAIL("nothing wakes it any more");
        REQUIRE(lanes_.sleepers().error(lane) == "");
    }

    const Scene& scene_;
    const bool service_;
    Lanes lanes_;
    ChildClock clock_;
    std::uint64_t woken_ = 0;
    std::size_t reached_ = 0, asleep_ = 0;
};

void without_a_service(const std::vector<Scene>& scenes) {
    if (const std::string why = no_stepping_here(); !why.empty()) skip(why);
    for (const Scene& scene : scenes) {
        INFO(scene.name);
        Killing(scene, false).run();
    }
}
void with_a_service(const std::vector<Scene>& scenes) {
    if (const std::string why = no_stepping_here(); !why.empty()) skip(why);
    std::uint64_t woken = 0;
    for (const Scene& scene : scenes) {
        INFO(scene.name);
        Killing killing(scene, true);
        killing.run();
        woken += killing.woken();
    }
    REQUIRE(woken > 0);
}

}  // namespace

TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, without a service: locks") {
    without_a_service(lock_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, without a service: queues") {
    without_a_service(item_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, without a service: pipes") {
    without_a_service(pipe_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, without a service: semaphores and their like") {
    without_a_service(sync_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, with a service that cleans up at once: locks") {
    with_a_service(lock_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, with a service that cleans up at once: queues") {
    with_a_service(item_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, with a service that cleans up at once: pipes") {
    with_a_service(pipe_waker_scenes());
}
TEST_CASE("who waits proceeds, at whatever instruction the waker is killed, with a service that cleans up at once: semaphores and their like") {
    with_a_service(sync_waker_scenes());
}

// Every cell of the matrix has its scene, or a reason why there is none.
#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "wakes/world.hpp"

using namespace muster::test;

TEST_CASE("each thing that a caller can be blocked in has scenes of a killed holder, waiter and waker") {
    std::map<std::pair<int, int>, int> scenes;
    const auto count = [&](const std::vector<Scene>& some, bool waiters) {
        for (const Scene& scene : some) {
            INFO(scene.name);
            REQUIRE(scene.primitive != Primitive::count);
            REQUIRE(scene.role != Role::count);
            REQUIRE((scene.role == Role::waiter) == waiters);
            ++scenes[{static_cast<int>(scene.primitive), static_cast<int>(scene.role)}];
        }
    };
    for (auto* some : {lock_waker_scenes, item_waker_scenes, pipe_waker_scenes, sync_waker_scenes}) count(some(), false);
    for (auto* some : {lock_waiter_scenes, item_waiter_scenes, pipe_waiter_scenes, sync_waiter_scenes}) count(some(), true);
    for (int primitive = 0; primitive < static_cast<int>(Primitive::count); ++primitive)
        for (int role = 0; role < static_cast<int>(Role::count); ++role) {
            INFO("primitive " << primitive << ", role " << role);
            const bool wanted = no_scene(static_cast<Primitive>(primitive), static_cast<Role>(role)) == nullptr;
            CHECK((scenes[{primitive, role}] != 0) == wanted);
        }
}

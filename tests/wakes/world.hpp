// What the tests of lost wake-ups share: a realm, somebody who sleeps on an object in it, and looks at its words that
// lock nothing, so that nobody is helped on by being watched.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "containers/queue.hpp"
#include "support/local_realm.hpp"
#include "support/stepper.hpp"
#include "wakes/matrix.hpp"
#include "wakes/sleepers.hpp"

namespace muster::test {

struct World {
    LocalRealm realm{4u << 20};
    Manager manager = realm.manager();
    session::Realm service = realm.daemon();  // what musterd does with a realm, done when the test says so

    const segment::Segment& segment() const { return realm.session().segment(); }
    heap::ObjectRef ref(const std::string& name) const;
    heap::ObjectRep& object(const std::string& name) const { return heap::object_at(segment(), ref(name).id); }
    containers::Queue queue(const std::string& name) const { return {segment(), ref(name)}; }
    bool has(const void* word) const;  // in its memory
    sync::LockRep& lock(const std::string& name) const { return sync::lock_rep(object(name)); }
};

// Nobody is, or died, in the middle of a change of the object.
bool at_rest(const heap::ObjectRep& object);
// What those sleep on who wait for the object's own lock.
inline const void* inner_word(const heap::ObjectRep& object) { return &object.domain.mutex; }

// One sleeper, one who is killed, on one object.
struct Image {
    // In the child that is moved on and killed.
    Stepped::Run prepare, operation;
    // The sleeper may go on sleeping: what it waits for is not there, or was taken by the one who died.
    std::function<bool()> may_sleep = [] { return false; };
    std::function<void()> let_on = [] {};  // ... and this ends its sleep
    std::vector<const void*> words = {};   // futexes that the sleeper, once asleep, sleeps on
    std::function<void()> grant = [] {};   // what a waiter waits for; where that is the one who is killed
    bool owed = false;                     // when all of a batch are dead: what must be waited for is waited for at once
    std::function<bool()> overtake = {};   // takes what was granted, before the one who was woken. False: it is gone
    std::function<bool()> can_grant = [] { return true; };  // without waiting for the one who will be killed
};

struct Scene {
    std::string name;
    std::function<Image(World&, const std::string& object)> make;
    std::function<void(World&, const std::string& object)> sleep;  // in another process
    bool late = false;  // the sleeper comes when the other stands at its instruction
    bool together = false;  // the other one's operation ends, or goes this way, only where there is a sleeper
    bool overtaken = true;  // what was granted to a sleeper can be taken by somebody who comes
    Primitive primitive = Primitive::count;  // what the sleeper is blocked in
    Role role = Role::count;                 // of the one who is killed
};
inline Scene as(Primitive primitive, Role role, Scene scene) {
    scene.primitive = primitive;
    scene.role = role;
    return scene;
}

// Locks, and changes of objects; what else is made to wait for others; queues, watching and wait_any; pipes.
std::vector<Scene> lock_waker_scenes(), lock_waiter_scenes();
std::vector<Scene> sync_waker_scenes(), sync_waiter_scenes();
std::vector<Scene> item_waker_scenes(), item_waiter_scenes();
std::vector<Scene> pipe_waker_scenes(), pipe_waiter_scenes();

// Throws unless the call fails so.
void expect(Errc code, const std::function<void()>& call);
// Erasing is unlinking, and then taking apart; whoever dies between has erased.
void erase_image(World& world, const std::string& name, Image& image);

// Of a path's instructions: all that are rare, loops thinned out, no more than about `most` in all but for the last ones.
std::vector<std::size_t> choose(const Path& path, std::size_t most, std::size_t last);

}  // namespace muster::test

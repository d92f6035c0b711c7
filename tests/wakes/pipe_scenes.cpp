// Pipes: those who send and receive and are killed while they let others on; ends whose last user dies; and those who wait,
// and are killed, beside others. A pipe has no name: the sleepers, forked before it was made, look for it.
#include "wakes/world.hpp"

#include <stdexcept>

#include "containers/containers.hpp"
#include "handles/object_state.hpp"

namespace muster::test {
namespace {

using Text = Connection<std::string>;

std::optional<heap::ObjectRef> find_pipe(World& world) {
    for (const auto& entry : world.realm.session().directory().list())
        if (entry.kind == heap::Kind::pipe) return entry.ref;
    return {};
}
heap::ObjectRef the_pipe(World& world) {
    const auto found = find_pipe(world);
    if (!found) throw std::runtime_error("there is no pipe");
    return *found;
}
heap::ObjectRep& pipe_object(World& world) { return heap::object_at(world.segment(), the_pipe(world).id); }
containers::Pipe raw(World& world) { return {world.segment(), the_pipe(world)}; }

// As one who was forked by the pipe's maker has it.
Text connect(World& world, unsigned end) {
    const heap::ObjectRef ref = the_pipe(world);
    const auto session = world.realm.session().shared_from_this();
    if (!session->hold(ref)) throw std::runtime_error("the pipe is gone");
    auto state = std::make_shared<detail::ObjectState>(session, ref, heap::Kind::pipe, "");
    return Text(detail::ConnectionBase::end_of(std::move(state), end));
}
// Uses the end, too: a sleeper that has got its message and leaves is not the last one then. It may do so right after it
// was seen to have none yet, before it is let on.
void stay(const Text& end) { (void)end.poll(); }

void receive(World& world, const std::string&) { (void)connect(world, 1).recv(); }
void send(World& world, const std::string&) { connect(world, 0).send("sleeper's"); }

Scene send_wakes_recv() {
    return {"a send lets on a recv", [](World& world, const std::string&) {
                const auto [ours, theirs] = world.manager.pipe<std::string>(true);
                stay(theirs);
                Image image;
                image.operation = [end = ours] { end.send("message"); };
                image.may_sleep = [raw = raw(world), kept = theirs] { return raw.looks_empty(1); };
                image.let_on = [end = ours] { end.send("late"); };
                return image;
            }, receive};
}

Scene recv_wakes_send() {
    return {"a recv lets on a send", [](World& world, const std::string&) {
                const auto [ours, theirs] = world.manager.pipe<std::string>(true, 1);
                ours.send("first");
                Image image;
                image.operation = [end = theirs] { (void)end.recv(); };
                image.may_sleep = [raw = raw(world), kept = ours] { return raw.looks_full(0); };
                image.let_on = [end = theirs] { (void)end.recv(); };
                return image;
            }, send};
}

// The pipe is the child's, who makes it: nobody else has its end.
using Ends = std::shared_ptr<std::optional<std::pair<Text, Text>>>;
Image with_own_pipe(World& world, std::int64_t maxsize, const std::function<void(const Text&, const Text&)>& operation) {
    const Ends ends = std::make_shared<Ends::element_type>();
    Image image;
    image.prepare = [&world, ends, maxsize] {
        ends->emplace(world.manager.pipe<std::string>(true, maxsize));
        (*ends)->first.send("first");
        (void)(*ends)->second.poll();
    };
    image.operation = [ends, operation] { operation((*ends)->first, (*ends)->second); };
    return image;
}

// Its way is another where somebody sleeps, who has taken the first message.
Scene death_wakes_recv() {
    Scene scene{"the sender's death lets on a recv", [](World& world, const std::string&) {
                return with_own_pipe(world, 0, [](const Text& ours, const Text&) { ours.send("last"); });
            }, [](World& world, const std::string&) {
                const Text end = connect(world, 1);
                expect(Errc::end_of_file, [&] {
                    for (;;) (void)end.recv();
                });
            }};
    scene.together = true;
    return scene;
}

Scene death_wakes_send() {
    Scene scene{"the receiver's death lets on a send", [](World& world, const std::string&) {
                return with_own_pipe(world, 1, [](const Text&, const Text& theirs) { (void)theirs.recv(); });
            }, [](World& world, const std::string&) {
                const Text end = connect(world, 0);
                expect(Errc::broken_pipe, [&] {
                    for (;;) end.send("more");
                });
            }};
    scene.together = true;
    return scene;
}

Scene receivers() {
    return {"a recv", [](World& world, const std::string&) {
                const auto [ours, theirs] = world.manager.pipe<std::string>(true);
                stay(theirs);
                auto& rep = pipe_object(world);
                Image image;
                image.operation = [end = theirs] { (void)end.recv(); };
                image.grant = [end = ours] { end.send("message"); };
                image.overtake = [end = theirs] { return end.try_recv().has_value(); };
                image.can_grant = [&rep] { return at_rest(rep); };
                image.may_sleep = [&rep, raw = raw(world)] { return at_rest(rep) && raw.looks_empty(1); };
                image.let_on = image.grant;
                image.words = {&rep.wait_points[1]};
                return image;
            }, receive};
}

Scene senders() {
    return {"a send", [](World& world, const std::string&) {
                const auto [ours, theirs] = world.manager.pipe<std::string>(true, 1);
                auto& rep = pipe_object(world);
                ours.send("first");
                Image image;
                image.operation = [end = ours] { end.send("message"); };
                image.grant = [end = theirs] { (void)end.recv(); };
                image.overtake = [end = ours] { return end.try_send("faster"); };
                image.can_grant = [&rep] { return at_rest(rep); };
                image.may_sleep = [&rep, raw = raw(world)] { return at_rest(rep) && raw.looks_full(0); };
                image.let_on = image.grant;
                image.words = {&rep.wait_points[2]};
                return image;
            }, send};
}

}  // namespace

std::vector<Scene> pipe_waker_scenes() {
    using P = Primitive;
    return {as(P::pipe_recv, Role::waker, send_wakes_recv()), as(P::pipe_send, Role::waker, recv_wakes_send()),
            as(P::pipe_recv, Role::holder, death_wakes_recv()), as(P::pipe_send, Role::holder, death_wakes_send())};
}

std::vector<Scene> pipe_waiter_scenes() {
    return {as(Primitive::pipe_recv, Role::waiter, receivers()), as(Primitive::pipe_send, Role::waiter, senders())};
}

}  // namespace muster::test

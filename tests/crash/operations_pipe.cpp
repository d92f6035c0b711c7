#include "containers/pipe.hpp"

#include "containers/containers.hpp"
#include "crash/operations.hpp"

namespace muster::test {
namespace {

using containers::Pipe;
using segment::Segment;

constexpr heap::ObjectRef subject{1, 1};  // the first object of a fresh segment
constexpr std::uint32_t maker = 3, child = 70;

struct Out {
    std::string text;
    std::byte* resize(std::size_t size) {
        text.resize(size);
        return reinterpret_cast<std::byte*>(text.data());
    }
};

Pipe pipe(const Segment& segment) { return Pipe(segment, subject); }

void make(const Segment& segment) {
    containers::Directory(segment).create(heap::Kind::pipe, maker, [&](heap::ObjectRep& object) {
        Pipe::init(segment, object, true, 0, maker);
    });
}
void send(const Segment& segment, std::size_t size) {
    const std::string message(size, 'm');
    pipe(segment).send(0, std::as_bytes(std::span(message)), maker);
}
void receive(const Segment& segment) {
    Out out;
    pipe(segment).receive(1, out, 1 << 20, maker);
}
void attach(const Segment& segment) { pipe(segment).attach(1, child); }
void inherit(const Segment& segment) { pipe(segment).inherit(maker, child); }
template <typename... Steps>
std::function<void(const Segment&)> made(Steps... steps) {
    return [=](const Segment& segment) {
        make(segment);
        (steps(segment), ...);
    };
}
std::function<void(const Segment&)> sent(int count, std::size_t size) {
    return [=](const Segment& segment) {
        make(segment);
        for (int i = 0; i < count; ++i) send(segment, size);
    };
}

std::string all_of_it(const Segment& segment) {
    { const heap::ObjectLock whole(segment, subject); }  // what follows reads some of it without any care
    const auto& root = heap::root_of<containers::PipeRep>(heap::object_at(segment, subject.id));
    std::string text = std::to_string(pipe(segment).size()) + " messages, " + std::to_string(root.to[1].gets) + " taken, flags " +
                       std::to_string(root.flags & 15);
    const auto* ends = segment.block<containers::PipeEndRep>(root.ends, 2);
    for (unsigned end = 0; end < 2; ++end) {
        for (const auto& word : ends[end].users) text += " " + std::to_string(word.get());
        for (const auto& word : ends[end].heirs) text += " " + std::to_string(word.get());
    }
    pipe(segment).verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

}  // namespace

std::vector<Operation> pipe_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, all_of_it}); };
    add("pipe: send, the first", make, [](const Segment& s) { send(s, 20); });
    add("pipe: send, a second chunk, with a block", sent(3, 300), [](const Segment& s) { send(s, 9000); });
    add("pipe: receive, of some", sent(3, 0), receive);
    add("pipe: receive, the only one, with a block", sent(1, 9000), receive);
    add("pipe: attach, an heir", made(inherit), attach);
    add("pipe: attach, the first of all", make, attach);
    add("pipe: inherit", make, inherit);
    add("pipe: leave, a user", made(inherit, attach), [](const Segment& s) { pipe(s).leave(1, child); });
    add("pipe: leave, an heir", make, [](const Segment& s) { pipe(s).leave(0, maker); });
    add("pipe: leave_dead", made(inherit, attach), [](const Segment& s) { pipe(s).leave_dead(child); });
    return all;
}

}  // namespace muster::test

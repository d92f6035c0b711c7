#include "containers/pipe.hpp"
#include "crash/subject.hpp"

namespace muster::test {
namespace {

using containers::Pipe;
using segment::Segment;

constexpr std::uint32_t maker = 3, heir = 70;

Pipe subject_pipe(const Segment& segment) { return Pipe(segment, subject); }

void make_pipe(const Segment& segment) {
    containers::Directory(segment).create(heap::Kind::pipe, maker, [&](heap::ObjectRep& object) {
        Pipe::init(segment, object, true, 0, maker);
    });
}
void send_message(const Segment& segment, std::size_t size) {
    const std::string message(size, 'm');
    subject_pipe(segment).send(0, std::as_bytes(std::span(message)), maker);
}
void receive_message(const Segment& segment) {
    Out out;
    subject_pipe(segment).receive(1, out, 1 << 20, maker);
}
void attach_heir(const Segment& segment) { subject_pipe(segment).attach(1, heir); }
void inherit_pipe(const Segment& segment) { subject_pipe(segment).inherit(maker, heir); }
template <typename... Steps>
std::function<void(const Segment&)> made_pipe(Steps... steps) {
    return [=](const Segment& segment) {
        make_pipe(segment);
        (steps(segment), ...);
    };
}
std::function<void(const Segment&)> sent(int count, std::size_t size) {
    return [=](const Segment& segment) {
        make_pipe(segment);
        for (int i = 0; i < count; ++i) send_message(segment, size);
    };
}

std::string all_of_it(const Segment& segment) {
    { const heap::ObjectLock whole(segment, subject); }  // what follows reads some of it without any care
    const auto& root = heap::root_of<containers::PipeRep>(heap::object_at(segment, subject.id));
    std::string text = std::to_string(subject_pipe(segment).size()) + " messages, " +
                       std::to_string(root.to[1].gets) + " taken, flags " + std::to_string(root.flags & 15);
    const auto* ends = segment.block<containers::PipeEndRep>(root.ends, 2);
    for (unsigned end = 0; end < 2; ++end) {
        for (const auto& word : ends[end].users) text += " " + std::to_string(word.get());
        for (const auto& word : ends[end].heirs) text += " " + std::to_string(word.get());
    }
    subject_pipe(segment).verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

}  // namespace

std::vector<Operation> pipe_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, all_of_it}); };
    add("pipe: send, the first", make_pipe, [](const Segment& s) { send_message(s, 20); });
    add("pipe: send, a second chunk, with a block", sent(3, 300), [](const Segment& s) { send_message(s, 9000); });
    add("pipe: receive, of some", sent(3, 0), receive_message);
    add("pipe: receive, the only one, with a block", sent(1, 9000), receive_message);
    add("pipe: attach, an heir", made_pipe(inherit_pipe), attach_heir);
    add("pipe: attach, the first of all", make_pipe, attach_heir);
    add("pipe: inherit", make_pipe, inherit_pipe);
    add("pipe: leave, a user", made_pipe(inherit_pipe, attach_heir),
        [](const Segment& s) { subject_pipe(s).leave(1, heir); });
    add("pipe: leave, an heir", make_pipe, [](const Segment& s) { subject_pipe(s).leave(0, maker); });
    add("pipe: leave_dead", made_pipe(inherit_pipe, attach_heir), [](const Segment& s) { subject_pipe(s).leave_dead(heir); });
    return all;
}

}  // namespace muster::test

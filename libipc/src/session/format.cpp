#include "session/format.hpp"

#include "containers/containers.hpp"
#include "sync/sync.hpp"

namespace muster::session {

using heap::Kind;

void format(const segment::Segment& segment) {
    heap::Extents(segment).format();
    containers::Directory(segment).format();
    sync::Sessions(segment).format();
}

std::string_view kind_name(Kind kind) noexcept {
    switch (kind) {
        case Kind::dict: return "dict";
        case Kind::list: return "list";
        case Kind::queue: return "queue";
        case Kind::lock: return "lock";
        case Kind::rlock: return "rlock";
        case Kind::semaphore: return "semaphore";
        case Kind::condition: return "condition";
        case Kind::event: return "event";
        case Kind::barrier: return "barrier";
        case Kind::set: return "set";
        case Kind::name_space: return "namespace";
        case Kind::counter: return "counter";
        case Kind::value: return "value";
        case Kind::array: return "array";
        case Kind::pipe: return "pipe";
        case Kind::none: break;
    }
    return "unknown";
}

// Unvalidated on purpose: one word, and nobody is waited for.
std::uint64_t size_of(const segment::Segment& segment, heap::ObjectRef ref, Kind kind) {
    const heap::ObjectRep& object = heap::object_at(segment, ref.id);
    switch (kind) {
        case Kind::dict:
        case Kind::set:
        case Kind::name_space:
        case Kind::counter: return containers::Table(segment, ref).glance_size();
        case Kind::list: return heap::root_of<containers::SequenceRep>(object).size;
        case Kind::queue: {
            const auto& root = heap::root_of<containers::QueueRep>(object);
            const auto& fifo = root.fifo;
            const std::uint64_t gets = fifo.gets, puts = fifo.puts;  // in this order it never looks like less than nothing
            return (puts >= gets ? puts - gets : 0) + root.returned.count;
        }
        case Kind::value:
        case Kind::array: return heap::root_of<containers::ScalarsRep>(object).length;
        case Kind::pipe: {
            std::uint64_t messages = 0;
            for (const containers::FifoRep& to : heap::root_of<containers::PipeRep>(object).to) {
                const std::uint64_t gets = to.gets, puts = to.puts;
                messages += puts >= gets ? puts - gets : 0;
            }
            return messages;
        }
        case Kind::lock:
        case Kind::rlock: return sync::LockWord(segment, sync::Sessions(segment), ref).holder() ? 1 : 0;
        case Kind::semaphore: return heap::root_of<sync::SemaphoreRep>(object).value;
        case Kind::event: return heap::root_of<sync::EventRep>(object).word & 1;
        case Kind::condition: return heap::root_of<sync::ConditionRep>(object).line.count;
        case Kind::barrier: {
            const auto& root = heap::root_of<sync::BarrierRep>(object);
            return root.phase == static_cast<std::uint64_t>(sync::BarrierPhase::filling) ? root.line.count.get() : 0;
        }
        default: return 0;
    }
}

void verify_object(const segment::Segment& segment, heap::ObjectRef ref, Kind kind,
                   const std::function<void(const char*, std::string)>& violation) {
    const auto structure = [&](std::string text) { violation("I1", std::move(text)); };
    if (kind == Kind::lock || kind == Kind::rlock || kind == Kind::event) return;  // one word: whatever it holds is a state of it
    if (kind == Kind::value || kind == Kind::array) containers::Scalars(segment, ref).verify(structure);
    if (kind == Kind::value) return;  // it has no heap
    {
        const heap::ObjectLock lock(segment, ref, base::Deadline::after(heap::inspection_patience));
        lock.heap().verify([&](const char* text) { violation("I6", text); });
    }
    if (heap::is_table(kind)) containers::Table(segment, ref).verify(structure);
    if (kind == Kind::list) containers::Sequence(segment, ref).verify(structure);
    if (kind == Kind::pipe) containers::Pipe(segment, ref).verify(structure);
    if (kind == Kind::queue) containers::Queue(segment, ref).verify(structure);
    if (kind == Kind::semaphore) sync::Semaphore(segment, ref).verify(structure);
    if (kind == Kind::condition) sync::Condition(segment, ref).verify(structure);
    if (kind == Kind::barrier) sync::Barrier(segment, ref).verify(structure);
}

}  // namespace muster::session

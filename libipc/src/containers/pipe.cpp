#include "containers/pipe.hpp"

#include <bit>
#include <ctime>

#include "containers/audit.hpp"

namespace muster::containers {
namespace {

using Bits = std::array<Cell<std::uint64_t>, heap::holder_words>;

constexpr std::uint64_t bit_of(std::uint32_t session) noexcept { return std::uint64_t{1} << session % 64; }
Cell<std::uint64_t>& word_of(Bits& bits, std::uint32_t session) {
    if (session >= segment::max_sessions) throw segment::Damage{"pipe: no such session"};
    return bits[session / 64];
}
bool has(Bits& bits, std::uint32_t session) { return (word_of(bits, session) & bit_of(session)) != 0; }
void put(Tx& tx, Bits& bits, std::uint32_t session) {
    if (!has(bits, session)) tx.set(word_of(bits, session), word_of(bits, session) | bit_of(session));
}
void remove(Tx& tx, Bits& bits, std::uint32_t session) {
    if (has(bits, session)) tx.set(word_of(bits, session), word_of(bits, session) & ~bit_of(session));
}

// In the flags: bit 0, 1 the end was once used or inherited or left; 2, 3 it was once used; from bit 32 on the time, in
// milliseconds, when a process left an end.
constexpr std::uint64_t had(unsigned end) noexcept { return std::uint64_t{1} << end; }
constexpr std::uint64_t used(unsigned end) noexcept { return std::uint64_t{4} << end; }
std::uint64_t at_time(std::uint64_t flags, std::uint32_t now) noexcept { return (flags & 0xffff'ffff) | std::uint64_t{now} << 32; }
std::uint32_t milliseconds() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint32_t>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000);
}
// The parent of a fork may have closed its copy of an end before the child has said that it has one. So an end that nobody
// has used yet is not gone, and may be inherited, for a moment after somebody left it.
constexpr std::uint32_t moment = 500;
bool just_left(std::uint64_t flags, std::uint32_t now) noexcept {
    return flags >> 32 != 0 && now - static_cast<std::uint32_t>(flags >> 32) < moment;
}
void set_flags(Tx& tx, Cell<std::uint64_t>& flags, std::uint64_t to) {
    if (flags != to) tx.set(flags, to);
}

}  // namespace

void Pipe::init(const Segment& segment, ObjectRep& object, bool duplex, std::int64_t maxsize, std::uint32_t maker) {
    // The body's first block: nobody can see this object yet (I3).
    heap::HeapRep& heap = object.heap;
    const std::uint64_t at = heap.cursor;
    Tx::init(heap.cursor, at + 2 * sizeof(PipeEndRep));
    Tx::init(heap.live, heap.live + 2 * sizeof(PipeEndRep));
    static_assert(heap::class_size(heap::class_of(2 * sizeof(PipeEndRep))) == 2 * sizeof(PipeEndRep));
    PipeEndRep* ends = segment.block<PipeEndRep>(at, 2);
    for (unsigned end = 0; end < 2; ++end) {
        for (Cell<std::uint64_t>& word : ends[end].users) Tx::init(word, 0);
        for (Cell<std::uint64_t>& word : ends[end].heirs) Tx::init(word, 0);
        Tx::init(word_of(ends[end].heirs, maker), bit_of(maker));
    }
    PipeRep& root = heap::root_of<PipeRep>(object);
    Tx::init(root.ends, at);
    Tx::init(root.maxsize, maxsize);
    Tx::init(root.duplex, duplex ? 1 : 0);
}

bool Pipe::is_gone(unsigned end, std::uint32_t self) const {
    const std::uint64_t flags = rep().flags;
    if ((flags & had(end)) == 0 || ((flags & used(end)) == 0 && just_left(flags, milliseconds()))) return false;
    const PipeEndRep& of = end_rep(end);
    for (std::uint32_t word = 0; word < heap::holder_words; ++word) {
        const std::uint64_t own = self / 64 == word ? bit_of(self) : 0;
        if (of.users[word] != 0 || (of.heirs[word] & ~own) != 0) return false;
    }
    return true;
}

Pipe::Result Pipe::send(unsigned end, Bytes message, std::uint32_t self) {
    ObjectLock lock(segment_, ref_);
    if (is_gone(1 - end, self)) return Result::gone;
    if (looks_full(end)) return Result::full;
    FifoRep& to = rep().to[1 - end];
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        fifo(1 - end).append(tx, heap, message);
        tx.set(to.puts, to.puts + 1);
    });
    return Result::ok;
}

void Pipe::take(ObjectLock& lock, Fifo& messages, const Fifo::Record& record) {
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        const std::uint64_t emptied = messages.drop_front(tx, record);
        if (record.block != 0) heap.free(tx, record.block, record.size);
        if (emptied != 0) messages.free_chunk(tx, heap, emptied);
    });
}

Pipe::Result Pipe::poll(unsigned end, std::uint32_t self) const {
    ObjectLock lock(segment_, ref_);
    if (fifo(end).size() != 0) return Result::ok;
    return is_gone(1 - end, self) ? Result::gone : Result::empty;
}

void Pipe::attach(unsigned end, std::uint32_t session) {
    ObjectLock lock(segment_, ref_);
    heap::mutate(lock, [&](Tx& tx, Heap&) {
        put(tx, end_rep(end).users, session);
        remove(tx, end_rep(end).heirs, session);
        set_flags(tx, rep().flags, rep().flags | had(end) | used(end));
    });
}

void Pipe::inherit(std::uint32_t parent, std::uint32_t child) {
    ObjectLock lock(segment_, ref_);
    const std::uint32_t now = milliseconds();
    heap::mutate(lock, [&](Tx& tx, Heap&) {
        const std::uint64_t before = rep().flags;
        for (unsigned end = 0; end < 2; ++end) {
            PipeEndRep& of = end_rep(end);
            const bool left = (before & (had(end) | used(end))) == had(end) && just_left(before, now);
            if (!has(of.users, parent) && !has(of.heirs, parent) && !left) continue;
            if (!has(of.users, child)) put(tx, of.heirs, child);
            set_flags(tx, rep().flags, rep().flags | had(end));
        }
    });
}

void Pipe::clear_bits(Tx& tx, unsigned end, std::uint32_t session) {
    remove(tx, end_rep(end).users, session);
    remove(tx, end_rep(end).heirs, session);
}

void Pipe::leave(unsigned end, std::uint32_t session) {
    ObjectLock lock(segment_, ref_);
    const std::uint32_t now = milliseconds();
    heap::mutate(lock, [&](Tx& tx, Heap&) {
        clear_bits(tx, end, session);
        // Closed is closed, also by somebody who never used it.
        set_flags(tx, rep().flags, at_time(rep().flags | had(end), now));
    });
}

bool Pipe::leave_dead(std::uint32_t session, const std::function<bool()>& still, base::Deadline deadline) {
    ObjectLock lock(segment_, ref_, deadline);
    const auto mentions = [&](unsigned end) { return has(end_rep(end).users, session) || has(end_rep(end).heirs, session); };
    if ((still && !still()) || (!mentions(0) && !mentions(1))) return false;
    heap::mutate(lock, [&](Tx& tx, Heap&) {
        for (unsigned end = 0; end < 2; ++end) clear_bits(tx, end, session);
    });
    return true;
}

std::vector<std::uint32_t> Pipe::sessions() const {
    std::vector<std::uint32_t> all;
    for (std::uint32_t word = 0; word < heap::holder_words; ++word) {
        std::uint64_t bits = 0;
        for (unsigned end = 0; end < 2; ++end) bits |= end_rep(end).users[word] | end_rep(end).heirs[word];
        for (; bits != 0; bits &= bits - 1) all.push_back(word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
    return all;
}

void Pipe::for_each(const std::function<void(Bytes)>& each, base::Deadline deadline) const {
    ObjectLock lock(segment_, ref_, deadline);
    for (unsigned end = 0; end < 2; ++end) {
        const Fifo messages = fifo(end);
        Fifo::Position position = messages.begin();
        Fifo::Bound bound(segment_);
        for (std::uint64_t left = messages.size(); left != 0; --left) {
            const Fifo::Record record = messages.next(position);
            bound.add(record);
            each({segment_.bytes(record.bytes, record.size), static_cast<std::size_t>(record.size)});
        }
    }
}

void Pipe::verify(const std::function<void(std::string)>& violation) const {
    ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    Audit audit(lock, violation);
    try {
        audit.block(rep().ends, 2 * sizeof(PipeEndRep), "ends of a pipe");
        for (unsigned end = 0; end < 2; ++end)
            fifo(end).verify(segment_.capacity(), [&](std::uint64_t at, std::uint64_t size) { audit.block(at, size, "chunk"); },
                             [&](const char* what) { violation(what); });
        audit.finish();
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    }
}

}  // namespace muster::containers

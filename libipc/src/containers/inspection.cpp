#include "containers/inspection.hpp"

#include <algorithm>

#include "containers/pipe.hpp"
#include "containers/scalars.hpp"

namespace muster::containers {

using heap::Kind;

Inspection::Inspection(const Segment& segment, ObjectRef ref, std::vector<std::uint64_t> extents, const Tell& tell)
    : segment_(segment),
      ref_(ref),
      object_(heap::object_at(segment, ref.id)),
      tell_(tell),
      extents_(segment),
      tagged_(std::move(extents)) {}

void Inspection::visit(const char* invariant, const std::function<bool()>& fn) {
    for (bool finished = false; !finished;) {
        const ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
        const std::uint64_t now = tx::sequence_of(object_.domain);
        if (visits_++ != 0 && now != sequence_) undisturbed_ = false;
        words_ = visit_words;
        try {
            finished = fn();
        } catch (const segment::Damage& damage) {
            sound_ = false;
            tell(invariant, damage.what);
            finished = true;
        }
        sequence_ = now;
        most_ = std::max(most_, words_);
    }
}

bool Inspection::block(std::uint64_t offset, std::uint64_t size, const char* what) {
    look(heap::max_order / 4);  // half of the words that containing() may need: most often it is two
    const heap::Extent extent = extents_.containing(offset);
    const bool large = size > heap::largest_class;
    bool inside = extent.bytes != 0 && extent.owner == ref_.id && offset % 16 == 0;
    std::uint64_t bytes = heap::Heap::usable(size);
    if (inside) {
        const std::uint64_t head =
            extent.offset == object_.heap.body ? sizeof(heap::BodyRep) : sizeof(heap::ExtentHeader);
        const std::uint64_t at = offset - extent.offset;
        inside = at >= head && bytes <= extent.bytes && at <= extent.bytes - bytes && (!large || at == head);
        if (large) bytes = extent.bytes;
    }
    if (!inside) {
        sound_ = false;
        tell("I6", std::string(what) + " at " + std::to_string(offset) + " is outside the object's extents");
        return false;
    }
    live_ += bytes;
    ++elements_;
    return true;
}

void Inspection::run() {
    visit("I1", [&] {
        kind_ = heap::Ident::unpack(object_.ident).kind;
        return true;
    });
    if (object_.heap.body != 0) {
        extents();
        lists();
    }
    if (heap::is_table(kind_)) table();
    if (kind_ == Kind::value || kind_ == Kind::array) scalars();
    if (kind_ == Kind::list) {
        auto& root = heap::root_of<SequenceRep>(object_);
        if (root.spare.root != 0) complete_ = false;  // of a change that goes on: its nodes are looked at by verify()
        tree(root.main, [&] { return root.size + root.surplus; });
    }
    if (kind_ == Kind::pipe) {
        auto& root = heap::root_of<PipeRep>(object_);
        visit("I1", [&] { return block(root.ends, 2 * sizeof(PipeEndRep), "ends of a pipe"), true; });
        for (FifoRep& end : root.to) fifo(end);
    }
    if (kind_ == Kind::queue) {
        auto& root = heap::root_of<QueueRep>(object_);
        leases(root, root.leased, true, "lease");
        leases(root, root.returned, false, "returned item");
        leases(root, root.dead, false, "dead letter");
        if ((root.flags >> 8 & 3) == static_cast<std::uint64_t>(Order::fifo))
            fifo(root.fifo);
        else
            tree(root.tree, [&] { return root.fifo.puts - root.fifo.gets; });
    }
    if (object_.heap.body != 0) counts();
}

// Is the extent in one of the heap's lists, as its neighbours there say?
bool Inspection::linked(std::uint64_t extent) const {
    const heap::HeapRep& heap = object_.heap;
    if (extent == heap.body || heap.garbage != 0) return true;  // what is on its way out has no place of its own
    const auto header = [&](std::uint64_t at) -> const heap::ExtentHeader& { return *segment_.block<heap::ExtentHeader>(at); };
    const std::uint64_t next = header(extent).next, prev = header(extent).prev;
    if (next != 0 && header(next).prev != extent) return false;
    if (prev != 0) return header(prev).next == extent;
    return heap.extents == extent || heap.spare == extent;
}

// Those that carry the object's tag, as it was a moment ago: each of them is asked for again under the lock.
void Inspection::extents() {
    std::size_t done = 0;
    visit("I6", [&] {
        for (; done < tagged_.size(); ++done) {
            if (!room(16)) return false;
            look(16);
            const heap::Extent extent = extents_.containing(tagged_[done]);
            if (extent.offset != tagged_[done] || extent.owner != ref_.id) continue;  // given back meanwhile
            ++elements_;
            const std::string where = "extent at " + std::to_string(extent.offset);
            if (segment_.block<heap::ExtentHeader>(extent.offset)->bytes != extent.bytes)
                tell("I6", where + ": its header and the page table differ in size");
            if (!linked(extent.offset)) tell("I6", where + ": in no list of its owner");
        }
        return true;
    });
}

// A chain of links, of which a visit sees as much as it has room for. It goes on where it was if nothing has changed:
// otherwise what stood there may be in use again. each(at): the next one; it says what is wrong with this one by Damage.
// True: seen to its end.
bool Inspection::chain(const char* invariant, const std::function<std::uint64_t()>& head,
                       const std::function<std::uint64_t(std::uint64_t at)>& each) {
    std::uint64_t at = 0, began = 0, steps = 0;
    bool first = true, whole = false;
    visit(invariant, [&] {
        const std::uint64_t now = tx::sequence_of(object_.domain);
        if (!first && now != began) return true;
        if (first) at = head();
        first = false;
        began = now;
        for (; at != 0; at = each(at)) {
            if (!room(24)) return false;
            look(24);
            if (++steps > segment_.capacity() / 16) throw segment::Damage{"an endless chain"};
        }
        return whole = true;
    });
    return whole;
}

void Inspection::lists() {
    const heap::HeapRep& heap = object_.heap;
    std::uint64_t bytes = 0;
    bool whole = true;
    for (const auto* list : {&heap.extents, &heap.spare})
        whole = chain("I6", [list] { return list->get(); }, [&](std::uint64_t at) {
            const heap::Extent extent = extents_.containing(at);
            if (extent.offset != at || extent.owner != ref_.id) throw segment::Damage{"list names an extent that is none"};
            bytes += extent.bytes;
            return segment_.block<heap::ExtentHeader>(at)->next.get();
        }) && whole;
    visit("I6", [&] {
        if (whole && undisturbed_ && sound_ && bytes + heap::body_bytes != heap.bytes)
            tell("I6", "count of bytes differs from the extents");
        return true;
    });
    for (unsigned index = 0; index < heap::class_count; ++index)
        chain("I6",
              [&] { return segment_.block<heap::BodyRep>(heap.body)->free_lists[index].get(); },
              [&](std::uint64_t at) {
                  const heap::Extent extent = extents_.containing(at);
                  if (extent.owner != ref_.id || at % 16 != 0 || at + heap::class_size(index) > extent.offset + extent.bytes)
                      throw segment::Damage{"free block outside the object's extents"};
                  return segment_.block<tx::Cell<std::uint64_t>>(at)->get();
              });
}

// What can be said of all together, when nothing has changed since the first look.
void Inspection::counts() {
    visit("I6", [&] {
        const heap::HeapRep& heap = object_.heap;
        look(10);
        if (heap.cursor > heap.end || heap.cursor % 16 != 0) tell("I6", "fresh memory: cursor behind its end");
        if (heap.live > heap.bytes) tell("I6", "more bytes handed out than owned");
        if (undisturbed_ && sound_ && complete_ && live_ != heap.live)
            tell("I6", "heap: " + std::to_string(heap.live.get()) + " bytes handed out, " + std::to_string(live_) + " reachable");
        return true;
    });
}

void Inspection::scalars() {
    auto& root = heap::root_of<ScalarsRep>(object_);
    std::uint64_t done = 0;
    visit("I1", [&] {
        look(4);
        const std::uint64_t type = root.type, length = root.length;
        const std::uint64_t width = type > 255 ? 0 : size_of(static_cast<ScalarType>(type));
        if (width == 0) throw segment::Damage{"no such type of number"};
        if (length > Scalars::max_bytes / width) throw segment::Damage{"an array longer than it can be"};
        const std::uint64_t words = (length * width + 7) / 8;
        if (words == 0) return true;
        if (object_.heap.body == 0) {
            if (length != 1 || root.data != segment_.offset_of(&root.single)) tell("I1", "a value's number is elsewhere");
            return true;
        }
        if (done == 0 && !block(root.data, words * 8, "the elements of an array")) return true;
        if (static_cast<ScalarType>(type) != ScalarType::boolean) return true;
        for (; done < words; ++done) {
            if (!room(1)) return false;
            look(1);
            if ((segment::load_word(segment_.block<std::uint64_t>(root.data + done * 8)) & 0xfefefefefefefefe) != 0)
                throw segment::Damage{"a truth value that is neither true nor false"};
        }
        return true;
    });
}

}  // namespace muster::containers

#include "containers/sequence.hpp"

#include <algorithm>

namespace muster::containers {
namespace {

// An item is changed where it is when that takes few words of the log.
constexpr std::uint64_t longest_in_place = 128;
// An emptied list that holds more gives it back.
constexpr std::uint64_t kept_when_empty = 10u << 20;
// What find() looks at between two looks at the sequence number.
constexpr std::uint64_t chunk_items = 256, chunk_bytes = 64 * 1024;
constexpr int tries_of_long_reads = 3;

}  // namespace

Sequence::Sequence(const Segment& segment, heap::ObjectRef ref)
    : segment_(segment),
      ref_(ref),
      object_(heap::object_at(segment, ref.id)),
      rep_(heap::root_of<SequenceRep>(object_)) {}

void Sequence::check_alive() const {
    const heap::Ident ident = heap::Ident::unpack(object_.ident);
    if (ident.generation != ref_.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
}

std::uint64_t Sequence::size() const {
    std::uint64_t size = 0;
    const auto look = [&] {
        check_alive();
        size = rep_.size;
    };
    if (tx::read_validated(object_.domain, look)) return size;
    const ObjectLock held = lock();
    look();
    return size;
}

bool Sequence::get(std::uint64_t index, Buffer& out) const {
    bool found = false;
    const auto look = [&] {
        const std::uint64_t sequence = tx::sequence_of(object_.domain);
        check_alive();
        found = index < rep_.size;
        if (!found) return;
        const Tree items = tree();
        item::read(segment_, object_.domain, sequence, items.slot(items.locate(total(), index)), out);
    };
    if (tx::read_validated(object_.domain, look)) return found;
    const ObjectLock held = lock();
    look();
    return found;
}

// Of [from, to) as many as stay within `most_bytes`, but one at least; returns their bytes. With a sequence number:
// gives up (Damage) as soon as it is out of date.
std::uint64_t Sequence::copy(std::uint64_t from, std::uint64_t to, std::uint64_t most_bytes,
                             std::optional<std::uint64_t> sequence, Strings& out) const {
    out.clear();
    check_alive();
    const Tree items = tree();
    const std::uint64_t all = total();
    to = std::min(to, rep_.size.get());
    const auto check = [&] {
        if (sequence && !tx::unchanged_since(object_.domain, *sequence))
            throw segment::Damage{"list: overtaken by a writer"};
    };
    std::uint64_t bytes = 0;
    while (from < to && bytes < most_bytes) {
        Place place = items.locate(all, from);
        check();
        for (; place.at < place.count && from < to && bytes < most_bytes; ++place.at, ++from) {
            const std::uint64_t word = items.slot(place);
            const item::Located located = item::locate(segment_, word);
            if (located.length > item::trusted_length) check();
            if ((bytes += located.length) > segment_.capacity()) throw segment::Damage{"list: more bytes than there are"};
            item::copy_out(segment_, word, located, out.add(located.length));
        }
    }
    return bytes;
}

void Sequence::read(std::uint64_t from, std::uint64_t to, Strings& out) const {
    constexpr std::uint64_t no_limit = ~std::uint64_t{0};
    const auto look = [&] { copy(from, to, no_limit, tx::sequence_of(object_.domain), out); };
    if (tx::read_validated(object_.domain, look, tries_of_long_reads)) return;
    const ObjectLock held = lock();
    copy(from, to, no_limit, std::nullopt, out);
}

std::optional<std::uint64_t> Sequence::find(std::uint64_t from, std::uint64_t to,
                                            const std::function<bool(Bytes)>& match) const {
    Strings chunk;
    const auto first = [&](std::uint64_t at) -> std::optional<std::uint64_t> {
        for (std::size_t i = 0; i < chunk.size(); ++i)
            if (match(chunk[i])) return at + i;
        return {};
    };
    for (int i = 0; i < tries_of_long_reads; ++i) {
        const std::uint64_t sequence = version();
        bool overtaken = sequence % 2 != 0;
        std::uint64_t bytes = 0;
        for (std::uint64_t at = from; !overtaken; at += chunk.size()) {
            const std::uint64_t end = at < to ? at + std::min(to - at, chunk_items) : to;
            try {
                bytes += copy(at, end, chunk_bytes, sequence, chunk);
                overtaken = !tx::unchanged_since(object_.domain, sequence);
            } catch (const segment::Damage&) {
                if (tx::unchanged_since(object_.domain, sequence)) throw;
                overtaken = true;
            }
            if (overtaken) break;
            if (chunk.size() == 0) return {};
            if (bytes > segment_.capacity()) throw segment::Damage{"list: more bytes than there are"};
            if (const auto found = first(at)) return found;
        }
    }
    read(from, to, chunk);
    return first(from);
}

void Sequence::push_back(ObjectLock& lock, Bytes value) {
    tidy(lock);
    if (rep_.size >= max_items) throw TooManyItems{};
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        TreeEdit edit(segment_, rep_.main, tx, heap);
        edit.append(rep_.size, item::store(segment_, edit.run(), value));
        edit.finish();
        tx.set(rep_.size, rep_.size + 1);
    });
}

void Sequence::insert(ObjectLock& lock, std::uint64_t index, Bytes value) {
    tidy(lock);
    MUSTER_CHECK(index <= rep_.size);
    if (rep_.size >= max_items) throw TooManyItems{};
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        TreeEdit edit(segment_, rep_.main, tx, heap);
        edit.insert(rep_.size, index, item::store(segment_, edit.run(), value));
        edit.finish();
        tx.set(rep_.size, rep_.size + 1);
    });
}

bool Sequence::set(ObjectLock& lock, std::uint64_t index, Bytes value) {
    tidy(lock);
    if (index >= rep_.size) return false;
    heap::mutate(lock, [&](Tx& tx, Heap& heap) { set_within(tx, heap, index, value); });
    return true;
}

void Sequence::set_within(Tx& tx, Heap& heap, std::uint64_t index, Bytes value) {
    const Tree items = tree();
    Cell<std::uint64_t>& slot = items.slot(items.locate(total(), index));
    const std::uint64_t old = slot, size = value.size();
    const item::Located located = item::locate(segment_, old);
    const bool in_place = !item::is_inline(old) && size > item::inline_limit && size <= longest_in_place &&
                          located.length <= longest_in_place &&
                          heap::class_of(size) == heap::class_of(located.length);
    if (in_place) {
        tx.write(segment_.bytes(located.offset, size), value.data(), size);
        if (size != located.length) tx.set(slot, item::block_of(old) | size << 48);
        return;
    }
    Heap::Run run(heap, tx);
    tx.set(slot, item::store(segment_, run, value));
    run.finish();
    item::free(segment_, tx, heap, old);
}

void Sequence::resize_within(Tx& tx, std::uint64_t size) {
    const std::uint64_t all = total();
    MUSTER_CHECK(size <= all);
    if (size == rep_.size) return;
    tx.set(rep_.size, size);
    tx.set(rep_.surplus, all - size);
}

bool Sequence::erase(ObjectLock& lock, std::uint64_t index) {
    tidy(lock);
    if (index >= rep_.size) return false;
    take(lock, index);
    return true;
}

bool Sequence::pop(ObjectLock& lock, std::uint64_t index, Buffer& out, const std::function<bool()>& accept) {
    tidy(lock);
    if (index >= rep_.size) return false;
    const Tree items = tree();
    item::read(segment_, items.slot(items.locate(total(), index)), out);
    if (accept && !accept()) return false;
    take(lock, index);
    return true;
}

void Sequence::take(ObjectLock& lock, std::uint64_t index) {
    const auto take_with = [&](auto erase) {
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            TreeEdit edit(segment_, rep_.main, tx, heap);
            const std::uint64_t word = erase(edit);
            tx.set(rep_.size, rep_.size - 1);
            edit.finish();
            item::free(segment_, tx, heap, word);
        });
    };
    try {
        take_with([&](TreeEdit& edit) { return edit.erase(rep_.size, index); });
    } catch (const heap::OutOfMemory&) {  // so that a full segment can be emptied
        take_with([&](TreeEdit& edit) { return edit.erase_in_place(rep_.size, index); });
    }
    if (rep_.size == 0) give_memory_back(lock);
}

void Sequence::give_memory_back(ObjectLock& lock) {
    if (lock.heap().bytes() > kept_when_empty) clear(lock);
}

void Sequence::clear(ObjectLock& lock) {
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        for (Cell<std::uint64_t>* word : {&rep_.size, &rep_.surplus, &rep_.main.root, &rep_.main.height,
                                          &rep_.main.tail, &rep_.spare.root, &rep_.spare.height, &rep_.spare.tail})
            if (*word != 0) tx.set(*word, 0);
        heap.reset(tx);
    });
    lock.heap().trim();
}

}  // namespace muster::containers

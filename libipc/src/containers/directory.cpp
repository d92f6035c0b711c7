#include "containers/directory.hpp"

#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

#include "containers/directory_guard.hpp"

namespace muster::containers {
namespace {

constexpr std::chrono::milliseconds object_patience{50};
constexpr std::uint64_t entries_reserved_at_once = 64;  // 64 KiB

bool has_heap(Kind kind) noexcept {
    return heap::is_table(kind) || kind == Kind::array || kind == Kind::list || kind == Kind::queue || kind == Kind::pipe ||
           kind == Kind::semaphore || kind == Kind::condition || kind == Kind::barrier;
}

// Names are read without the lock, too, hence never in place.
std::string name_of(const ObjectRep& object) {
    const std::uint64_t length = object.name_length;
    std::string name(length <= heap::max_name ? length : 0, '\0');
    segment::copy_out(name.data(), object.name.data(), name.size());
    return name;
}

bool has_name(const ObjectRep& object, std::string_view name) noexcept {
    return object.name_length == name.size() && segment::same_bytes(object.name.data(), name.data(), name.size());
}

std::uint32_t count_holders(const ObjectRep& object) noexcept {
    std::uint32_t count = 0;
    for (const auto& word : object.holders) count += static_cast<std::uint32_t>(std::popcount(word.get()));
    return count;
}

}  // namespace

Directory::Directory(const Segment& segment, std::optional<std::chrono::milliseconds> patience)
    : segment_(segment),
      patience_(patience),
      domain_(*segment.at<tx::DomainRep>(segment.regions().directory_domain)),
      rep_(*segment.at<DirectoryRep>(segment.regions().directory_root)),
      buckets_(segment.at<Cell<std::uint32_t>>(segment.regions().name_buckets, segment.regions().object_capacity)),
      capacity_(segment.regions().object_capacity) {}

void Directory::format() {
    tx::format(domain_, segment_.regions().domain_logs + segment::fixed_log_capacity * segment::log_entry_size,
               segment::fixed_log_capacity);
}

Cell<std::uint32_t>& Directory::bucket_of(std::string_view name) const {
    return buckets_[segment::hash_bytes(name.data(), name.size(), segment_.hash_seed()) & (capacity_ - 1)];
}

std::uint32_t Directory::lookup(std::string_view name) const {
    std::uint64_t steps = 0;
    for (std::uint32_t id = bucket_of(name); id != 0; id = heap::object_at(segment_, id).next) {
        if (++steps > capacity_) throw segment::Damage{"directory: endless bucket"};
        if (has_name(heap::object_at(segment_, id), name)) return id;
    }
    return 0;
}

Directory::Opened Directory::open_or_create(std::string_view name, Kind kind, const Init& init) {
    MUSTER_CHECK(!name.empty() && name.size() <= heap::max_name);
    Guard guard(*this);
    if (const std::uint32_t id = lookup(name)) {
        const Ident ident = Ident::unpack(heap::object_at(segment_, id).ident);
        if (ident.kind != kind) throw WrongKind{ident.kind};
        return {{id, ident.generation}, false};
    }
    const std::uint32_t id = make(kind, init, name, {});
    return {{id, Ident::unpack(heap::object_at(segment_, id).ident).generation}, true};
}

ObjectRef Directory::create(Kind kind, std::optional<std::uint32_t> holder, const Init& init) {
    Guard guard(*this);
    const std::uint32_t id = make(kind, init, {}, holder);
    return {id, Ident::unpack(heap::object_at(segment_, id).ident).generation};
}

// Three steps, each harmless if it is the last: the object is built, made live, linked.
std::uint32_t Directory::make(Kind kind, const Init& init, std::string_view name, std::optional<std::uint32_t> holder) {
    if (closed()) throw Closed{};
    // Holders of stale handles take an entry's lock for a moment, to find that their object is gone. One who is stopped
    // at that moment keeps the entry out of use, and nothing else.
    std::optional<tx::DomainLock> lock;
    std::uint32_t id = rep_.free_head, before = 0;
    for (std::uint64_t steps = 0; id != 0; before = id, id = heap::object_at(segment_, id).next) {
        if (++steps > capacity_) throw segment::Damage{"directory: endless free list"};
        try {
            lock.emplace(segment_, heap::object_at(segment_, id).domain, base::Deadline::after(object_patience));
            break;
        } catch (const tx::Busy&) {
        }
    }
    const bool fresh = id == 0;
    if (fresh) {
        if (rep_.high_water >= capacity_) throw TooManyObjects{};
        id = static_cast<std::uint32_t>(rep_.high_water + 1);
        const std::uint64_t offset = segment_.regions().objects + std::uint64_t{id - 1} * sizeof(ObjectRep);
        if ((id - 1) % entries_reserved_at_once == 0 &&
            !segment_.reserve(offset, std::min(entries_reserved_at_once, capacity_ - id + 1) * sizeof(ObjectRep)))
            throw heap::OutOfMemory{entries_reserved_at_once * sizeof(ObjectRep), errno};
        tx::format(heap::object_at(segment_, id).domain, 0, 0);
    }
    ObjectRep& object = heap::object_at(segment_, id);
    const std::uint32_t next_free = fresh ? 0 : object.next.get();
    {
        if (fresh) lock.emplace(segment_, object.domain, segment_.lock_deadline());
        tx::reconciled(object.domain);
        const Ident last = Ident::unpack(object.ident);
        if (last.life == heap::Life::live && !fresh) throw segment::Damage{"directory: a live object in the free list"};
        const std::uint32_t generation = last.generation + 1;
        static constexpr std::byte zeros[sizeof(ObjectRep::root)]{};
        Tx::init_bytes(object.root.data(), zeros, sizeof zeros);
        heap::begin_turns(object);
        if (has_heap(kind)) {
            heap::Heap(segment_, object, id).make_body();
        } else {
            Tx::init(object.heap.body, 0);
            Tx::init(object.heap.bytes, 0);
        }
        if (init) {
            try {
                init(object);
            } catch (...) {  // out of memory: the entry stays free, and owns nothing
                if (object.heap.body != 0) heap::Heap(segment_, object, id).destroy();
                throw;
            }
        }
        Tx::publish(object.domain, object.ident, Ident{generation, kind, heap::Life::live}.pack());
        lock.reset();
    }
    Tx tx(segment_, domain_);
    if (fresh)
        tx.set(rep_.high_water, id);
    else
        tx.set(before != 0 ? heap::object_at(segment_, before).next : rep_.free_head, next_free);
    for (std::uint32_t word = 0; word < heap::holder_words; ++word) {
        const bool ours = holder && *holder / 64 == word;
        const std::uint64_t bits = ours ? std::uint64_t{1} << *holder % 64 : 0;
        if (object.holders[word] != bits) tx.set(object.holders[word], bits);
    }
    tx.write(object.name.data(), name.data(), name.size());
    tx.set(object.name_length, name.size());
    tx.set(object.flags, name.empty() ? 0u : std::uint32_t{heap::flag_named});
    if (name.empty()) {
        tx.set(object.next, 0);
    } else {
        Cell<std::uint32_t>& bucket = bucket_of(name);
        tx.set(object.next, bucket.get());
        tx.set(bucket, id);
    }
    tx.set(rep_.live, rep_.live + 1);
    tx.commit();
    return id;
}

std::optional<ObjectRef> Directory::find(std::string_view name, Kind kind) const {
    const auto found = find_any(name);
    if (!found) return {};
    if (found->kind != kind) throw WrongKind{found->kind};
    return found->ref;
}

std::optional<ObjectEntry> Directory::find_any(std::string_view name) const {
    std::uint32_t id = 0;
    std::optional<ObjectEntry> found;
    const auto look = [&] {
        id = lookup(name);
        found = id == 0 ? std::nullopt : entry(id);
    };
    if (tx::read_validated(domain_, look)) return found;
    Guard guard(const_cast<Directory&>(*this));
    look();
    return found;
}

std::optional<ObjectEntry> Directory::entry(std::uint32_t id) const {
    const ObjectRep& object = heap::object_at(segment_, id);
    const Ident ident = Ident::unpack(object.ident);
    if (ident.life != heap::Life::live || (object.flags & heap::flag_doomed) != 0) return {};
    ObjectEntry found{{id, ident.generation}, ident.kind, {}, count_holders(object)};
    found.stored = (object.flags & heap::flag_stored) != 0;
    found.with_handles = (object.flags & heap::flag_with_handles) != 0;
    if ((object.flags & heap::flag_named) != 0)
        found.name = name_of(object);
    else if (found.holders == 0 && !found.stored)
        return {};  // live, but not linked yet, or let go by the last: if its process died here, sweep()'s
    return found;
}

bool Directory::erase(std::string_view name) {
    Guard guard(*this);
    const std::uint32_t id = lookup(name);
    if (id == 0) return false;
    doom(id);
    finish_doomed();
    return true;
}

// Unlinks the object: from here on it cannot be found, and whoever comes next takes it apart.
void Directory::doom(std::uint32_t id) {
    ObjectRep& object = heap::object_at(segment_, id);
    Tx tx(segment_, domain_);
    if ((object.flags & heap::flag_named) != 0) {
        Cell<std::uint32_t>& bucket = bucket_of(name_of(object));
        if (bucket == id) {
            tx.set(bucket, object.next);
        } else {
            std::uint64_t steps = 0;
            ObjectRep* before = &heap::object_at(segment_, bucket);
            while (before->next != id) {
                if (++steps > capacity_) throw segment::Damage{"directory: endless bucket"};
                before = &heap::object_at(segment_, before->next);
            }
            tx.set(before->next, object.next);
        }
    }
    tx.set(object.flags, object.flags | heap::flag_doomed);
    tx.set(object.next, rep_.doomed_head);
    tx.set(rep_.doomed_head, id);
    tx.set(rep_.live, rep_.live - 1);
    tx.commit();
}

// Takes a doomed object apart; `before` precedes it in the list. False: a live process is inside it, or there is no memory to
// remember its extents in; later.
bool Directory::finish(std::uint32_t id, std::uint32_t before) {
    ObjectRep& object = heap::object_at(segment_, id);
    if ((object.flags & heap::flag_doomed) == 0) throw segment::Damage{"directory: doomed list"};
    try {
        tx::DomainLock lock(segment_, object.domain, base::Deadline::after(object_patience));
        const Ident ident = Ident::unpack(object.ident);
        if (ident.life == heap::Life::live)
            Tx::publish(object.domain, object.ident, Ident{ident.generation, ident.kind, heap::Life::dead}.pack());
        for (std::uint32_t& word : object.wait_points) {
            if (tx::mutant(tx::Mutant::missing_wake)) break;
            __atomic_fetch_add(&word, 2, __ATOMIC_SEQ_CST);
            base::futex_wake(&word);
        }
        if (!tx::mutant(tx::Mutant::missing_wake)) base::futex_wake(reinterpret_cast<std::uint32_t*>(&object.turns[0]));
        heap::wake_watchers(object.watchers);
        if (has_heap(ident.kind)) heap::Heap(segment_, object, id).destroy();  // again, if it was begun before
        tx::reconciled(object.domain);
    } catch (const tx::Busy&) {
        return false;
    } catch (const std::bad_alloc&) {
        return false;
    }
    Tx tx(segment_, domain_);
    tx.set(before != 0 ? heap::object_at(segment_, before).next : rep_.doomed_head, object.next);
    tx.set(object.flags, 0);
    tx.set(object.next, rep_.free_head);
    tx.set(rep_.free_head, id);
    tx.commit();
    return true;
}

bool Directory::finish_doomed() {
    bool all = true;
    std::uint64_t steps = 0;
    for (std::uint32_t id = rep_.doomed_head, before = 0; id != 0;) {
        if (++steps > capacity_) throw segment::Damage{"directory: endless list of doomed objects"};
        const std::uint32_t next = heap::object_at(segment_, id).next;
        if (!finish(id, before)) {
            before = id;
            all = false;
        }
        id = next;
    }
    return all;
}

bool Directory::finish_erased() {
    Guard guard(*this);
    return finish_doomed();
}

bool Directory::hold(ObjectRef ref, std::uint32_t session) {
    Guard guard(*this);
    ObjectRep& object = heap::object_at(segment_, ref.id);
    const Ident ident = Ident::unpack(object.ident);
    if (ident.generation != ref.generation || ident.life != heap::Life::live || (object.flags & heap::flag_doomed) != 0)
        return false;
    Tx tx(segment_, domain_);
    Cell<std::uint64_t>& word = object.holders[session / 64];
    tx.set(word, word | std::uint64_t{1} << session % 64);
    tx.commit();
    return true;
}

void Directory::release(ObjectRef ref, std::uint32_t session) {
    Guard guard(*this);
    ObjectRep& object = heap::object_at(segment_, ref.id);
    const Ident ident = Ident::unpack(object.ident);
    if (ident.generation != ref.generation || ident.life != heap::Life::live || (object.flags & heap::flag_doomed) != 0)
        return;
    let_go(ref.id, object.holders[session / 64], std::uint64_t{1} << session % 64);
    if (unkept(ref.id)) {
        doom(ref.id);  // dying before this line leaves an object that nobody holds: sweep() finds it
        finish_doomed();
    }
}

std::uint32_t Directory::release_all(std::uint32_t session) {
    Guard guard(*this);
    std::uint32_t freed = 0;
    for (std::uint32_t id = 1; id <= rep_.high_water; ++id) {
        ObjectRep& object = heap::object_at(segment_, id);
        Cell<std::uint64_t>& word = object.holders[session / 64];
        const std::uint64_t bit = std::uint64_t{1} << session % 64;
        if ((word & bit) == 0) continue;
        let_go(id, word, bit);
        if (is_live(id) && unkept(id)) {
            doom(id);
            ++freed;
        }
    }
    finish_doomed();
    return freed;
}

void Directory::close() {
    Guard guard(*this);
    if (!closed()) {
        Tx tx(segment_, domain_);
        tx.set(rep_.closed, 1);
        tx.commit();
    }
    for (std::uint32_t id = 1; id <= rep_.high_water; ++id)
        if (is_live(id)) doom(id);
    finish_doomed();
}

// Somebody holds it no longer. When is remembered: whoever looks for what nobody reaches may have passed it before.
void Directory::let_go(std::uint32_t id, Cell<std::uint64_t>& word, std::uint64_t bit) {
    ObjectRep& object = heap::object_at(segment_, id);
    Tx tx(segment_, domain_);
    tx.set(word, word & ~bit);
    if (object.let_go != rep_.collections) tx.set(object.let_go, rep_.collections);
    tx.commit();
}

// Of a live object: nothing keeps it, neither a name nor a session, and it stands in no other object either.
bool Directory::unkept(std::uint32_t id) const {
    const ObjectRep& object = heap::object_at(segment_, id);
    return (object.flags & (heap::flag_named | heap::flag_stored)) == 0 && count_holders(object) == 0;
}

bool Directory::is_live(std::uint32_t id) const {
    if (id == 0 || id > rep_.high_water) return false;
    const ObjectRep& object = heap::object_at(segment_, id);
    return Ident::unpack(object.ident).life == heap::Life::live && (object.flags & heap::flag_doomed) == 0;
}

void Directory::sweep() {
    // Built and made live, but not linked: its maker died. It stands in the free list, or just behind the last id.
    const auto unlinked = [&](std::uint32_t id) {
        ObjectRep& object = heap::object_at(segment_, id);
        const Ident ident = Ident::unpack(object.ident);
        if (ident.life == heap::Life::live)
            Tx::publish(object.domain, object.ident, Ident{ident.generation, ident.kind, heap::Life::dead}.pack());
    };
    std::uint64_t steps = 0;
    for (std::uint32_t id = rep_.free_head; id != 0; id = heap::object_at(segment_, id).next) {
        if (++steps > capacity_) throw segment::Damage{"directory: endless free list"};
        unlinked(id);
    }
    if (rep_.high_water < capacity_) unlinked(static_cast<std::uint32_t>(rep_.high_water + 1));
    for (std::uint32_t id = 1; id <= rep_.high_water; ++id) {
        if (is_live(id) && unkept(id)) doom(id);
    }
    finish_doomed();
    // I6: extents whose owner is no object.
    std::vector<heap::Extent> strays;
    heap::Extents extents(segment_);
    extents.for_each([&](const heap::Extent& extent) {
        const bool doomed = extent.owner != 0 && extent.owner <= rep_.high_water &&
                            (heap::object_at(segment_, extent.owner).flags & heap::flag_doomed) != 0;
        if (!is_live(extent.owner) && !doomed) strays.push_back(extent);
    });
    for (const heap::Extent& stray : strays) extents.give_back(stray.offset, stray.owner);
}

std::optional<ObjectEntry> Directory::glance(std::uint32_t id) const {
    std::optional<ObjectEntry> found;
    return tx::read_validated(domain_, [&] { found = entry(id); }) ? found : std::nullopt;
}

std::optional<ObjectEntry> Directory::look_up(std::uint32_t id) const {
    std::optional<ObjectEntry> found;
    if (tx::read_validated(domain_, [&] { found = entry(id); })) return found;
    Guard guard(const_cast<Directory&>(*this));
    return entry(id);
}

std::vector<ObjectEntry> Directory::list() const {
    std::vector<ObjectEntry> entries;
    const std::uint64_t count = std::min(rep_.high_water.get(), capacity_);
    for (std::uint32_t id = 1; id <= count; ++id) {
        std::optional<ObjectEntry> found = look_up(id);
        if (found) entries.push_back(std::move(*found));
    }
    return entries;
}

void Directory::verify_lists(const Violation& violation) const {
    const std::uint64_t count = rep_.high_water;
    if (count > capacity_) return violation(0, "more objects than fit");
    std::vector<std::uint8_t> seen(count + 1);
    const auto follow = [&](std::uint32_t head, const char* what, auto&& expected) {
        for (std::uint32_t id = head; id != 0; id = heap::object_at(segment_, id).next) {
            if (id > count || seen[id]++ != 0) return violation(id, std::string(what) + ": not a list");
            if (!expected(id)) violation(id, std::string(what) + ": does not belong there");
        }
    };
    for (std::uint64_t b = 0; b < capacity_; ++b)
        follow(buckets_[b], "name bucket", [&](std::uint32_t id) {
            const ObjectRep& object = heap::object_at(segment_, id);
            return is_live(id) && (object.flags & heap::flag_named) != 0 && &bucket_of(name_of(object)) == &buckets_[b];
        });
    follow(rep_.free_head, "free list", [&](std::uint32_t id) {
        return Ident::unpack(heap::object_at(segment_, id).ident).life != heap::Life::live;
    });
    follow(rep_.doomed_head, "doomed list", [&](std::uint32_t id) {
        return (heap::object_at(segment_, id).flags & heap::flag_doomed) != 0;
    });
    std::uint64_t live = 0;
    for (std::uint32_t id = 1; id <= count; ++id) {
        const ObjectRep& object = heap::object_at(segment_, id);
        if (is_live(id)) ++live;
        if (is_live(id) && (object.flags & heap::flag_named) == 0 && seen[id] == 0) {
            if (unkept(id)) violation(id, "anonymous object that nobody holds");
        } else if (seen[id] == 0) {
            violation(id, "object in no list");
        }
    }
    if (live != rep_.live) violation(0, "count of live objects differs");
}

bool Directory::has_owner(const heap::Extent& extent) const {
    if (extent.owner == 0 || extent.owner > std::min(rep_.high_water.get(), capacity_)) return false;
    return is_live(extent.owner) || (heap::object_at(segment_, extent.owner).flags & heap::flag_doomed) != 0;
}

void Directory::verify(const Violation& violation) const {
    Guard guard(const_cast<Directory&>(*this));
    verify_lists(violation);
    heap::Extents(segment_).for_each([&](const heap::Extent& extent) {
        if (!has_owner(extent)) violation(extent.owner, "extent of an object that is not there");
    });
}

bool Directory::is_stray(const heap::Extent& extent) const {
    Guard guard(const_cast<Directory&>(*this));
    const heap::Extent now = heap::Extents(segment_).containing(extent.offset);
    return now.offset == extent.offset && now.owner == extent.owner && !has_owner(now);
}

bool Directory::copy_to(const Segment& scratch) const {
    if (domain_.mutex.owner_died() || domain_.unreconciled != 0) const Guard mend(const_cast<Directory&>(*this));
    const Directory copy(scratch);
    return tx::read_quiet(domain_, [&] {
        segment::copy_out(static_cast<void*>(&copy.rep_), &rep_, sizeof rep_);
        segment::copy_out(static_cast<void*>(copy.buckets_), buckets_, capacity_ * sizeof *buckets_);
        const std::uint64_t count = std::min(rep_.high_water.get(), capacity_);
        for (std::uint32_t id = 1; id <= count; ++id) {
            const ObjectRep& from = heap::object_at(segment_, id);
            constexpr std::size_t begin = offsetof(ObjectRep, ident), size = offsetof(ObjectRep, heap) - begin;
            segment::copy_out(reinterpret_cast<std::byte*>(&heap::object_at(scratch, id)) + begin,
                              reinterpret_cast<const std::byte*>(&from) + begin, size);
        }
    }, 4);
}

std::uint32_t Directory::verify_some(std::uint32_t from, std::uint32_t number, const Violation& violation) const {
    Guard guard(const_cast<Directory&>(*this));
    const std::uint64_t count = std::min(rep_.high_water.get(), capacity_);
    std::uint32_t id = std::max(from, 1u);
    for (; id <= count && number-- != 0; ++id) {
        const auto found = entry(id);
        if (found && !found->name.empty() && lookup(found->name) != id) violation(id, "not found by its name");
    }
    return id <= count ? id : 0;
}

}  // namespace muster::containers

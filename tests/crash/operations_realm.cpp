// The service's side: what it does for the dead, and may itself die of.
#include "containers/containers.hpp"
#include "crash/lock_states.hpp"
#include "crash/service.hpp"
#include "support/bytes.hpp"
#include "sync/sync.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using containers::Sequence;
using containers::Table;
using heap::Kind;
using heap::ObjectRef;
using segment::Segment;
using sync::LockWord;
using sync::Sessions;

constexpr ObjectRef realm_dict{1, 1}, realm_lock{2, 1}, realm_list{3, 1};

std::uint32_t& lock_word(const Segment& segment) { return *sync::futex_of(lock_rep(segment, realm_lock)); }
std::uint32_t& wait_word(const Segment& segment) { return heap::object_at(segment, realm_dict.id).wait_points[0]; }

// A dict of three keys, a lock, an anonymous list that the living holds.
void realm_world(const Segment& segment) {
    Directory directory(segment);
    directory.open_or_create("dict", Kind::dict, {});
    directory.open_or_create("lock", Kind::lock, {});
    directory.create(Kind::list, living.index);
    for (const char* key : {"a", "b", "c"}) Table(segment, realm_dict).set(bytes(key), {}, bytes("a value"));
    Sequence items(segment, realm_list);
    auto held = items.lock();
    items.push_back(held, bytes("an item that needs a block"));
}

// ... and a process that died in the middle of this.
template <typename Fn>
std::function<void(const Segment&)> died(Fn fn) {
    return [fn](const Segment& segment) {
        realm_world(segment);
        Child child([&] {
            fn(segment);
            return 0;  // without unlocking anything
        });
        if (child.join() != 0) throw std::runtime_error("the dead did not die as they should");
    };
}

// Half of a change, by whoever has locked the domain.
template <typename T>
void change_and_die(const Segment& segment, tx::DomainRep& domain, tx::Cell<T>& cell) {
    tx::Tx tx(segment, domain);
    tx.set(cell, 4711);
    ::_exit(0);
}

std::string realm_contents(const Segment& segment) {
    std::string text;
    const Sessions sessions(segment);
    for (std::uint32_t index = 0; index < 5; ++index)
        if (const auto info = sessions.info(index)) text += " session " + std::to_string(index);
    for (const containers::ObjectEntry& entry : Directory(segment).list())
        text += " " + std::to_string(entry.ref.id) + "/" + entry.name + "/" + std::to_string(entry.holders);
    if (Directory(segment).find_any("dict")) {
        text += ", " + std::to_string(Table(segment, realm_dict).size()) + " keys";
        Table(segment, realm_dict).verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    }
    const LockWord word(segment, sessions, realm_lock);
    return text + (word.holder() ? ", locked by " + std::to_string(word.holder().index()) : ", not locked");
}

void reclaim(const Segment& segment) { service_of(segment).reclaim(dying.index, dying.generation); }

}  // namespace

std::vector<Operation> realm_operations() {
    std::vector<Operation> rows;
    const auto add = [&](const char* name, auto setup, auto run) -> Operation& {
        rows.push_back({name, setup, run, realm_contents});
        rows.back().by_service = true;
        rows.back().in_steps = true;  // each for itself
        rows.back().store_to_store = true;  // it looks at all slots
        return rows.back();
    };
    add("realm: reclaim, of somebody who had nothing", realm_world, reclaim);
    const auto with_lock = [](std::uint64_t marks) {
        return [marks](const Segment& segment) {
            realm_world(segment);
            const Sessions sessions(segment);
            (void)LockWord(segment, sessions, realm_lock).acquire(dying_thread, base::Deadline::now(), [] { return false; });
            lock_rep(segment, realm_lock).word |= marks;
        };
    };
    add("realm: reclaim, of a lock's holder", with_lock(0), reclaim);
    add("realm: reclaim, of a lock's holder whom somebody waits for", with_lock(LockWord::waiters), reclaim).sleeps_on =
        lock_word;
    add("realm: reclaim, somebody waits for what the dead had done",
        [](const Segment& segment) {
            realm_world(segment);
            (void)sync::WaitPoint(wait_word(segment)).announce();
        },
        reclaim).sleeps_on = wait_word;
    add("realm: reclaim, of the only holder of two objects",
        [](const Segment& segment) {
            realm_world(segment);
            const ObjectRef first = Directory(segment).create(Kind::dict, dying.index);
            Table(segment, first).set(bytes("large"), {}, bytes(std::string(40'000, 'x')));
            Directory(segment).create(Kind::lock, dying.index);
            Directory(segment).hold(realm_list, dying.index);
        },
        reclaim);
    add("realm: reclaim, of somebody inside a dict", died([](const Segment& segment) {
            const heap::ObjectLock held(segment, realm_dict);
            change_and_die(segment, held.object().domain, heap::root_of<containers::TableRep>(held.object()).size);
        }),
        reclaim);
    add("realm: reclaim, of somebody with an extent in the hand", died([](const Segment& segment) {
            const heap::ObjectLock held(segment, realm_dict);
            heap::Extents(segment).acquire(20'000, realm_dict.id);
            ::_exit(0);
        }),
        reclaim);
    add("realm: reclaim, of somebody who created an object", died([](const Segment& segment) {
            Directory(segment).open_or_create("half", Kind::dict, [](heap::ObjectRep&) { ::_exit(0); });
        }),
        reclaim);
    add("realm: reclaim, of somebody inside the extent table", died([](const Segment& segment) {
            auto& domain = *segment.at<tx::DomainRep>(segment.regions().segment_domain);
            auto& roots = *segment.at<heap::ExtentRootsRep>(segment.regions().extent_roots);
            const tx::DomainLock held(segment, domain, base::Deadline::never());
            change_and_die(segment, domain, roots.pages_used);
        }),
        reclaim);
    add("realm: reclaim, of somebody among the sessions", died([](const Segment& segment) {
            auto& domain = sessions_domain(segment);
            auto& session = *segment.at<sync::SessionRep>(segment.regions().sessions);
            const tx::DomainLock held(segment, domain, base::Deadline::never());
            change_and_die(segment, domain, session.pid);
        }),
        reclaim);
    const auto without_the_dead = [](const Segment& segment) {  // the session that died is sometimes reclaimed, too
        std::string text = realm_contents(segment);
        if (const std::size_t at = text.find(" session 1"); at != std::string::npos) text.erase(at, 10);
        return text;
    };
    add("realm: collect, two that name each other",
        [](const Segment& segment) {
            realm_world(segment);
            Directory directory(segment);
            const ObjectRef a = directory.create(Kind::list, 900u), b = directory.create(Kind::list, 900u);
            directory.note_stored(a, b);
            directory.note_stored(b, a);
            directory.release(a, 900u);
            directory.release(b, 900u);
        },
        [](const Segment& segment) { service_of(segment).collect(true, 1'000'000); }).contents = without_the_dead;
    add("realm: reclaim_dead, two of three",
        [=](const Segment& segment) {
            with_lock(0)(segment);
            Sessions sessions(segment);
            const sync::SessionId other = sessions.claim({1, 1, sync::ProcessIdentity::self().pid_namespace});
            sessions.claim_slot(other, 1);
            Directory(segment).create(Kind::queue, other.index);
        },
        [](const Segment& segment) { service_of(segment).reclaim_dead({}); }).all_dead = true;
    Operation& erased = add("realm: erase, somebody waits for it",
        [](const Segment& segment) {
            realm_world(segment);
            (void)sync::WaitPoint(wait_word(segment)).announce();
        },
        [](const Segment& segment) {
            if (Directory(segment).find_any("dict")) service_of(segment).erase("dict");
        });
    erased.sleeps_on = wait_word;
    erased.contents = without_the_dead;
    return rows;
}

}  // namespace muster::test

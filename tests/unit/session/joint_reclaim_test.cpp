// A slot is not used again while somebody may still ask it what became of its thread's joint transaction.
#include <catch2/catch.hpp>
#include <csignal>

#include "containers/containers.hpp"
#include "session/format.hpp"
#include "session/realm.hpp"
#include "support/child.hpp"
#include "sync/sync.hpp"

using namespace muster;
using test::Child;
using test::Shared;

namespace {

containers::Bytes bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

struct World {
    segment::Segment segment = segment::Segment::create("test", segment::minimum_capacity);
    heap::ObjectRef left, right;
    sync::SessionId dead;
    sync::SlotId slot;

    World() {
        session::format(segment);
        left = containers::Directory(segment).open_or_create("left", heap::Kind::dict, {}).ref;
        right = containers::Directory(segment).open_or_create("right", heap::Kind::dict, {}).ref;
        sync::Sessions sessions(segment);
        const auto self = sync::ProcessIdentity::self();
        dead = sessions.claim({self.pid, self.start_time + 1, self.pid_namespace});
        slot = sessions.claim_slot(dead, self.pid);
        for (const heap::ObjectRef ref : {left, right}) containers::Table(segment, ref).set(bytes("sum"), {}, bytes("before"));
    }
    // Somebody with the session's slot sets both, and dies: before the decision, or right after it.
    void die(bool decided) {
        Child child([&] {
            heap::ObjectLock one(segment, left), two(segment, right);
            tx::Joint joint(segment, slot.index());
            tx::FreedLater later[2];
            joint.mark(one.object().domain);
            joint.mark(two.object().domain);
            tx::Tx first(segment, one.object().domain, later[0]), second(segment, two.object().domain, later[1]);
            heap::Heap heaps[] = {one.heap(), two.heap()};
            containers::Table(segment, left).set_within(first, heaps[0], bytes("sum"), {}, bytes("after!"));
            containers::Table(segment, right).set_within(second, heaps[1], bytes("sum"), {}, bytes("after!"));
            if (decided) joint.decide();
            ::kill(::getpid(), SIGKILL);
            return 0;
        });
        REQUIRE(child.join() == -SIGKILL);
    }
    std::string get(heap::ObjectRef ref) const {
        muster::detail::Buffer out;
        REQUIRE(containers::Table(segment, ref).get(bytes("sum"), out));
        return {reinterpret_cast<const char*>(out.data()), out.size()};
    }
    session::Realm service() const { return session::Realm::adopt(base::UniqueFd(::dup(segment.memfd())), "test"); }
    tx::DomainRep& domain(heap::ObjectRef ref) const { return heap::object_at(segment, ref.id).domain; }
};

}  // namespace

TEST_CASE("the service mends all objects of a joint transaction, and frees the slot") {
    const bool decided = GENERATE(false, true);
    World w;
    w.die(decided);
    const session::ReclaimReport report = w.service().reclaim(w.dead.index, w.dead.generation);
    CHECK(!report.deferred);
    CHECK(report.transactions_rolled_back == 2);
    CHECK(!sync::Sessions(w.segment).is(w.dead));
    CHECK(w.get(w.left) == (decided ? "after!" : "before"));
    CHECK(w.get(w.right) == (decided ? "after!" : "before"));
}

TEST_CASE("while somebody who stands still has an object of the dead to mend, their slot is not free") {
    const bool decided = GENERATE(false, true);
    const bool dies = GENERATE(false, true);
    World w;
    w.die(decided);
    Shared<int> state;
    Child mender([&] {
        // As tx::enter does, but for a pause between the kernel's answer and the mending.
        tx::DomainRep& domain = w.domain(w.right);
        if (domain.mutex.lock() != tx::Acquired::owner_died) return 1;
        __atomic_store_n(&*state, 1, __ATOMIC_SEQ_CST);
        if (!test::eventually([&] { return __atomic_load_n(&*state, __ATOMIC_SEQ_CST) == 2; })) return 2;
        if (!tx::recover(w.segment, domain) || !domain.mutex.mark_consistent()) return 3;
        domain.mutex.unlock();
        return 0;
    });
    REQUIRE(test::eventually([&] { return __atomic_load_n(&*state, __ATOMIC_SEQ_CST) == 1; }));
    session::Realm service = w.service();
    CHECK(service.reclaim(w.dead.index, w.dead.generation).deferred);
    CHECK(sync::Sessions(w.segment).is(w.dead));
    CHECK(sync::Sessions(w.segment).has_slot(w.dead, w.slot.index()));
    // Nobody can get the slot, let alone decide under another number.
    const sync::SessionId other = sync::Sessions(w.segment).claim(sync::ProcessIdentity::self());
    CHECK(sync::Sessions(w.segment).claim_slot(other, 1).index() != w.slot.index());
    if (dies) {
        mender.kill(SIGKILL);
        CHECK(mender.join() == -SIGKILL);
    } else {
        __atomic_store_n(&*state, 2, __ATOMIC_SEQ_CST);
        CHECK(mender.join() == 0);
    }
    CHECK(!service.reclaim(w.dead.index, w.dead.generation).deferred);
    CHECK(!sync::Sessions(w.segment).is(w.dead));
    CHECK(w.get(w.left) == (decided ? "after!" : "before"));
    CHECK(w.get(w.right) == (decided ? "after!" : "before"));
    CHECK(w.domain(w.right).joint_slot == 0);
}

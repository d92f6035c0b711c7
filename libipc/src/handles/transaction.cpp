#include "handles/transaction.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>

#include <muster/array.hpp>
#include <muster/dict.hpp>
#include <muster/list.hpp>
#include <muster/queue.hpp>

#include "handles/realm.hpp"

namespace muster::detail {
namespace {

// While it waits for one object it keeps others for so long at most.
constexpr std::chrono::milliseconds hold_while_waiting{20};
// After so many runs it pauses before the next one, longer each time up to a limit.
constexpr unsigned runs_without_pause = 3, longest_pause_bits = 10;

// As `guarded`, for what a transaction may throw besides.
template <typename Fn>
decltype(auto) guarded_all(const ObjectState& state, Fn&& fn) {
    try {
        return guarded(state, in_transact, fn);
    } catch (const tx::LogFull&) {
        throw Error(Errc::limit_exceeded, in_transact, state.subject(),
                    "too many changes of it in one transaction; make several of it");
    } catch (const containers::TooManyItems&) {
        throw Error(Errc::limit_exceeded, in_transact, state.subject(),
                    "a list has at most " + std::to_string(containers::max_items) + " elements");
    }
}

}  // namespace

Work::Work(TransactionCore& core, std::shared_ptr<ObjectState> state) : core_(core), state_(std::move(state)) {}
const segment::Segment& Work::segment() const { return core_.segment(); }
tx::DomainRep& Work::domain() const { return heap::object_at(segment(), ref().id).domain; }

bool Work::hold(Bytes value) {
    if (!may_hold_handles(value)) return true;
    if (kept_ == nullptr) kept_ = std::make_shared<Kept>(state_->session);
    return kept_->hold(value);
}

void Work::give(std::string_view value, Buffer& out) {
    std::byte* at = out.resize(value.size());
    if (!value.empty()) std::memcpy(at, value.data(), value.size());
    if (!may_hold_handles(out.bytes())) return;
    (void)hold(out.bytes());  // what was read is held already, what is going to be written by its Entering
    out.set_origin(kept_);
}

Work* TransactionCore::find(const ObjectState& state) {
    if (state.session->segment().header().instance != segment().header().instance)
        throw Error(Errc::invalid_argument, in_transact, state.subject(), "it is an object of another realm");
    for (const auto& work : works_) {
        if (work->ref() == state.ref) return work.get();
        if (work->ref().id == state.ref.id)  // of two objects in one place the older one is gone
            throw Error(Errc::destroyed, in_transact,
                        (work->ref().generation < state.ref.generation ? work->state() : state).subject());
    }
    if (works_.size() == tx::Joint::most)
        throw Error(Errc::limit_exceeded, in_transact, state.subject(),
                    "a transaction is over " + std::to_string(tx::Joint::most) + " objects at most");
    return nullptr;
}

void TransactionCore::look_at_all() {
    constexpr int patience = 16;
    const auto same = [](const Work& work) { return !work.seen || tx::unchanged_since(work.domain(), work.sequence); };
    for (int i = 0; i < patience; ++i) {
        bool all = true;
        for (const auto& work : works_) {
            if (same(*work)) continue;
            all = false;
            const std::uint64_t now = tx::sequence_of(work->domain());
            if (now % 2 != 0) {
                base::relax();
                continue;
            }
            const bool still = guarded_all(work->state(), [&] { return work->still_so(false); });
            if (!tx::unchanged_since(work->domain(), now)) continue;
            if (!still) conflict();
            work->sequence = now;
        }
        if (all) return;  // each was still as it was read when the first one was looked at
    }
    // They change all the time.
    Locks locks;
    const std::vector<Work*> works = in_order();
    lock(works, locks);
    for (Work* work : works) {
        if (!work->seen || same(*work)) continue;
        if (!guarded_all(work->state(), [&] { return work->still_so(true); })) conflict();
        work->sequence = tx::sequence_of(work->domain());
    }
}

std::vector<Work*> TransactionCore::in_order() const {
    std::vector<Work*> works;
    for (const auto& work : works_) works.push_back(work.get());
    std::sort(works.begin(), works.end(), [](const Work* a, const Work* b) { return a->ref().id < b->ref().id; });
    return works;
}

void TransactionCore::lock(const std::vector<Work*>& works, Locks& locks) {
    for (std::size_t i = 0; i < works.size();) {
        const bool got = guarded_all(works[i]->state(), [&] {
            try {
                locks[i].emplace(segment(), works[i]->ref(),
                                 i == 0 ? segment().lock_deadline() : base::Deadline::after(hold_while_waiting));
                return true;
            } catch (const tx::Busy&) {
                if (i == 0) throw;
            }
            for (auto& held : locks) held.reset();
            wait_for(*works[i]);
            return false;
        });
        i = got ? i + 1 : 0;
    }
}

void TransactionCore::change(const std::vector<Work*>& works, Locks& locks) {
    std::vector<Work*> changed;
    std::vector<heap::ObjectLock*> held;
    for (std::size_t i = 0; i < works.size(); ++i) {
        if (!works[i]->changes()) continue;
        changed.push_back(works[i]);
        held.push_back(&*locks[i]);
    }
    for (Work* work : changed) guarded_all(work->state(), [&] { work->check(); });
    std::size_t at = 0;
    const std::uint32_t slot = session_->slot().index();
    try {
        for (; at < changed.size(); ++at) changed[at]->prepare(*held[at]);
        heap::mutate_together(held, slot, at, [&](std::size_t i, tx::Tx& tx, heap::Heap& heap) { changed[i]->apply(tx, heap); });
    } catch (...) {
        for (std::size_t i = 0; i < changed.size(); ++i) changed[i]->undo(*held[i]);
        guarded_all(changed[std::min(at, changed.size() - 1)]->state(), [] { throw; });
    }
    for (std::size_t i = 0; i < changed.size(); ++i) changed[i]->done(*held[i]);
}

bool TransactionCore::commit() {
    if (doomed_) return false;
    const std::vector<Work*> works = in_order();
    // What was read was all so when the last of it was read: that is when it happened.
    if (std::none_of(works.begin(), works.end(), [](const Work* work) { return work->changes(); })) return true;
    (void)session_->slot();  // may have to claim one
    {
        Locks locks;
        lock(works, locks);
        for (Work* work : works) {
            if (!work->seen || tx::sequence_of(work->domain()) == work->sequence) continue;
            if (!guarded_all(work->state(), [&] { return work->still_so(true); })) return false;
        }
        change(works, locks);
    }
    for (Work* work : works)
        if (work->changes()) work->wake();
    return true;
}

void TransactionCore::again() {
    works_.clear();
    doomed_ = false;
    if (++attempt_ <= runs_without_pause) return;
    thread_local std::minstd_rand random(std::random_device{}());
    const unsigned bits = std::min(attempt_ - runs_without_pause, longest_pause_bits);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % (1u << bits)));
}

TransactionBase::TransactionBase(const Realm& realm) : core_(std::make_unique<TransactionCore>(realm.session())) {}
TransactionBase::~TransactionBase() = default;
TableWork& TransactionBase::part(const DictBase& handle) { return core_->part<TableWork>(static_cast<const Handle&>(handle).state_); }
ListWork& TransactionBase::part(const ListBase& handle) { return core_->part<ListWork>(static_cast<const Handle&>(handle).state_); }
QueueWork& TransactionBase::part(const QueueBase& handle) { return core_->part<QueueWork>(static_cast<const Handle&>(handle).state_); }
ArrayWork& TransactionBase::part(const ScalarsBase& handle) { return core_->part<ArrayWork>(static_cast<const Handle&>(handle).state_); }
bool TransactionBase::commit() { return core_->commit(); }
void TransactionBase::again() { core_->again(); }
unsigned TransactionBase::attempt() const noexcept { return core_->attempt(); }

}  // namespace muster::detail

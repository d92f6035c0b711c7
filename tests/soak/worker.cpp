#include "soak/worker.hpp"

#include <unistd.h>

#include <thread>

namespace muster::soak {
namespace {

// Until all go on. False: told to stop.
bool park(Block& block, Page& page) {
    page.parked.store(true);
    while (block.pause.load() && !block.stop.load())
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    page.parked.store(false);
    return !block.stop.load();
}

Attached attach(Page& page, const std::string& address) {
    const Doing doing(page, Op::manager_connect);
    return Attached(address);
}

struct Work {
    World world;
    OwnObjects own;
    StoreWork stores;
    SumWork sums;
    SyncWork syncs;
    OwnWork owns;
    ErrandWork errands;
    explicit Work(Context& context)
        : world(open_world(context.realm.manager)),
          own(open_own(context.realm.manager, context.index)),
          stores(context, world),
          sums(context, world),
          syncs(context, world),
          owns(context, own),
          errands(context, world) {}
};

void break_something(Context& context, Work& work) {
    Block& block = context.block;
    if (block.sabotaged(Sabotage::count))
        work.world.counters.update(0, [](auto n) { return n.value_or(0) + 1; });
    if (block.sabotaged(Sabotage::money))
        work.world.shard[0].update(0, [](auto n) { return n.value_or(0) + 5; });
    if (block.sabotaged(Sabotage::lose)) {
        // Into a store and out of it again, and nobody notes the taking. More than the dead may have taken.
        for (int i = 0; i < 2000; ++i) context.page.put[mail][context.page.next[mail]++] = Put::done;
    }
    if (block.sabotaged(Sabotage::twice)) {
        const ItemId id{block.round.load(), mail, context.index, context.page.next[mail]++};
        context.page.put[mail][id.number] = Put::done;
        for (int i = 0; i < 8; ++i) work.world.mail.put(text_of(id.packed()));
    }
    if (block.sabotaged(Sabotage::torn)) {
        // More than one: who takes it may be killed before telling of it, and then only the tasks are out of step.
        for (int i = 0; i < 8; ++i) work.world.mail.put("no text of any item");
    }
    if (block.sabotaged(Sabotage::permit)) {  // taken, and nobody's
        work.world.permits.acquire();
        work.world.permits.disown(1);
    }
    if (block.sabotaged(Sabotage::coin)) work.world.till.pile.put(1);
    if (block.sabotaged(Sabotage::leak)) (void)context.realm.manager.dict("soak left over");
    if (block.sabotage.load() == Sabotage::asleep &&
        context.index == 0) {  // each time, until it is waited for
        const Doing doing(context.page, Op::queue_get);
        for (;;) ::pause();
    }
}

void run(Context& context) {
    std::uint32_t made = context.block.world.load();
    auto work = std::make_unique<Work>(context);
    settle_own(work->own, context.index, context.page);
    for (;;) {
        if (context.block.pause.load(std::memory_order_acquire)) {
            if (context.block.sabotaged(Sabotage::hold)) work->world.ledger.lock();
            if (!park(context.block, context.page)) return;
            if (context.block.world.load() != made) {
                made = context.block.world.load();
                work = std::make_unique<Work>(context);
            }
        }
        if (context.block.stop.load(std::memory_order_relaxed)) return;
        if (context.block.sabotage.load(std::memory_order_relaxed) != Sabotage::none)
            break_something(context, *work);
        const std::uint64_t kind = context.random.below(100);
        if (kind < 32) {
            work->stores.act();
        } else if (kind < 49) {
            work->sums.act();
        } else if (kind < 66) {
            work->syncs.act();
        } else if (kind < 95) {
            work->owns.act();
        } else {
            work->errands.act();
        }
    }
}

}  // namespace

int work(Block& block, unsigned index, const std::string& address, std::uint64_t seed,
         const Attached* inherited) {
    Page& page = block.pages[index];
    try {
        // Born into a pause: the parts of the world are being looked at, or made anew.
        if (block.pause.load() && !park(block, page)) return 0;
        Context context{block, index, page, test::Random(seed),
                        inherited != nullptr ? *inherited : attach(page, address)};
        run(context);
        return 0;
    } catch (const std::exception& error) {
        block.violate("worker " + std::to_string(index) + ", " + name_of(page.op.load()) + ": " +
                      error.what());
        return 3;
    }
}

}  // namespace muster::soak

#include <unistd.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "soak/worker.hpp"

namespace muster::soak {

void SumWork::act() {
    const std::uint64_t kind = context_.random.below(15);
    if (kind < 3) {
        count();
    } else if (kind < 4) {
        count_by_counter();
    } else if (kind < 5) {
        count_in_namespace();
    } else if (kind < 7) {
        count_under_lock();
    } else if (kind < 10) {
        transfer();
    } else if (kind < 12) {
        transfer_together();
    } else {
        move_coins();
    }
}

void SumWork::count() {
    const auto key = static_cast<std::uint32_t>(context_.random.below(counters));
    const auto one_more = [](std::optional<std::int64_t> n) { return n.value_or(0) + 1; };
    switch (context_.random.below(5)) {
        case 4: {
            const Doing doing(context_.page, Op::dict_increment);
            Adding adding(context_.page.counted[key]);
            world_.counters.increment(key);
            return adding.done();
        }
        case 0: {
            const Doing doing(context_.page, Op::dict_update);
            Adding adding(context_.page.counted[key]);
            world_.counters.update(key, one_more);
            return adding.done();
        }
        case 1: {
            const auto before = world_.counters.get(key);
            const Doing doing(context_.page, Op::dict_compare_and_set);
            Adding adding(context_.page.counted[key]);
            if (world_.counters.compare_and_set(key, before, before.value_or(0) + 1)) adding.done();
            return;
        }
        case 2: {
            const Doing doing(context_.page, Op::dict_setdefault);
            if (world_.counters.setdefault(key, -1'000'000) < 0)
                throw Broken("a key that nobody erases stays", "counters has lost " + std::to_string(key));
            return;
        }
        default: {
            const unsigned element = key % elements;
            const Doing doing(context_.page, Op::list_update);
            Adding adding(context_.page.counted_in_list[element]);
            world_.counting.update(element, [](std::int64_t n) { return n + 1; });
            adding.done();
        }
    }
}

void SumWork::count_by_counter() {
    const auto key = static_cast<std::uint32_t>(context_.random.below(counters));
    auto& tallies = context_.page.counted_by_counter;
    switch (context_.random.below(5)) {
        case 0:
        case 1: {
            const Doing doing(context_.page, Op::counter_increment);
            Adding adding(tallies[key]);
            world_.counter.increment(key);
            return adding.done();
        }
        case 2: {  // one after the other
            const std::uint32_t other = (key + 1) % counters;
            const Doing doing(context_.page, Op::counter_update);
            Adding adding(tallies[key]), adding_other(tallies[other]);
            world_.counter.update(std::vector{key, other});
            adding_other.done();
            return adding.done();
        }
        case 3: {
            const Doing doing(context_.page, Op::counter_get);
            const std::int64_t before = world_.counter.get(key);
            if (world_.counter.get(key) < before)
                throw Broken("a count that grows does not shrink", "counter");
            return;
        }
        default: {
            const auto common = [&] {
                const Doing doing(context_.page, Op::counter_most_common);
                return world_.counter.most_common(3);
            }();
            const Doing doing(context_.page, Op::counter_total);
            std::int64_t least = 0;
            for (const auto& [of, count] : common) least += count;
            if (world_.counter.total() < least)
                throw Broken("a count that grows does not shrink", "counter's total");
        }
    }
}

void SumWork::count_in_namespace() {
    const auto which = static_cast<unsigned>(context_.random.below(attributes));
    auto& space = world_.space;
    switch (context_.random.below(4)) {
        case 0: {
            const Doing doing(context_.page, Op::namespace_update);
            Adding adding(context_.page.counted_in_namespace[which]);
            space[attribute_name(which)] += std::int64_t{1};
            return adding.done();
        }
        case 1: {  // an attribute of its own, of another type each time
            const std::string mine = "of " + std::to_string(context_.index);
            const std::string text = text_of(own_id(context_.index, Own::count, which));
            {
                const Doing doing(context_.page, Op::namespace_set);
                space.set(mine, text);
            }
            {
                const Doing doing(context_.page, Op::namespace_get);
                if (space.get<std::string>(mine) != text)
                    throw Broken("every value is whole", "namespace, " + mine);
            }
            const Doing doing(context_.page, Op::namespace_erase);
            return space.erase(mine);
        }
        case 2: {
            const Doing doing(context_.page, Op::namespace_get);
            const std::int64_t count = space[attribute_name(which)];
            if (count < 0) throw Broken("a count that grows does not shrink", attribute_name(which));
            return;
        }
        default: {
            const Doing doing(context_.page, Op::namespace_snapshot);
            const auto all = space.snapshot();
            const auto names = space.attributes();
            if (all.size() < attributes || names.size() < attributes || !space.has(attribute_name(which)))
                throw Broken("a key that nobody erases stays",
                             "the namespace has " + std::to_string(names.size()));
        }
    }
}

bool SumWork::enter(detail::BasicLock& lock, LockState& state, bool& inherited) {
    const auto wait = std::chrono::microseconds(context_.random.below(20'000));
    const auto timed = [&](Op op, const auto& acquire) {
        const Doing doing(context_.page, op);
        return acquire();
    };
    bool entered = false;
    switch (context_.random.below(5)) {
        case 0:
            entered = timed(Op::lock_try_lock, [&] { return lock.try_lock(); });
            break;
        case 1:
            entered = timed(Op::lock_try_lock_for, [&] { return lock.try_lock_for(wait); });
            break;
        case 2:
            entered = timed(Op::lock_try_lock_until,
                            [&] { return lock.try_lock_until(std::chrono::steady_clock::now() + wait); });
            break;
        default:
            entered = timed(Op::lock_lock, [&] { return lock.lock(), true; });
    }
    if (!entered) return false;
    inherited = lock.previous_owner_died();
    const auto owner = lock.owner();
    const std::uint64_t token = lock.token();
    if (state.holder != 0 && !inherited)
        throw Broken("one holds a lock, and the next one hears of its death",
                     lock.name() + " has worker " + std::to_string(state.holder - 1) + " in it since token " +
                         std::to_string(state.token) + ", now it is " + std::to_string(token));
    if (!owner || owner->pid != ::getpid()) throw Broken("a lock's owner is who holds it", lock.name());
    if (token <= state.token)
        throw Broken("a lock's token grows", lock.name() + " at " + std::to_string(token));
    state.holder = context_.index + 1;
    state.token = token;
    if (context_.chance(16))
        std::this_thread::sleep_for(std::chrono::microseconds(context_.random.below(300)));
    return true;
}

void SumWork::leave(detail::BasicLock& lock, LockState& state) {
    if (state.holder != context_.index + 1) throw Broken("one holds a lock", lock.name());
    state.holder = 0;
    const Doing doing(context_.page, Op::lock_unlock);
    lock.unlock();
}

void SumWork::count_under_lock() {
    const auto key = static_cast<std::uint32_t>(context_.random.below(guarded));
    bool inherited = false;
    if (!enter(world_.ledger, context_.block.ledger, inherited)) return;
    {
        const std::scoped_lock again(world_.ledger);  // a second level
        Adding adding(context_.page.counted_under_lock[key]);
        std::int64_t before = 0;
        {
            const Doing doing(context_.page, Op::dict_at);
            before = world_.guarded.at(key);
        }
        const Doing doing(context_.page, Op::dict_set);
        world_.guarded.set(key, before + 1);
        adding.done();
    }
    leave(world_.ledger, context_.block.ledger);
}

void SumWork::repair(bool inherited) {
    if (!inherited && !world_.journal.empty())
        throw Broken("a lock that a living owner passed on", "the transfer that it guards is half done");
    mend_bank(world_);
}

void mend_bank(World& world) {
    const auto open = world.journal.get("transfer");
    if (!open) return;
    const auto& [from, from_account, to, to_account, from_after, to_after] = *open;
    world.shard.at(from).set(from_account, from_after);
    world.shard.at(to).set(to_account, to_after);
    world.journal.erase("transfer");
}

std::int64_t money_in(const World& world) {
    std::int64_t sum = 0;
    for (const auto& shard : world.shard)
        for (const std::int64_t money : shard.values()) sum += money;
    return sum;
}

void SumWork::transfer() {
    bool inherited = false;
    if (!enter(world_.bank, context_.block.bank, inherited)) return;
    repair(inherited);
    if (inherited || context_.chance(20)) {
        const Doing doing(context_.page, Op::dict_values);
        if (const std::int64_t sum = money_in(world_); sum != total_money)
            throw Broken("transfers move money and make none",
                         "the bank has " + std::to_string(sum) + ", not " + std::to_string(total_money));
    }
    const auto from = static_cast<unsigned>(context_.random.below(shards)), to = (from + 1) % shards;
    const auto from_account = static_cast<unsigned>(context_.random.below(accounts));
    const auto to_account = static_cast<unsigned>(context_.random.below(accounts));
    const auto amount = static_cast<std::int64_t>(context_.random.below(100));
    const std::int64_t from_after = world_.shard[from].at(from_account) - amount;
    const std::int64_t to_after = world_.shard[to].at(to_account) + amount;
    {
        const Doing doing(context_.page, Op::dict_set);
        world_.journal.set("transfer", {from, from_account, to, to_account, from_after, to_after});
    }
    {
        const Doing doing(context_.page, Op::dict_set);
        world_.shard[from].set(from_account, from_after);
    }
    {
        const Doing doing(context_.page, Op::dict_set);
        world_.shard[to].set(to_account, to_after);
    }
    {
        const Doing doing(context_.page, Op::dict_erase);
        world_.journal.erase("transfer");
    }
    leave(world_.bank, context_.block.bank);
}

std::int64_t money_in_vaults(const Manager& manager, const World& world) {
    return manager.transact([&](Transaction& t) {
        std::int64_t sum = 0;
        for (const auto& vault : world.vault) {
            auto money = t(vault);
            for (unsigned i = 0; i < accounts; ++i) sum += money.at(i);
        }
        return sum;
    });
}

// Two dicts and a counter in one transaction, by nobody's leave.
void SumWork::transfer_together() {
    if (context_.chance(6)) {
        const Doing doing(context_.page, Op::manager_transact_read);
        if (const std::int64_t sum = money_in_vaults(context_.realm.manager, world_); sum != total_in_vaults)
            throw Broken("transactions move money and make none",
                         "the vaults have " + std::to_string(sum) + ", not " + std::to_string(total_in_vaults));
    }
    const auto from = static_cast<unsigned>(context_.random.below(vaults)), to = (from + 1) % vaults;
    const auto from_account = static_cast<unsigned>(context_.random.below(accounts));
    const auto to_account = static_cast<unsigned>(context_.random.below(accounts));
    const auto amount = static_cast<std::int64_t>(context_.random.below(100));
    const Doing doing(context_.page, Op::manager_transact);
    Adding adding(context_.page.transfers[0]);
    context_.realm.manager.transact([&](Transaction& t) {
        auto source = t(world_.vault[from]), target = t(world_.vault[to]);
        source.set(from_account, source.at(from_account) - amount);
        target.set(to_account, target.at(to_account) + amount);
        t(world_.receipts).increment(0);
    });
    adding.done();
}

}  // namespace muster::soak

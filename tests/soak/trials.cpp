// Objects that one process makes, tries and lets go: what would disturb the others on those that all share.
#include <chrono>

#include "soak/worker.hpp"

namespace muster::soak {

using namespace std::chrono_literals;

namespace {

void expect(Op op, bool holds) {
    if (!holds) throw Broken("an object that nobody else has is as it was left", name_of(op));
}

}  // namespace

void ErrandWork::with_table() {
    const Manager& manager = context_.realm.manager;
    const auto number = static_cast<std::uint32_t>(context_.random.below(100));
    auto set = manager.set<std::uint32_t>();
    set.update({number, number + 1, number + 2});
    {
        const Doing doing(context_.page, Op::set_clear);
        set.clear();
        expect(Op::set_clear, set.empty() && !set.contains(number));
    }
    auto counter = manager.counter<std::string>();
    const std::string key = text_of(own_id(context_.index, Own::count, number)).substr(0, 1000);
    {
        const Doing doing(context_.page, Op::counter_set);
        counter.set(key, number);
        expect(Op::counter_set, counter.increment(key, -5) == std::int64_t{number} - 5);
    }
    const Doing doing(context_.page, Op::counter_erase);
    expect(Op::counter_erase, counter.erase(key) && counter.get(key) == 0 && !counter.erase(key));
}

void ErrandWork::with_numbers() {
    const Manager& manager = context_.realm.manager;
    const auto number = static_cast<std::int64_t>(context_.random.below(1000));
    auto value = manager.value<std::int64_t>(number);
    {
        const Doing doing(context_.page, Op::value_exchange);
        expect(Op::value_exchange, value.exchange(number + 1) == number);
    }
    {
        const Doing doing(context_.page, Op::value_compare_exchange);
        std::int64_t wrong = number;
        expect(Op::value_compare_exchange, !value.compare_exchange(wrong, 0) && wrong == number + 1 &&
                                               value.compare_exchange(wrong, 0) && value.get() == 0);
    }
    std::vector<std::int64_t> numbers(1 + context_.random.below(300),
                                      number);  // more than a log holds, sometimes
    auto array = manager.array<std::int64_t>(numbers.size());
    {
        const Doing doing(context_.page, Op::array_assign);
        array.assign(0, numbers);
        expect(Op::array_assign, array.snapshot() == numbers);
    }
    const Doing doing(context_.page, Op::array_update);
    array.update([](std::span<std::int64_t> all) {
        for (std::int64_t& one : all) ++one;
    });
    for (std::int64_t& one : numbers) ++one;
    expect(Op::array_update, array.snapshot() == numbers);
}

// An item that fails as often as may be, is tried again, and is dropped.
void ErrandWork::with_dead_letters() {
    auto queue = context_.realm.manager.queue<std::string>({.max_deliveries = 1});
    const std::string text =
        text_of(own_id(context_.index, Own::count, static_cast<std::uint32_t>(context_.random.below(1000))));
    queue.put_many({text, text});
    const auto fail = [&] {
        const Doing doing(context_.page, Op::queue_nack);
        queue.get_leased().nack();
    };
    fail();
    {
        const Doing doing(context_.page, Op::queue_retry_dead);
        expect(Op::queue_retry_dead, queue.retry_dead_letters() == 1 && queue.size() == 2);
    }
    fail();
    const Doing doing(context_.page, Op::queue_drop_dead);
    const auto letters = queue.dead_letters();
    expect(Op::queue_drop_dead,
           letters.size() == 1 && letters[0].value == text && letters[0].deliveries == 1);
    expect(Op::queue_drop_dead,
           queue.drop_dead_letters() == 1 && queue.size() == 1 && queue.unfinished() == 1);
}

// A hold that is ended, and a barrier that is broken.
void ErrandWork::with_force() {
    const Manager& manager = context_.realm.manager;
    auto lock = manager.lock();
    lock.lock();
    const std::uint64_t token = lock.token();
    {
        const Doing doing(context_.page, Op::lock_break);
        expect(Op::lock_break, lock.break_lock() && !lock.break_lock());
    }
    lock.lock();
    expect(Op::lock_break, lock.previous_owner_died() && lock.token() > token);
    lock.unlock();
    auto gate = manager.barrier(2);
    {
        const Doing doing(context_.page, Op::barrier_abort);
        gate.abort();
        expect(Op::barrier_abort, gate.broken());
    }
}

// What is ready among several; an event that nobody sets is not.
void ErrandWork::with_several() {
    const auto event = context_.realm.manager.event();
    const Doing doing(context_.page, Op::manager_wait_any);
    for (const std::size_t ready : wait_any_for({world_.mail, world_.flag, event}, 1ms))
        expect(Op::manager_wait_any, ready < 2);
}

}  // namespace muster::soak

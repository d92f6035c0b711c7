// Semaphores, an event, a barrier, a condition, a pipe, and numbers.
#include <chrono>
#include <thread>

#include "soak/worker.hpp"

namespace muster::soak {

using namespace std::chrono_literals;

void SyncWork::act() {
    switch (context_.random.below(12)) {
        case 0:
        case 1:
            return with_permits();
        case 2:
        case 3:
            return in_slots();
        case 4:
            return at_flag();
        case 5:
        case 6:
            return at_gate();
        case 7:
            return make_credit();
        case 8:
        case 9:  // more than are made: so most wait
            return use_credit();
        case 10:
            return in_numbers();
        default:
            return through_pipe();
    }
}

// Kept until the next time, whatever it does meanwhile: so nobody waits for one without a limit.
void SyncWork::with_permits() {
    auto& permits = world_.permits;
    auto& mine = context_.page.permits;
    if (context_.chance(4)) {
        const Doing doing(context_.page, Op::semaphore_held);
        if (permits.held() != mine.load())
            throw Broken("a process has the permits that it took", std::to_string(permits.held()) + ", not " +
                                                                        std::to_string(mine.load()));
    }
    if (mine.load() != 0) {
        const Doing doing(context_.page, Op::semaphore_release);
        permits.release();
        mine.store(0);
    } else if (context_.chance(2)) {
        const Doing doing(context_.page, Op::semaphore_try_acquire);
        if (permits.try_acquire()) mine.store(1);
    } else {
        const auto wait = std::chrono::microseconds(context_.random.below(5000));
        const Doing doing(context_.page, Op::semaphore_try_acquire_for);
        if (permits.try_acquire_for(wait)) mine.store(1);
    }
}

// A bounded one: one release too many would throw.
void SyncWork::in_slots() {
    {
        const Doing doing(context_.page, Op::semaphore_acquire);
        world_.slots.acquire();
    }
    if (context_.chance(8)) std::this_thread::sleep_for(std::chrono::microseconds(context_.random.below(500)));
    const Doing doing(context_.page, Op::semaphore_release);
    world_.slots.release();
}

// The controller sets it every now and then.
void SyncWork::at_flag() {
    auto& flag = world_.flag;
    switch (context_.random.below(5)) {
        case 0: {
            const Doing doing(context_.page, Op::event_set);
            return flag.set();
        }
        case 1:
        case 2: {
            const Doing doing(context_.page, Op::event_clear);
            return flag.clear();
        }
        case 3: {
            const Doing doing(context_.page, Op::event_wait);
            return flag.wait();
        }
        default: {
            const Doing doing(context_.page, Op::event_wait_for);
            (void)flag.wait_for(std::chrono::microseconds(context_.random.below(5000)));
        }
    }
}

// The one who has the action notes that a round begins; whoever passes, that it has.
void SyncWork::at_gate() {
    Page& page = context_.page;
    Barrier gate = world_.gate;
    bool runs = false;
    gate.set_action([&] {
        runs = true;
        page.rounds.meant.fetch_add(1);
    });
    Adding passing(page.passes);
    try {
        std::size_t index = 0;
        if (context_.chance(2)) {
            const Doing doing(page, Op::barrier_wait);
            index = gate.wait();
        } else {
            const Doing doing(page, Op::barrier_wait_for);
            index = gate.wait_for(std::chrono::microseconds(context_.random.below(20'000)));
        }
        passing.done();
        if (runs) page.rounds.done.fetch_add(1);
        if (index >= gate_parties) throw Broken("a barrier lets on whole rounds", "index " + std::to_string(index));
    } catch (const Error& error) {
        if (error.errc() != Errc::broken_barrier) throw;
        const Doing doing(page, Op::barrier_reset);
        gate.reset();
    }
}

void tell_for_the_dead(World& world) {
    if (world.news.previous_owner_died()) world.news.notify_all();
}

void SyncWork::enter_news() {
    const Doing doing(context_.page, Op::condition_lock);
    world_.news.lock();
    tell_for_the_dead(world_);
}
void SyncWork::leave_news() {
    const Doing doing(context_.page, Op::condition_unlock);
    world_.news.unlock();
}

void SyncWork::make_credit() {
    enter_news();
    {
        Adding making(context_.page.made);
        world_.credits.set(world_.credits.get() + 1);
        making.done();
    }
    {
        const Doing doing(context_.page, Op::condition_notify);
        world_.news.notify();
    }
    leave_news();
}

// Whoever waits without a limit gets one: each that is made is told to one, and what the dead were told goes on.
void SyncWork::use_credit() {
    enter_news();
    const auto there = [&] {
        tell_for_the_dead(world_);
        return world_.credits.get() > 0;
    };
    bool has = true;
    if (context_.chance(2)) {
        const Doing doing(context_.page, Op::condition_wait);
        world_.news.wait(there);
    } else {
        const auto wait = std::chrono::microseconds(context_.random.below(5000));
        const Doing doing(context_.page, Op::condition_wait_for);
        has = world_.news.wait_for(wait, there);
    }
    if (has) {
        Adding using_it(context_.page.used);
        const std::int64_t before = world_.credits.get();
        if (before <= 0) throw Broken("who was let on finds what it waited for", std::to_string(before) + " credits");
        world_.credits.set(before - 1);
        using_it.done();
    }
    leave_news();
}

void SyncWork::in_numbers() {
    switch (context_.random.below(4)) {
        case 0: {
            const Doing doing(context_.page, Op::value_fetch_add);
            Adding adding(context_.page.counted_in_value[0]);
            world_.value.fetch_add(1);
            return adding.done();
        }
        case 1: {
            const auto element = static_cast<unsigned>(context_.random.below(elements));
            const Doing doing(context_.page, Op::array_fetch_add);
            Adding adding(context_.page.counted_in_array[element]);
            world_.array.fetch_add(static_cast<Index>(element), 1);
            return adding.done();
        }
        case 2: {  // under the array's own lock, which others may die with
            const auto element = context_.random.below(elements);
            const Doing doing(context_.page, Op::array_with_lock);
            Adding adding(context_.page.counted_in_array[element]);
            world_.array.with_lock([&](std::span<std::int64_t> all) { ++all[element]; });
            return adding.done();
        }
        default: {
            const Doing doing(context_.page, Op::array_slice);
            for (const std::int64_t count : world_.array.snapshot())
                if (count < 0) throw Broken("a count that grows does not shrink", "array");
        }
    }
}

// Its both ends: what goes in comes out, whole and in order, and then the end.
void SyncWork::through_pipe() {
    const auto ends = [&] {
        const Doing doing(context_.page, Op::pipe_make);
        return context_.realm.manager.pipe<std::string>(context_.chance(2), 4);
    }();
    const auto& [reads, writes] = ends;
    const std::uint64_t count = context_.random.below(5);
    const auto text = [&](std::uint64_t i) {
        return text_of(own_id(context_.index, Own::count, static_cast<std::uint32_t>(i)));
    };
    for (std::uint64_t i = 0; i < count; ++i) {
        const Doing doing(context_.page, Op::pipe_send);
        writes.send(text(i));
    }
    {
        const Doing doing(context_.page, Op::pipe_close);
        Connection<std::string>(writes).close();
    }
    const Doing doing(context_.page, Op::pipe_recv);
    for (std::uint64_t i = 0; i < count; ++i)
        if (reads.recv() != text(i)) throw Broken("every value is whole", "a pipe");
    try {
        if (reads.try_recv()) throw Broken("what was sent is received once", "a pipe");
    } catch (const Error& error) {
        if (error.errc() != Errc::end_of_file) throw;
    }
}

}  // namespace muster::soak

// Transactions over objects of every kind that can take part in one.
#include "soak/worker.hpp"

namespace muster::soak {
namespace {

enum Place : unsigned { line, pile, sorted, purse, hoard, place_count };

// What is drawn before the transaction, which may run more than once.
struct Move {
    Place from, to;
    std::int64_t amount;
    std::ptrdiff_t from_index, to_index;
    bool whole;  // an element that comes or goes
    std::uint32_t member;
};

TransactionQueue<std::int64_t> queue_of(Transaction& t, const Till& till, Place place) {
    return t(place == line ? till.line : place == pile ? till.pile : till.sorted);
}

// 0: there is nothing to take.
std::int64_t taken(Transaction& t, const Till& till, const Move& move) {
    if (move.from < purse) return queue_of(t, till, move.from).try_get().value_or(0);
    if (move.from == purse) {
        auto numbers = t(till.purse);
        if (numbers.get(move.from_index) < move.amount) return 0;
        numbers.update(move.from_index, [&](std::int64_t n) { return n - move.amount; });
        return move.amount;
    }
    auto numbers = t(till.hoard);
    if (move.whole) return numbers.size() > static_cast<std::size_t>(purses) ? numbers.pop() : 0;
    const std::int64_t there = numbers.at(move.from_index);
    if (there < move.amount) return 0;
    numbers.set(move.from_index, there - move.amount);
    return move.amount;
}

void put(Transaction& t, const Till& till, const Move& move, std::int64_t coin) {
    if (move.to < purse) return queue_of(t, till, move.to).put(coin);
    if (move.to == purse) return t(till.purse).set(move.to_index, t(till.purse).get(move.to_index) + coin);
    auto numbers = t(till.hoard);
    if (move.whole) return numbers.push_back(coin);
    numbers.set(move.to_index, numbers.at(move.to_index) + coin);
}

void move_member(Transaction& t, const Till& till, std::uint32_t member) {
    auto here = t(till.here), there = t(till.there);
    if (here.discard(member)) {
        if (!there.add(member))
            throw Broken("a member is in one set", std::to_string(member) + " is in both");
    } else {
        there.remove(member);
        here.add(member);
    }
}

struct CalledOff {
    TillSum seen;
};

}  // namespace

TillSum sum_of_till(const Manager& manager, const World& world) {
    const Till& till = world.till;
    try {
        manager.transact([&](Transaction& t) {
            std::int64_t sum = 0;
            for (const Place place : {line, pile, sorted}) {
                auto queue = queue_of(t, till, place);
                while (const auto coin = queue.try_get()) sum += *coin;
            }
            auto in_purse = t(till.purse);
            for (std::size_t i = 0; i < in_purse.size(); ++i)
                sum += in_purse.get(static_cast<std::ptrdiff_t>(i));
            auto in_hoard = t(till.hoard);
            while (!in_hoard.empty()) sum += in_hoard.pop();
            throw CalledOff{{sum, t(till.here).size() + t(till.there).size()}};
        });
    } catch (const CalledOff& off) {
        return off.seen;
    }
    throw Broken("an exception ends a transaction", "it was carried out");
}

void SumWork::move_coins() {
    if (context_.chance(8)) {
        const Doing doing(context_.page, Op::manager_transact_off);
        const auto [money, members_seen] = sum_of_till(context_.realm.manager, world_);
        if (money != total_in_till || members_seen != member_count)
            throw Broken("coins move, and none is made", "a transaction sees " + std::to_string(money) +
                                                             " of " + std::to_string(total_in_till) + ", " +
                                                             std::to_string(members_seen) + " members");
        return;
    }
    const auto draw = [&](std::int64_t below) {
        return static_cast<std::int64_t>(context_.random.below(static_cast<std::uint64_t>(below)));
    };
    const auto from = static_cast<Place>(context_.random.below(place_count));
    const auto to = static_cast<Place>((from + 1 + context_.random.below(place_count - 1)) % place_count);
    const Move move{from,
                    to,
                    1 + draw(coins_of_queue),
                    draw(purses),
                    draw(purses),
                    context_.chance(2),
                    static_cast<std::uint32_t>(draw(member_count))};
    const Doing doing(context_.page, Op::manager_transact_kinds);
    Adding adding(context_.page.moves[0]);
    const bool moved = context_.realm.manager.transact([&](Transaction& t) {
        const std::int64_t coin = taken(t, world_.till, move);
        if (coin == 0) return false;
        put(t, world_.till, move, coin);
        move_member(t, world_.till, move.member);
        auto book = t(world_.till.book);
        book.set("moves", book.get<std::int64_t>("moves") + 1);
        return true;
    });
    if (moved) adding.done();
}

}  // namespace muster::soak

// The stores that show what they hold: a list and a dict of unique items.
#include "soak/worker.hpp"

namespace muster::soak {
namespace {

constexpr std::size_t most_log = 200, most_tickets = 150, most_badges = 100;

}  // namespace

void StoreWork::in_log() {
    auto& list = world_.log;
    const auto pop = [&](Index index) {
        take(
            log, Op::list_pop, 1,
            [&](const auto& out) {
                try {
                    out(list.pop(index));
                } catch (const Error& error) {
                    if (error.errc() != Errc::index_error) throw;
                }
            },
            index == 0);
    };
    const bool long_enough = list.size() > most_log;
    switch (long_enough ? 4 + context_.random.below(2) : context_.random.below(9)) {
        case 0:
        case 1:
        case 2:
            return put_one(log, Op::list_push_back,
                           [&](const auto& text) { return list.push_back(text), true; });
        case 3:
            return put_many(log, Op::list_extend,
                            [&](const auto& texts) { return list.extend(texts), texts.size(); });
        case 4:
            return pop(0);
        case 5:
            return pop(context_.chance(2) ? 0 : -1);
        case 6: {  // puts one and takes just that, if nobody else was faster
            std::string mine;
            put_one(log, Op::list_push_back,
                    [&](const auto& text) { return list.push_back(mine = text), true; });
            if (mine.empty()) return;
            return take(
                log, Op::list_remove, 1,
                [&](const auto& out) {
                    try {
                        list.remove(mine);
                        out(mine);
                    } catch (const Error& error) {
                        if (error.errc() != Errc::value_error) throw;
                    }
                },
                false);
        }
        case 7: {
            const Doing doing(context_.page, Op::list_slice);
            return look(log, list.slice(static_cast<Index>(context_.random.below(50)), {}));
        }
        default: {
            const Doing doing(context_.page, Op::list_snapshot);
            return look(log, list.snapshot());
        }
    }
}

void StoreWork::in_tickets() {
    auto& dict = world_.tickets;
    const auto number = [](const std::string& text) { return *id_of(text); };
    const auto some_key = [&]() -> std::optional<std::uint64_t> {
        const Doing doing(context_.page, Op::dict_keys);
        const auto keys = dict.keys();
        if (keys.empty()) return {};
        return keys[context_.random.below(keys.size())];
    };
    const bool long_enough = dict.size() > most_tickets;
    switch (long_enough ? 3 + context_.random.below(3) : context_.random.below(8)) {
        case 0:
        case 1:
            return put_one(tickets, Op::dict_insert,
                           [&](const auto& text) { return dict.insert(number(text), text); });
        case 2:
            return put_one(tickets, Op::dict_setdefault,
                           [&](const auto& text) { return dict.setdefault(number(text), text) == text; });
        case 3:
            return take(
                tickets, Op::dict_popitem, 1,
                [&](const auto& out) {
                    try {
                        out(dict.popitem().second);
                    } catch (const Error& error) {
                        if (error.errc() != Errc::key_error) throw;
                    }
                },
                false);
        case 4:
            if (const auto key = some_key())
                take(
                    tickets, Op::dict_pop, 1,
                    [&](const auto& out) {
                        if (const auto text = dict.pop(*key)) out(*text);
                    },
                    false);
            return;
        case 5:
            if (const auto key = some_key())
                take(
                    tickets, Op::dict_erase, 1,
                    [&](const auto& out) {
                        if (dict.erase(*key)) out(text_of(*key));
                    },
                    false);
            return;
        case 6: {
            const Doing doing(context_.page, Op::dict_items);
            for (const auto& [key, text] : dict.items())
                if (checked(tickets, text).packed() != key)
                    throw Broken("every value is whole", "tickets: another's");
            return;
        }
        default:
            if (const auto key = some_key()) {
                const Doing doing(context_.page, Op::dict_get);
                if (const auto text = dict.get(*key); text && number(*text) != *key)
                    throw Broken("every value is whole", "tickets: another's");
            }
    }
}

// Elements are the numbers: what a set holds is short.
void StoreWork::in_badges() {
    auto& set = world_.badges;
    const auto number = [](const std::string& text) { return *id_of(text); };
    const auto snapshot = [&] {
        const Doing doing(context_.page, Op::set_snapshot);
        return set.snapshot();
    };
    const auto some = [&]() -> std::optional<std::uint64_t> {
        const auto all = snapshot();
        if (all.empty()) return {};
        return all[context_.random.below(all.size())];
    };
    const bool long_enough = set.size() > most_badges;
    switch (long_enough ? 3 + context_.random.below(3) : context_.random.below(8)) {
        case 0:
        case 1:
            return put_one(badges, Op::set_add, [&](const auto& text) { return set.add(number(text)); });
        case 2:
            return put_many(badges, Op::set_update, [&](const auto& texts) {
                std::vector<std::uint64_t> numbers;
                for (const auto& text : texts) numbers.push_back(number(text));
                return set.update(numbers), texts.size();
            });
        case 3:
            return take(
                badges, Op::set_pop, 1,
                [&](const auto& out) {
                    try {
                        out(text_of(set.pop()));
                    } catch (const Error& error) {
                        if (error.errc() != Errc::key_error) throw;
                    }
                },
                false);
        case 4:
            if (const auto one = some())
                take(
                    badges, Op::set_discard, 1,
                    [&](const auto& out) {
                        if (set.discard(*one)) out(text_of(*one));
                    },
                    false);
            return;
        case 5:
            if (const auto one = some())
                take(
                    badges, Op::set_remove, 1,
                    [&](const auto& out) {
                        try {
                            set.remove(*one);
                            out(text_of(*one));
                        } catch (const Error& error) {
                            if (error.errc() != Errc::key_error) throw;
                        }
                    },
                    false);
            return;
        case 6: {
            const Doing doing(context_.page, Op::set_contains);
            if (set.contains(0)) throw Broken("every value is whole", "badges has a zero");
            return;
        }
        default: {
            std::vector<std::string> texts;
            for (const std::uint64_t one : snapshot()) texts.push_back(text_of(one));
            look(badges, texts);
        }
    }
}

// What is taken is the last or the lowest: in no order that one maker would know.
void StoreWork::in_stack() {
    auto& queue = world_.stack;
    if (queue.size() < most_log && context_.chance(2))
        return put_one(stack, Op::queue_lifo_put, [&](const auto& text) { return queue.put(text), true; });
    take(stack, Op::queue_lifo_get, 1, [&](const auto& out) {
        if (const auto text = queue.try_get()) out(*text);
    }, false);
}

void StoreWork::in_ranks() {
    auto& queue = world_.ranks;
    if (queue.size() < most_log && context_.chance(2))
        return put_one(ranks, Op::queue_priority_put, [&](const auto& text) { return queue.put(text), true; });
    take(ranks, Op::queue_priority_get, 1, [&](const auto& out) {
        if (const auto text = queue.try_get()) out(*text);
    }, false);
}

}  // namespace muster::soak

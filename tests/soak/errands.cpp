#include <array>
#include <chrono>

#include "soak/worker.hpp"

namespace muster::soak {

using namespace std::chrono_literals;

namespace {

// What the objects of passing names hold, whatever kind they are.
std::string passing_text(std::uint64_t random) {
    return text_of(ItemId{0, jobs, 0, static_cast<unsigned>(random)}.packed());
}

void check_passing(const std::string& text) {
    if (!id_of(text))
        throw Broken("every value is whole", "an object that comes and goes holds " + text.substr(0, 60));
}

}  // namespace

void ErrandWork::act() {
    switch (context_.random.below(17)) {
        case 0:
        case 1:
            return anonymous();
        case 2:
            return queue_that_closes();
        case 3: {
            const Doing doing(context_.page, Op::lock_look);
            (void)world_.bank.locked();
            (void)world_.bank.owner();
            return;
        }
        case 4: {
            const Doing doing(context_.page, Op::manager_names);
            for (const std::string& name : context_.realm.manager.names())
                if (!name.starts_with(prefix)) throw Broken("the directory names what was made", name);
            return;
        }
        case 8:
        case 9:
        case 10:
            return at_shelves();
        case 11:
            return with_table();
        case 12:
        case 13:
            return with_numbers();
        case 14:
            return with_dead_letters();
        case 15:
            return with_force();
        case 16:
            return with_several();
        default:
            return named();
    }
}

// Freed with the last handle, or by the service after the death.
void ErrandWork::anonymous() {
    const Manager& manager = context_.realm.manager;
    const std::uint64_t number = context_.random.below(1000);
    const std::string text = passing_text(number);
    const Doing doing(context_.page, Op::manager_make);
    auto dict = manager.dict<std::string, std::string>();
    auto list = manager.list<std::string>();
    for (std::uint64_t i = 0; i < number % 12; ++i) {
        dict.set("key " + std::to_string(i), text);
        list.insert(static_cast<Index>(i / 2), text);
    }
    const auto copy = dict;
    for (const std::string& value : copy.values()) check_passing(value);
    if (list.size() != number % 12)
        throw Broken("an object that nobody else has is as it was left", "a list");
}

// Anybody may erase it, or make one of another kind in its place.
void ErrandWork::named() {
    const Manager& manager = context_.realm.manager;
    const std::string name = passing_prefix + std::to_string(context_.random.below(6));
    const std::string text = passing_text(context_.random.below(1000));
    try {
        switch (context_.random.below(5)) {
            case 0: {
                const Doing doing(context_.page, Op::manager_open);
                auto dict = manager.dict<std::string, std::string>(name);
                for (int i = 0; i < 10; ++i) dict.set(std::to_string(i), text);
                for (const auto& [key, value] : dict.items()) check_passing(value);
                return;
            }
            case 1: {
                const Doing doing(context_.page, Op::manager_open);
                auto list = manager.list<std::string>(name);
                list.extend({text, text, text});
                if (list.size() > 60) list.clear();
                for (const auto& value : list.snapshot()) check_passing(value);
                return;
            }
            case 2: {
                const Doing doing(context_.page, Op::manager_find);
                if (const auto list = manager.find<List<std::string>>(name)) check_passing(list->at(0));
                (void)manager.kind_of(name);
                return;
            }
            default: {
                const Doing doing(context_.page, Op::manager_erase);
                (void)manager.erase(name);
            }
        }
    } catch (const Error& error) {
        if (error.errc() != Errc::destroyed && error.errc() != Errc::wrong_kind &&
            error.errc() != Errc::index_error)
            throw;
    }
}

void ErrandWork::queue_that_closes() {
    const std::string name = std::string(passing_prefix) + "queue";
    try {
        auto queue = [&] {
            const Doing doing(context_.page, Op::manager_open);
            return context_.realm.manager.queue<std::string>(name, {.maxsize = 3});
        }();
        if (context_.chance(3)) {
            const Doing doing(context_.page, Op::queue_close);
            queue.close();
        } else if (context_.chance(3)) {
            const Doing doing(context_.page, Op::queue_put_for);
            (void)queue.put_for(passing_text(context_.random.below(1000)), 1ms);
        } else {
            const Doing doing(context_.page, Op::queue_get_for);
            if (const auto text = queue.get_for(1ms)) check_passing(*text);
        }
    } catch (const Error& error) {
        if (error.errc() == Errc::closed) {
            const Doing doing(context_.page, Op::manager_erase);
            (void)context_.realm.manager.erase(name);  // the next one makes an open one
        } else if (error.errc() != Errc::destroyed) {
            throw;
        }
    }
}

}  // namespace muster::soak

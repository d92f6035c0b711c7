// Objects that nobody names: they are values of a dict.
#include "soak/worker.hpp"

namespace muster::soak {

namespace {

constexpr std::size_t most_on_a_shelf = 40;

// A list on a shelf holds one number, over and over.
void check_shelf(const std::vector<std::uint64_t>& numbers) {
    for (const std::uint64_t number : numbers)
        if (number != numbers.front()) throw Broken("every value is whole", "a shelf holds another's");
}

}  // namespace

// Somebody may replace the list while others write into it: they hold it, and it goes with the last of them.
void ErrandWork::at_shelves() {
    const Manager& manager = context_.realm.manager;
    auto& shelves = world_.shelves;
    const auto key = static_cast<std::uint32_t>(context_.random.below(shelf_count));
    switch (context_.random.below(6)) {
        case 0: {
            auto list = [&] {
                const Doing doing(context_.page, Op::manager_make);
                return manager.list<std::uint64_t>();
            }();
            list.push_back(context_.random.below(1000));
            const Doing doing(context_.page, Op::dict_set_handle);
            return shelves.set(key, list);
        }
        case 1: {
            const Doing doing(context_.page, Op::dict_erase_handle);
            (void)shelves.erase(key);
            return;
        }
        case 2: {  // of the list that stands there when it is carried out
            const Doing doing(context_.page, Op::manager_transact_nested);
            return manager.transact([&](Transaction& t) {
                const auto list = t(shelves).get(key);
                if (!list) return;
                auto numbers = t(*list);
                if (numbers.size() < most_on_a_shelf) numbers.push_back(numbers.at(0));
            });
        }
        default: {
            const Doing doing(context_.page, Op::dict_get_handle);
            auto list = shelves.get(key);
            if (!list) return;
            const auto numbers = list->snapshot();
            check_shelf(numbers);
            if (numbers.empty()) throw Broken("what a handle names is alive", "a shelf's list is empty");
            if (numbers.size() < most_on_a_shelf) list->push_back(numbers.front());
        }
    }
}

}  // namespace muster::soak

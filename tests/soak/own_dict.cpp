// A worker's own dict: entries are key << 16 | version, in the order of insertion.
#include <algorithm>

#include "soak/worker.hpp"

namespace muster::soak {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t keys = 40;

using Entries = std::vector<std::uint32_t>;

Entries::iterator at_key(Entries& entries, std::uint32_t key) {
    return std::find_if(entries.begin(), entries.end(),
                        [&](std::uint32_t entry) { return entry >> 16 == key; });
}

}  // namespace

void OwnWork::in_dict() {
    const auto& dict = objects_.dict;
    Entries model = now(Own::dict);
    const auto key = static_cast<std::uint32_t>(context_.random.below(keys));
    const auto there = at_key(model, key);
    const auto right = [&](const std::optional<std::string>& found) {
        return there == model.end() ? !found : found && *found == text(Own::dict, *there);
    };
    switch (context_.random.below(24)) {
        case 0: {
            const Doing doing(context_.page, Op::dict_get);
            return expect(Own::dict, Op::dict_get, right(dict.get(key)));
        }
        case 1: {
            const Doing doing(context_.page, Op::dict_at);
            try {
                return expect(Own::dict, Op::dict_at, right(dict.at(key)));
            } catch (const Error& error) {
                if (error.errc() != Errc::key_error) throw;
                return expect(Own::dict, Op::dict_at, there == model.end());
            }
        }
        case 2: {
            const Doing doing(context_.page, Op::dict_contains);
            return expect(Own::dict, Op::dict_contains, dict.contains(key) == (there != model.end()));
        }
        case 3: {
            const Doing doing(context_.page, Op::dict_keys);
            const auto found = dict.keys();
            return expect(
                Own::dict, Op::dict_keys,
                std::equal(found.begin(), found.end(), model.begin(), model.end(),
                           [](std::uint32_t one, std::uint32_t entry) { return one == entry >> 16; }));
        }
        case 4: {
            const Doing doing(context_.page, Op::dict_size);
            return expect(Own::dict, Op::dict_size,
                          dict.size() == model.size() && dict.empty() == model.empty());
        }
        case 5: {
            const Doing doing(context_.page, Op::dict_items);
            const auto found = dict.items();
            return expect(Own::dict, Op::dict_items,
                          std::equal(found.begin(), found.end(), model.begin(), model.end(),
                                     [&](const auto& pair, std::uint32_t entry) {
                                         return pair.first == entry >> 16 &&
                                                pair.second == text(Own::dict, entry);
                                     }));
        }
        default:
            return change_dict();
    }
}

void OwnWork::change_dict() {
    auto& dict = objects_.dict;
    Entries model = now(Own::dict);
    const auto fresh = [&](std::uint32_t key) { return key << 16 | (++fresh_ & 0xffff); };
    const auto key = static_cast<std::uint32_t>(context_.random.below(keys));
    const auto there = at_key(model, key);
    const bool present = there != model.end();
    const std::uint32_t before = present ? *there : 0, entry = fresh(key);
    const std::string value = text(Own::dict, entry);
    const auto put = [&] {
        if (present)
            *there = entry;
        else
            model.push_back(entry);
    };
    const auto removed = [&] {
        if (present) model.erase(there);
    };
    switch (context_.random.below(20)) {
        case 16:  // long enough not to be seen to expire
            put();
            return change(Own::dict, Op::dict_set_ttl, model, [&] { dict.set(key, value, 24h); });
        case 17:  // it has expired at once, and occupies memory until it is swept or touched
            removed();
            return change(Own::dict, Op::dict_set_expired, model, [&] { dict.set(key, value, 0s); });
        case 18:
            return change(Own::dict, Op::dict_expire, model,
                          [&] { expect(Own::dict, Op::dict_expire, dict.expire(key, 24h) == present); });
        case 19:
            return change(Own::dict, Op::dict_persist, model, [&] {
                expect(Own::dict, Op::dict_persist, (!dict.persist(key) || present) && !dict.ttl(key));
            });
        case 0:
        case 1:
        case 2:
            put();
            return change(Own::dict, Op::dict_set, model, [&] { dict.set(key, value); });
        case 3:
            if (!present) put();
            return change(Own::dict, Op::dict_insert, model,
                          [&] { expect(Own::dict, Op::dict_insert, dict.insert(key, value) == !present); });
        case 4: {
            if (!present) put();
            const std::string stands = present ? text(Own::dict, before) : value;
            return change(Own::dict, Op::dict_setdefault, model, [&] {
                expect(Own::dict, Op::dict_setdefault, dict.setdefault(key, value) == stands);
            });
        }
        case 5:
        case 6: {
            Entries pairs;
            std::vector<std::pair<std::uint32_t, std::string>> values;
            for (std::uint64_t i = 2 + context_.random.below(Own::most_pairs - 1); i != 0; --i) {
                const std::uint32_t one = fresh(static_cast<std::uint32_t>(context_.random.below(keys)));
                const auto old = at_key(model, one >> 16);
                if (old == model.end())
                    model.push_back(one);
                else
                    *old = one;
                pairs.push_back(one);
                values.emplace_back(one >> 16, text(Own::dict, one));
            }
            return change(
                Own::dict, Op::dict_update_pairs, model, [&] { dict.update(values); }, pairs);
        }
        case 7:
        case 8:
            put();
            return change(Own::dict, Op::dict_update, model, [&] {
                dict.update(key, [&](const std::optional<std::string>& found) {
                    expect(Own::dict, Op::dict_update, found.has_value() == present);
                    return value;
                });
            });
        case 9: {
            const auto expected = present ? std::optional(text(Own::dict, before)) : std::nullopt;
            put();
            return change(Own::dict, Op::dict_compare_and_set, model, [&] {
                expect(Own::dict, Op::dict_compare_and_set, dict.compare_and_set(key, expected, value));
            });
        }
        case 10:
            removed();
            return change(Own::dict, Op::dict_remove, model, [&] {
                try {
                    dict.remove(key);
                    expect(Own::dict, Op::dict_remove, present);
                } catch (const Error& error) {
                    if (error.errc() != Errc::key_error) throw;
                    expect(Own::dict, Op::dict_remove, !present);
                }
            });
        case 11:
            removed();
            return change(Own::dict, Op::dict_erase, model,
                          [&] { expect(Own::dict, Op::dict_erase, dict.erase(key) == present); });
        case 12: {
            const std::string stands = present ? text(Own::dict, before) : "none";
            removed();
            return change(Own::dict, Op::dict_pop, model,
                          [&] { expect(Own::dict, Op::dict_pop, dict.pop(key, "none") == stands); });
        }
        case 13:
        case 14: {
            if (model.empty()) return;
            const std::uint32_t last = model.back();
            model.pop_back();
            return change(Own::dict, Op::dict_popitem, model, [&] {
                expect(Own::dict, Op::dict_popitem,
                       dict.popitem() == std::pair(last >> 16, text(Own::dict, last)));
            });
        }
        default:
            if (!context_.chance(4)) return;
            return change(Own::dict, Op::dict_clear, {}, [&] { dict.clear(); });
    }
}

}  // namespace muster::soak

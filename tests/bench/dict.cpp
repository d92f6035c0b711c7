// Dict against maps under one process-shared mutex: 12-byte keys, 64-byte values, keys in random order.
#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <mutex>
#include <random>
#include <unordered_map>

#include "realm.hpp"
#include "shared.hpp"

namespace muster::bench {
namespace {

using Standard = std::unordered_map<std::string, Value64>;
using Flat = boost::unordered_flat_map<std::string, Value64>;

std::vector<std::string> make_keys(std::size_t count) {
    std::vector<std::string> keys(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::string digits = std::to_string(i);
        keys[i] = "key-" + std::string(8 - digits.size(), '0') + digits;
    }
    std::shuffle(keys.begin(), keys.end(), std::mt19937_64(20));
    return keys;
}

// The keys once and again, always in the same random order.
class Cycle {
  public:
    explicit Cycle(const std::vector<std::string>& keys) : keys_(&keys) {}
    const std::string& next() noexcept {
        if (at_ == keys_->size()) at_ = 0;
        return (*keys_)[at_++];
    }

  private:
    const std::vector<std::string>* keys_;
    std::size_t at_ = 0;
};

template <typename Map>
struct Guarded {
    std::shared_ptr<Shared<Mutex>> mutex = make_mutex();
    Map map;
};

// The three maps, filled; made when the first row needs them, gone with the last.
struct Filled {
    explicit Filled(std::size_t count) : keys(make_keys(count)) {
        for (const std::string& key : keys) {
            dict.insert_or_assign(key, {});
            standard.map.insert_or_assign(key, Value64{});
            flat.map.insert_or_assign(key, Value64{});
        }
    }
    std::vector<std::string> keys;
    Manager manager = local_manager(std::uint64_t{1} << 30);
    Dict<std::string, Value64> dict = manager.dict<std::string, Value64>("filled");
    Guarded<Standard> standard;
    Guarded<Flat> flat;
};
using FilledPtr = std::shared_ptr<Filled>;

// Rows that stand side by side share what they measure.
class Lazy {
  public:
    explicit Lazy(std::size_t count) : count_(count) {}
    FilledPtr get() {
        if (auto made = made_.lock()) return made;
        auto fresh = std::make_shared<Filled>(count_);
        made_ = fresh;
        return fresh;
    }
    void hold(FilledPtr filled) { held_ = std::move(filled); }

  private:
    std::size_t count_;
    std::weak_ptr<Filled> made_;
    FilledPtr held_;
};

auto get_from(Dict<std::string, Value64>& dict, const std::vector<std::string>& keys) {
    return [&dict, cycle = Cycle(keys)]() mutable { keep(*dict.get(cycle.next())); };
}
template <typename Map>
auto get_from(Guarded<Map>& guarded, const std::vector<std::string>& keys) {
    return [&guarded, cycle = Cycle(keys)]() mutable {
        const std::string& key = cycle.next();
        Value64 value;
        {
            const std::scoped_lock hold(**guarded.mutex);
            value = guarded.map.find(key)->second;
        }
        keep(value);
    };
}

auto set_in(Dict<std::string, Value64>& dict, const std::vector<std::string>& keys) {
    return [&dict, cycle = Cycle(keys), value = Value64{}]() mutable {
        value[0] = static_cast<std::byte>(std::to_integer<int>(value[0]) + 1);
        dict.insert_or_assign(cycle.next(), value);
    };
}
template <typename Map>
auto set_in(Guarded<Map>& guarded, const std::vector<std::string>& keys) {
    return [&guarded, cycle = Cycle(keys), value = Value64{}]() mutable {
        value[0] = static_cast<std::byte>(std::to_integer<int>(value[0]) + 1);
        const std::string& key = cycle.next();
        const std::scoped_lock hold(**guarded.mutex);
        guarded.map.insert_or_assign(key, value);
    };
}

struct Goals {
    std::optional<Goal> standard, flat;
};
Goal at_most(double ratio) { return {Goal::Of::ratio, ratio}; }

// What the Run refers to lives as long as it.
Run holding(FilledPtr all, Run run) {
    return [all, run](std::uint64_t n) { return run(n); };
}

Setup get_row(const FilledPtr& all, Goals goals) {
    return {
        .ours = holding(all, loop(get_from(all->dict, all->keys))),
        .limits = {{"std::unordered_map + mutex", loop(get_from(all->standard, all->keys)), goals.standard},
                   {"unordered_flat_map + mutex", loop(get_from(all->flat, all->keys)), goals.flat}}};
}

Setup set_row(const FilledPtr& all, Goals goals) {
    return {.ours = holding(all, loop(set_in(all->dict, all->keys))),
            .limits = {{"std::unordered_map + mutex", loop(set_in(all->standard, all->keys)), goals.standard},
                       {"unordered_flat_map + mutex", loop(set_in(all->flat, all->keys)), goals.flat}}};
}

// All keys into an empty map; emptying it is not counted.
template <typename Map>
Run fill(std::shared_ptr<const std::vector<std::string>> keys) {
    return [keys, guarded = std::make_shared<Guarded<Map>>()](std::uint64_t n) {
        guarded->map = Map();
        const Value64 value{};
        const std::uint64_t begin = busy_ns();
        for (const std::string& key : *keys) {
            const std::scoped_lock hold(**guarded->mutex);
            guarded->map.insert_or_assign(key, value);
        }
        return static_cast<double>(busy_ns() - begin) / static_cast<double>(n);
    };
}

Setup insert_row(std::size_t count, Goals goals) {
    auto keys = std::make_shared<const std::vector<std::string>>(make_keys(count));
    const Manager manager = local_manager(std::uint64_t{1} << 30);
    auto dict = manager.dict<std::string, Value64>("inserted");
    return {.ours =
                [keys, dict](std::uint64_t n) mutable {
                    dict.clear();
                    const Value64 value{};
                    const std::uint64_t begin = busy_ns();
                    for (const std::string& key : *keys) dict.insert_or_assign(key, value);
                    return static_cast<double>(busy_ns() - begin) / static_cast<double>(n);
                },
            .limits = {{"std::unordered_map + mutex", fill<Standard>(keys), goals.standard},
                       {"unordered_flat_map + mutex", fill<Flat>(keys), goals.flat}},
            .fixed = count};
}

// What `make` makes for a map, by both processes at once; nanoseconds per operation of the two together. Of the limits' maps
// each has a copy of its own, behind one mutex; the dict is one.
template <typename Make>
std::function<Run(std::size_t)> by_two(const FilledPtr& all, Make&& make) {
    const auto duet = [](auto op) {
        const auto side = [op](std::uint64_t n) mutable {
            for (std::uint64_t i = 0; i < n; ++i) op();
        };
        return Duet{side, side};
    };
    auto partner = std::make_shared<Partner>(
        std::vector<Duet>{duet(make(all->dict)), duet(make(all->standard)), duet(make(all->flat))});
    return [partner, all](std::size_t which) -> Run {
        return [partner, all, which](std::uint64_t n) {
            partner->run(which, n / 4 + 1);
            return partner->run(which, n) / static_cast<double>(2 * n);
        };
    };
}

Setup get_by_two(const FilledPtr& all) {
    const auto together = by_two(all, [&](auto& map) { return get_from(map, all->keys); });
    return {.ours = together(0),
            .limits = {{"std::unordered_map + mutex, two processes", together(1)},
                       {"unordered_flat_map + mutex, two processes", together(2)},
                       {"the same by one process", loop(get_from(all->dict, all->keys)), at_most(1 / 1.8)}},
            .fixed = 100'000};
}

Setup set_by_two(const FilledPtr& all) {
    const auto together = by_two(all, [&](auto& map) { return set_in(map, all->keys); });
    return {.ours = together(0),
            .limits = {{"std::unordered_map + mutex, two processes", together(1)},
                       {"unordered_flat_map + mutex, two processes", together(2), at_most(1)}},
            .fixed = 100'000};
}

}  // namespace

void add_dict_rows(Rows& rows) {
    const auto small = std::make_shared<Lazy>(10'000), large = std::make_shared<Lazy>(1'000'000);
    const auto add = [&](std::string name, std::function<Setup()> make) {
        rows.push_back({std::move(name), Unit::nanoseconds, std::move(make)});
    };
    add("dict get 10k", [=] {
        small->hold(small->get());
        return get_row(small->get(), {at_most(2), at_most(1)});
    });
    add("dict set 10k", [=] { return set_row(small->get(), {at_most(3), at_most(1.5)}); });
    add("dict get 10k, two processes", [=] { return get_by_two(small->get()); });
    add("dict set 10k, two processes", [=] {
        const FilledPtr all = small->get();
        small->hold({});
        return set_by_two(all);
    });
    add("dict insert 10k", [] { return insert_row(10'000, {at_most(1), {}}); });
    add("dict get 1M", [=] {
        large->hold(large->get());
        return get_row(large->get(), {{}, at_most(1)});
    });
    add("dict set 1M", [=] {
        const FilledPtr all = large->get();
        large->hold({});
        return set_row(all, {{}, at_most(1.1)});
    });
    add("dict insert 1M", [] { return insert_row(1'000'000, {at_most(1), {}}); });
}

}  // namespace muster::bench

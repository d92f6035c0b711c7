// A list against std::vector: random operations, the same contents, no violation and no leak on the way.
#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

#include "support/sequence_list.hpp"

using namespace muster;
using test::Random;
using test::StringList;

namespace {

using Model = std::vector<std::string>;

auto at(Model& model, std::uint64_t index) { return model.begin() + static_cast<std::ptrdiff_t>(index); }

// What a list of `model` looks like after one random operation; both do it.
void one_small(Random& random, StringList& list, Model& model, bool growing) {
    const std::uint64_t n = model.size(), index = n == 0 ? 0 : random.below(n);
    const std::string value = random.value(40'000);
    const std::uint64_t kind = random.below(100);
    if (kind < (growing ? 25u : 5u)) {
        list.push_back(value);
        model.push_back(value);
    } else if (kind < (growing ? 65u : 25u)) {
        // At random places, or in runs, which is what makes leaves and nodes lopsided.
        const std::uint64_t where = random.below(4) == 0 ? 0 : random.below(3) == 0 ? n / 2 : random.below(n + 1);
        list.insert(where, value);
        model.insert(at(model, where), value);
    } else if (kind < 70) {
        REQUIRE(list.set(index, value) == (n != 0));
        if (n != 0) model[index] = value;
    } else if (kind < 85) {
        const std::uint64_t where = n != 0 && random.below(3) == 0 ? n - 1 : index;
        REQUIRE(list.erase(where) == (n != 0));
        if (n != 0) model.erase(at(model, where));
    } else if (n != 0) {
        const std::uint64_t where = random.below(2) == 0 ? 0 : index;
        REQUIRE(list.pop(where) == model[where]);
        model.erase(at(model, where));
    }
}

void one_big(Random& random, StringList& list, Model& model) {
    const std::uint64_t n = model.size();
    const std::uint64_t from = random.below(n + 1), to = from + random.below(n - from + 1);
    Model values(random.below(random.below(4) == 0 ? 1500 : 20));
    for (std::string& value : values) value = random.value(2000);
    switch (random.below(8)) {
        case 0:
        case 1:
            list.extend(values);
            model.insert(model.end(), values.begin(), values.end());
            break;
        case 2:
            list.splice(from, to, values);
            model.erase(at(model, from), at(model, to));
            model.insert(at(model, from), values.begin(), values.end());
            break;
        case 3:
            list.reverse();
            std::reverse(model.begin(), model.end());
            break;
        case 4: {
            std::vector<std::uint32_t> order(n + values.size());
            std::iota(order.begin(), order.end(), 0);
            std::shuffle(order.begin(), order.end(), random.engine());
            const std::uint64_t keep = order.size() - random.below(order.size() / 2 + 1);
            list.rearrange(order, keep, values);
            Model all = model, wanted;
            all.insert(all.end(), values.begin(), values.end());
            for (std::uint64_t i = 0; i < keep; ++i) wanted.push_back(all[order[i]]);
            model = wanted;
            break;
        }
        case 5:
            if (random.below(4) == 0) {
                list.replace_all(values);
                model = values;
            }
            break;
        case 6:
            if (const std::uint64_t times = random.below(4); n * times <= 30'000 && (times != 0 || random.below(8) == 0)) {
                list.repeat(times);
                const Model once = std::exchange(model, {});
                for (std::uint64_t i = 0; i < times; ++i) model.insert(model.end(), once.begin(), once.end());
            }
            break;
        default:
            if (random.below(8) == 0) {
                list.clear();
                model.clear();
            }
    }
}

}  // namespace

TEST_CASE("a list does what a vector does") {
    const std::uint64_t seed = test::test_seed();
    INFO("MUSTER_SEED=" << seed);
    for (std::uint64_t round = 0; round < 4; ++round) {
        test::TempSegment segment(128u << 20);
        StringList list(segment, segment.make(heap::Kind::list));
        Random random(seed + round);
        Model model;
        for (int step = 0; step < 12'000; ++step) {
            const bool growing = step / 1500 % 2 == 0;
            if (round % 2 == 1 && random.below(200) == 0)
                one_big(random, list, model);
            else
                one_small(random, list, model, growing);
            REQUIRE(list.size() == model.size());
            if (!model.empty()) {
                const std::uint64_t index = random.below(model.size());
                REQUIRE(list.at(index) == model[index]);
            }
            REQUIRE(list.at(model.size()) == "(no such index)");
            if (step % 500 == 499) {
                REQUIRE(list.violations() == std::vector<std::string>{});
                REQUIRE(list.contents() == model);
                const std::uint64_t from = random.below(model.size() + 1), to = random.below(model.size() + 1);
                if (from <= to) REQUIRE(list.contents(from, to) == Model(at(model, from), at(model, to)));
            }
        }
        while (!model.empty()) {
            const std::uint64_t index = random.below(model.size());
            REQUIRE(list.pop(index) == model[index]);
            model.erase(at(model, index));
        }
        REQUIRE(list.violations() == std::vector<std::string>{});
        REQUIRE(list.live_bytes() == 0);
    }
}

TEST_CASE("a list of small items grows to several levels and shrinks to nothing") {
    const std::uint64_t seed = test::test_seed();
    INFO("MUSTER_SEED=" << seed);
    test::TempSegment segment(256u << 20);
    StringList list(segment, segment.make(heap::Kind::list));
    Random random(seed);
    // The model is a count: item i is its rank, and inserts and erases keep to places that show the order.
    std::vector<std::uint32_t> model;
    const auto value = [](std::uint32_t number) { return std::string(reinterpret_cast<const char*>(&number), 4); };
    std::uint32_t next = 0;
    for (const std::uint64_t target : {60'000u, 100u, 30'000u, 0u}) {
        while (model.size() != target) {
            const bool grow = model.size() < target;
            const std::uint64_t left = grow ? target - model.size() : model.size() - target;
            const std::uint64_t burst = std::min<std::uint64_t>(1 + random.below(200), left);
            std::uint64_t where = random.below(model.size() + (grow ? 1 : 0));
            for (std::uint64_t i = 0; i < burst; ++i) {  // a run of neighbours, upwards or in place
                if (grow) {
                    list.insert(where, value(next));
                    model.insert(model.begin() + static_cast<std::ptrdiff_t>(where), next++);
                    if (burst % 2 == 0) ++where;
                } else {
                    where = std::min<std::uint64_t>(where, model.size() - 1);
                    REQUIRE(list.erase(where));
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(where));
                }
            }
        }
        REQUIRE(list.violations() == std::vector<std::string>{});
        const auto contents = list.contents();
        REQUIRE(contents.size() == model.size());
        for (std::size_t i = 0; i < model.size(); ++i) REQUIRE(contents[i] == value(model[i]));
        // Memory stays within a small factor of the content: 8 bytes an item, and what cannot be avoided.
        REQUIRE(list.live_bytes() <= model.size() * 8 * 4 + 4096);
    }
    REQUIRE(list.live_bytes() == 0);
}

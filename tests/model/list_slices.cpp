// A list's slices against a vector's, cut as Python's language reference says: element by element.
#include <catch2/catch.hpp>

#include <algorithm>

#include <muster/list.hpp>

#include "support/local_realm.hpp"
#include "support/random.hpp"

using namespace muster;
using test::Random;

namespace {

using Model = std::vector<std::string>;
using Bound = std::optional<Index>;

// The places that start:stop:step names in so many elements, in its order.
std::vector<std::size_t> places(Bound start, Bound stop, Index step, std::size_t size) {
    const auto n = static_cast<Index>(size);
    const auto bound = [&](Bound given, Index otherwise) {
        if (!given) return otherwise;
        Index at = *given < 0 ? *given + n : *given;
        if (at < 0) at = step < 0 ? -1 : 0;
        if (at >= n) at = step < 0 ? n - 1 : n;
        return at;
    };
    std::vector<std::size_t> all;
    const Index to = bound(stop, step > 0 ? n : -1);
    for (Index at = bound(start, step > 0 ? 0 : n - 1); step > 0 ? at < to : at > to; at += step)
        all.push_back(static_cast<std::size_t>(at));
    return all;
}

Model cut(const Model& model, const std::vector<std::size_t>& from) {
    Model out;
    for (const std::size_t at : from) out.push_back(model[at]);
    return out;
}

Model without(const Model& model, const std::vector<std::size_t>& from) {
    Model out;
    for (std::size_t i = 0; i < model.size(); ++i)
        if (std::find(from.begin(), from.end(), i) == from.end()) out.push_back(model[i]);
    return out;
}

}  // namespace

TEST_CASE("slices of a list are what they are of a vector") {
    const std::uint64_t seed = test::test_seed();
    INFO("MUSTER_SEED=" << seed);
    Random random(seed);
    const test::LocalRealm realm(256u << 20);
    auto list = realm.manager().list<std::string>();
    Model model;
    const auto fresh = [&](std::size_t count) {
        Model all(count);
        for (std::string& value : all) value = random.value(3000);
        return all;
    };
    const auto bound = [&]() -> Bound {
        if (random.below(4) == 0) return {};
        const auto n = static_cast<Index>(model.size());
        return static_cast<Index>(random.below(3 * model.size() + 9)) - (3 * n) / 2 - 4;
    };
    int refused = 0;
    for (int i = 0; i < 6000; ++i) {
        const Bound start = bound(), stop = bound();
        const Index most = random.below(3) == 0 ? 100 : 4;
        Index step = static_cast<Index>(random.below(static_cast<std::uint64_t>(2 * most))) - most;
        if (step >= 0) ++step;
        if (random.below(3) == 0) step = 1;
        const auto at = places(start, stop, step, model.size());
        INFO("step " << i << ": [" << start.value_or(-9999) << ":" << stop.value_or(-9999) << ":" << step << "] of "
                     << model.size());
        switch (const std::uint64_t kind = model.size() > 900 ? 3 : random.below(9); kind) {
            case 0:
            case 1: {  // of the right number, mostly
                const std::size_t count = step != 1 && random.below(8) != 0 ? at.size() : random.below(30);
                const Model values = fresh(count);
                const auto assign = [&] { list.assign_slice(start, stop, values, step); };
                if (step == 1) {
                    assign();
                    const auto from = static_cast<std::ptrdiff_t>(
                        !at.empty() ? at.front() : places({}, start.value_or(0), 1, model.size()).size());
                    model.erase(model.begin() + from, model.begin() + from + static_cast<std::ptrdiff_t>(at.size()));
                    model.insert(model.begin() + from, values.begin(), values.end());
                } else if (count == at.size()) {
                    assign();
                    for (std::size_t k = 0; k < count; ++k) model[at[k]] = values[k];
                } else {
                    REQUIRE_THROWS_AS(assign(), Error);
                    ++refused;
                }
                break;
            }
            case 2:
            case 3:
                if (kind == 2 && at.size() > model.size() / 2) break;  // so that it grows
                list.erase_slice(start, stop, step);
                model = without(model, at);
                break;
            case 4:
                REQUIRE(list.slice(start, stop, step) == cut(model, at));
                break;
            case 5: {
                const Model values = fresh(random.below(20));
                list += values;
                model.insert(model.end(), values.begin(), values.end());
                break;
            }
            case 6:
                if (model.size() < 100) {
                    const Model once = model;
                    list *= 3;
                    for (int n = 0; n < 2; ++n) model.insert(model.end(), once.begin(), once.end());
                }
                break;
            case 7:
                if (random.below(20) == 0) {
                    list *= 0;
                    model.clear();
                }
                break;
            default: {
                const Model values = fresh(random.below(5));
                Model sum = model;
                sum.insert(sum.end(), values.begin(), values.end());
                REQUIRE(list + values == sum);
                sum = values;
                sum.insert(sum.end(), model.begin(), model.end());
                REQUIRE(values + list == sum);
                REQUIRE((list * 2).size() == 2 * model.size());
            }
        }
        REQUIRE(list.size() == model.size());
        if (i % 20 == 19) REQUIRE(list.snapshot() == model);
        if (i % 500 == 499) REQUIRE(realm.daemon().check().violations.empty());
    }
    REQUIRE(refused > 20);
}

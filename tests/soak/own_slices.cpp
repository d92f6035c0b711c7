// A worker's own list, where ranges of it are replaced, repeated or taken away.
#include <algorithm>
#include <optional>
#include <utility>

#include "soak/worker.hpp"

namespace muster::soak {

using Entries = std::vector<std::uint32_t>;

namespace {

// The positions that Python's [start::step] names, for a start within the list.
std::vector<std::size_t> positions(std::size_t size, std::size_t start, std::size_t step) {
    std::vector<std::size_t> all;
    for (std::size_t i = start; i < size; i += step) all.push_back(i);
    return all;
}

}  // namespace

void OwnWork::change_slice() {
    auto& list = objects_.list;
    Entries model = now(Own::list);
    const std::size_t size = model.size(), start = context_.random.below(size);
    const auto at = [&](std::size_t i) { return model.begin() + static_cast<Index>(i); };
    Entries fresh;
    std::vector<std::string> values;
    const auto draw = [&](std::size_t count) {
        while (fresh.size() < count) {
            fresh.push_back(++fresh_ & 0xffff);
            values.push_back(text(Own::list, fresh.back()));
        }
    };
    switch (context_.random.below(6)) {
        case 0: {  // by more, fewer or as many
            const std::size_t stop = std::min(size, start + context_.random.below(6));
            draw(std::min<std::size_t>(context_.random.below(6), Own::most - (size - (stop - start))));
            model.erase(at(start), at(stop));
            model.insert(at(start), fresh.begin(), fresh.end());
            return change(Own::list, Op::list_assign_slice, model, [&] {
                list.assign_slice(static_cast<Index>(start), static_cast<Index>(stop), values);
            });
        }
        case 1: {
            const std::size_t step = 2 + context_.random.below(2);
            const auto places = positions(size, start, step);
            draw(places.size());
            for (std::size_t i = 0; i < places.size(); ++i) model[places[i]] = fresh[i];
            return change(Own::list, Op::list_assign_slice, model, [&] {
                list.assign_slice(static_cast<Index>(start), {}, values, static_cast<Index>(step));
            });
        }
        case 2:  // from the end, where the last value comes first
            draw(size - start);
            std::copy(fresh.rbegin(), fresh.rend(), at(start));
            return change(Own::list, Op::list_assign_slice, model, [&] {
                list.assign_slice({}, start == 0 ? std::optional<Index>() : static_cast<Index>(start) - 1,
                                  values, -1);
            });
        case 3: {
            const std::size_t step = 2 + context_.random.below(2);
            auto places = positions(size, start, step);
            std::reverse(places.begin(), places.end());
            for (const std::size_t place : places) model.erase(at(place));
            return change(Own::list, Op::list_erase_slice, model,
                          [&] { list.erase_slice(static_cast<Index>(start), {}, static_cast<Index>(step)); });
        }
        case 4: {
            draw(std::min<std::size_t>(1 + context_.random.below(4), Own::most - size));
            model.insert(model.end(), fresh.begin(), fresh.end());
            return change(Own::list, Op::list_extend, model, [&] { list += values; });
        }
        default: {
            const std::uint64_t times = context_.chance(8) ? 0 : 1 + context_.random.below(3);
            if (size * times > Own::most) return;
            const Entries once = std::exchange(model, {});
            for (std::uint64_t i = 0; i < times; ++i) model.insert(model.end(), once.begin(), once.end());
            return change(Own::list, Op::list_repeat, model, [&] { list *= static_cast<Index>(times); });
        }
    }
}

}  // namespace muster::soak

// A worker's own list and own queue: entries are numbers, in their order.
#include <algorithm>
#include <chrono>

#include "soak/worker.hpp"

namespace muster::soak {

using namespace std::chrono_literals;
using Entries = std::vector<std::uint32_t>;

void OwnWork::in_list() {
    const auto& list = objects_.list;
    const Entries model = now(Own::list);
    const auto index = static_cast<Index>(context_.random.below(model.size() + 1));
    const auto same = [&](const std::vector<std::string>& found, std::size_t from) {
        return std::equal(
            found.begin(), found.end(), model.begin() + static_cast<Index>(std::min(from, model.size())),
            model.end(), [&](const auto& one, std::uint32_t entry) { return one == text(Own::list, entry); });
    };
    switch (context_.random.below(24)) {
        case 0: {
            const Doing doing(context_.page, Op::list_at);
            if (static_cast<std::size_t>(index) == model.size()) return;
            return expect(Own::list, Op::list_at,
                          list.at(index) == text(Own::list, model[static_cast<std::size_t>(index)]));
        }
        case 1: {
            const Doing doing(context_.page, Op::list_slice);
            return expect(Own::list, Op::list_slice,
                          same(list.slice(index), static_cast<std::size_t>(index)));
        }
        case 2: {
            const Doing doing(context_.page, Op::list_snapshot);
            return expect(Own::list, Op::list_snapshot, same(list.snapshot(), 0));
        }
        case 3: {
            const Doing doing(context_.page, Op::list_find);
            if (static_cast<std::size_t>(index) == model.size()) return;
            const std::uint32_t entry = model[static_cast<std::size_t>(index)];
            const auto first = std::find(model.begin(), model.end(), entry) - model.begin();
            return expect(Own::list, Op::list_find,
                          list.find(text(Own::list, entry)) == static_cast<std::size_t>(first));
        }
        case 4: {
            const Doing doing(context_.page, Op::list_size);
            return expect(Own::list, Op::list_size, list.size() == model.size());
        }
        default:
            return change_list();
    }
}

void OwnWork::change_list() {
    auto& list = objects_.list;
    Entries model = now(Own::list);
    if (!model.empty() && context_.chance(6)) return change_slice();
    const std::uint32_t entry = ++fresh_ & 0xffff;
    const std::string value = text(Own::list, entry);
    const std::size_t size = model.size(), index = context_.random.below(size + 1);
    const auto at = [&](std::size_t i) { return model.begin() + static_cast<Index>(i); };
    const auto position = static_cast<Index>(index);
    // Where it is empty, or there is no room, only some make sense.
    const std::uint64_t kind = size == 0              ? context_.random.below(5)
                               : size + 8 > Own::most ? 5 + context_.random.below(10)
                                                      : context_.random.below(15);
    switch (kind) {
        case 0:
        case 1:
            model.push_back(entry);
            return change(Own::list, Op::list_push_back, model, [&] { list.push_back(value); });
        case 2:
        case 3:
            model.insert(at(index), entry);
            return change(Own::list, Op::list_insert, model, [&] { list.insert(position, value); });
        case 4: {
            std::vector<std::string> values;
            for (std::uint64_t i = 2 + context_.random.below(6); i != 0; --i) {
                model.push_back(++fresh_ & 0xffff);
                values.push_back(text(Own::list, model.back()));
            }
            return change(Own::list, Op::list_extend, model, [&] { list.extend(values); });
        }
        case 5:
        case 6: {
            const std::size_t which = index % size;
            const std::string stands = text(Own::list, model[which]);
            model.erase(at(which));
            return change(Own::list, Op::list_pop, model, [&] {
                expect(Own::list, Op::list_pop, list.pop(static_cast<Index>(which)) == stands);
            });
        }
        case 7:
            model.erase(at(index % size));
            return change(Own::list, Op::list_erase, model,
                          [&] { list.erase(static_cast<Index>(index % size)); });
        case 8: {
            const std::size_t end = std::min(size, index + context_.random.below(10));
            model.erase(at(index), at(end));
            return change(Own::list, Op::list_erase_slice, model,
                          [&] { list.erase_slice(position, static_cast<Index>(end)); });
        }
        case 9: {
            const std::string first = text(Own::list, model[index % size]);
            model.erase(std::find(model.begin(), model.end(), model[index % size]));
            return change(Own::list, Op::list_remove, model, [&] { list.remove(first); });
        }
        case 10:
            model[index % size] = entry;
            return change(Own::list, Op::list_set, model,
                          [&] { list.set(static_cast<Index>(index % size), value); });
        case 11:
            model[index % size] = entry;
            return change(Own::list, Op::list_update, model, [&] {
                list.update(static_cast<Index>(index % size), [&](const std::string&) { return value; });
            });
        case 12:
            std::reverse(model.begin(), model.end());
            return change(Own::list, Op::list_reverse, model, [&] { list.reverse(); });
        case 13:
            std::stable_sort(model.begin(), model.end(), [&](std::uint32_t one, std::uint32_t other) {
                return text(Own::list, one) < text(Own::list, other);
            });
            return change(Own::list, Op::list_sort, model, [&] { list.sort(); });
        default:
            if (!context_.chance(4)) return;
            return change(Own::list, Op::list_clear, {}, [&] { list.clear(); });
    }
}

void OwnWork::in_queue() {
    auto& queue = objects_.queue;
    Entries model = now(Own::queue);
    const std::uint32_t entry = ++fresh_ & 0xffff;
    const std::string value = text(Own::queue, entry),
                      first = model.empty() ? "" : text(Own::queue, model.front());
    const bool empty = model.empty();
    const auto put = [&] { model.push_back(entry); };
    const auto got = [&] {
        if (!empty) model.erase(model.begin());
    };
    const auto right = [&](const std::optional<std::string>& found) {
        return empty ? !found : found && *found == first;
    };
    const std::uint64_t kind =
        model.size() + 1 > Own::most ? 5 + context_.random.below(4) : context_.random.below(12);
    switch (kind) {
        case 0:
        case 1:
            put();
            return change(Own::queue, Op::queue_put, model, [&] { queue.put(value); });
        case 2:
            put();
            return change(Own::queue, Op::queue_try_put, model,
                          [&] { expect(Own::queue, Op::queue_try_put, queue.try_put(value)); });
        case 3:
            put();
            return change(Own::queue, Op::queue_put_nowait, model, [&] { queue.put_nowait(value); });
        case 4: {
            const Doing doing(context_.page, Op::queue_peek);
            return expect(Own::queue, Op::queue_peek, right(queue.peek()));
        }
        case 5:
        case 6:
            got();
            return change(Own::queue, Op::queue_try_get, model,
                          [&] { expect(Own::queue, Op::queue_try_get, right(queue.try_get())); });
        case 7:
            if (empty) return;
            got();
            return change(Own::queue, Op::queue_get, model,
                          [&] { expect(Own::queue, Op::queue_get, queue.get() == first); });
        case 8:
            got();
            return change(Own::queue, Op::queue_get_for, model,
                          [&] { expect(Own::queue, Op::queue_get_for, right(queue.get_for(1us))); });
        case 9: {
            const Doing doing(context_.page, Op::queue_snapshot);
            const auto found = queue.snapshot();
            return expect(
                Own::queue, Op::queue_snapshot,
                std::equal(found.begin(), found.end(), model.begin(), model.end(),
                           [&](const auto& one, std::uint32_t of) { return one == text(Own::queue, of); }));
        }
        case 10: {
            const Doing doing(context_.page, Op::queue_size);
            return expect(Own::queue, Op::queue_size, queue.qsize() == model.size() && !queue.full());
        }
        default:
            if (!context_.chance(8)) return;
            if (context_.chance(2))
                return change(Own::queue, Op::queue_drain, {}, [&] {
                    const auto all = queue.drain();
                    expect(Own::queue, Op::queue_drain,
                           std::equal(all.begin(), all.end(), model.begin(), model.end(),
                                      [&](const auto& one, std::uint32_t of) { return one == text(Own::queue, of); }));
                });
            return change(Own::queue, Op::queue_clear, {}, [&] { queue.clear(); });
    }
}

}  // namespace muster::soak

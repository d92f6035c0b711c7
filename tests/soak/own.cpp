// The model of a worker's own objects: what is in force, the change in flight, and what is held against it.
#include <algorithm>

#include "soak/worker.hpp"

namespace muster::soak {
namespace {

using Entries = std::vector<std::uint32_t>;
constexpr std::uint32_t which = 1, in_flight = 2;
constexpr const char* kinds[] = {"dict", "list", "queue"};

Entries entries_of(const Own::Model& model) {
    const std::size_t size = std::min<std::size_t>(model.size, Own::most);
    return {model.entries.begin(), model.entries.begin() + static_cast<std::ptrdiff_t>(size)};
}

std::string law(Own::Object object) {
    return std::string("one's own ") + kinds[object] + " is as one left it";
}

std::string shown(const Entries& entries) {
    std::string text = std::to_string(entries.size()) + " entries";
    for (std::size_t i = 0; i < std::min<std::size_t>(entries.size(), 40); ++i)
        text += (i == 0 ? ": " : " ") + std::to_string(entries[i] >> 16) + "." +
                std::to_string(entries[i] & 0xffff);
    return text;
}

std::uint32_t entry_of(const std::string& text, unsigned worker, Own::Object object) {
    const auto id = id_of(text);
    if (!id || own_id(worker, object, static_cast<std::uint32_t>(*id)) != *id)
        throw Broken("every value is whole",
                     std::string("worker's own ") + kinds[object] + " holds '" + text.substr(0, 60) + "'");
    return static_cast<std::uint32_t>(*id);
}

Entries found_in(const OwnObjects& objects, unsigned worker, Own::Object object) {
    Entries found;
    if (object == Own::dict) {
        for (const auto& [key, text] : objects.dict.items()) {
            found.push_back(entry_of(text, worker, object));
            if (found.back() >> 16 != key)
                throw Broken("every value is whole", "worker's own dict: another key's");
        }
    } else {
        for (const std::string& text :
             object == Own::list ? objects.list.snapshot() : objects.queue.snapshot())
            found.push_back(entry_of(text, worker, object));
    }
    return found;
}

void put_pair(Entries& entries, std::uint32_t pair) {
    for (std::uint32_t& entry : entries)
        if (entry >> 16 == pair >> 16) {
            entry = pair;
            return;
        }
    entries.push_back(pair);
}

// All that may stand there: before, after, and the steps in between if it is made pair by pair.
std::vector<Entries> possible(const Own& own) {
    const std::uint32_t state = own.state.load(std::memory_order_acquire);
    std::vector<Entries> all{entries_of(own.models[state & which])};
    if ((state & in_flight) == 0) return all;
    all.push_back(entries_of(own.models[~state & which]));
    Entries step = all.front();
    for (std::uint32_t i = 0; i < std::min(own.pairs, Own::most_pairs); ++i) {
        put_pair(step, own.pair[i]);
        all.push_back(step);
    }
    return all;
}

void store(Own::Model& model, const Entries& entries) {
    model.size = static_cast<std::uint32_t>(entries.size());
    std::copy(entries.begin(), entries.end(), model.entries.begin());
}

}  // namespace

void settle_own(const OwnObjects& objects, unsigned worker, Page& page) {
    for (const Own::Object object : {Own::dict, Own::list, Own::queue}) {
        Own& own = page.own[object];
        const Entries found = found_in(objects, worker, object);
        const auto allowed = possible(own);
        if (std::find(allowed.begin(), allowed.end(), found) == allowed.end())
            throw Broken(law(object),
                         "worker " + std::to_string(worker) + "'s has " + shown(found) +
                             "; before: " + shown(allowed[0]) +
                             (allowed.size() > 1 ? "; after: " + shown(allowed[1]) : std::string()));
        const std::uint32_t state = own.state.load();
        if ((state & in_flight) == 0) continue;
        std::uint32_t settled = state & which;
        if (found != allowed[0]) {
            // A step in between overwrites the model of the last one; a death in here finds the steps as they
            // were.
            if (found != allowed[1]) store(own.models[~state & which], found);
            settled = ~state & which;
        }
        own.state.store(settled, std::memory_order_release);
    }
}

OwnWork::OwnWork(Context& context, OwnObjects& objects)
    : context_(context),
      objects_(objects),
      fresh_(static_cast<std::uint32_t>(context.random.below(1 << 16))) {}

OwnWork::Entries OwnWork::now(Own::Object object) const {
    const Own& own = context_.page.own[object];
    return entries_of(own.models[own.state.load() & which]);
}

void OwnWork::change(Own::Object object, Op op, const Entries& after, const std::function<void()>& act,
                     const Entries& pairs) {
    Own& own = context_.page.own[object];
    const std::uint32_t state = own.state.load(std::memory_order_relaxed);
    own.pairs = static_cast<std::uint32_t>(pairs.size());
    std::copy(pairs.begin(), pairs.end(), own.pair.begin());
    store(own.models[~state & which], after);
    own.state.store(state | in_flight, std::memory_order_release);
    {
        const Doing doing(context_.page, op);
        act();
    }
    own.state.store(~state & which, std::memory_order_release);
}

void OwnWork::expect(Own::Object object, Op op, bool holds) const {
    if (!holds)
        throw Broken(law(object), std::string(name_of(op)) + " of worker " + std::to_string(context_.index) +
                                      " does not give what it must; " + shown(now(object)));
}

void OwnWork::act() {
    switch (context_.random.below(5)) {
        case 0:
        case 1:
            return in_dict();
        case 2:
        case 3:
            return in_list();
        default:
            return in_queue();
    }
}

}  // namespace muster::soak

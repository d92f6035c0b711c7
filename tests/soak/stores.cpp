#include <chrono>

#include "soak/worker.hpp"

namespace muster::soak {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t most_mail = 300;

std::string shown(const std::string& text) {
    return "'" + text.substr(0, 60) + (text.size() > 60 ? "…'" : "'");
}

}  // namespace

StoreWork::StoreWork(Context& context, World& world) : context_(context), world_(world) {}

// None: as many as one round bears.
std::optional<ItemId> StoreWork::begin_item(Store store) {
    const std::uint32_t number = context_.page.next[store].load(std::memory_order_relaxed);
    if (number >= items_per_round) return {};
    context_.page.put[store][number].store(Put::meant, std::memory_order_release);
    context_.page.next[store].store(number + 1, std::memory_order_release);
    return ItemId{context_.block.round.load(std::memory_order_relaxed), store, context_.index, number};
}

void StoreWork::end_item(const ItemId& id, Put how) {
    context_.page.put[id.store][id.number].store(how, std::memory_order_release);
}

void StoreWork::put_one(Store store, Op op, const std::function<bool(const std::string&)>& put) {
    const auto id = begin_item(store);
    if (!id) return;
    const Doing doing(context_.page, op);
    end_item(*id, put(text_of(id->packed())) ? Put::done : Put::withdrawn);
}

void StoreWork::put_many(Store store, Op op,
                         const std::function<std::size_t(const std::vector<std::string>&)>& put) {
    std::vector<ItemId> ids;
    std::vector<std::string> texts;
    for (std::uint64_t left = 2 + context_.random.below(6); left != 0; --left) {
        const auto id = begin_item(store);
        if (!id) break;
        ids.push_back(*id);
        texts.push_back(text_of(id->packed()));
    }
    const Doing doing(context_.page, op);
    const std::size_t done = put(texts);
    for (std::size_t i = 0; i < ids.size(); ++i) end_item(ids[i], i < done ? Put::done : Put::withdrawn);
}

void StoreWork::take(Store store, Op op, unsigned most,
                     const std::function<void(std::function<void(const std::string&)>)>& take,
                     bool in_front) {
    const Doing doing(context_.page, op);
    context_.page.taking[store].store(most, std::memory_order_release);
    take([&](const std::string& text) { got(store, text, in_front); });
    context_.page.taking[store].store(0, std::memory_order_release);
}

ItemId StoreWork::checked(Store store, const std::string& text) const {
    const auto packed = id_of(text);
    const auto is_ours = [&](const ItemId& id) {
        return id.round == context_.block.round.load(std::memory_order_relaxed) && id.store == store &&
               id.maker < page_count && id.number < items_per_round;
    };
    if (!packed || !is_ours(ItemId::unpack(*packed)))
        throw Broken("every value is whole", std::string(name_of(store)) + " holds " + shown(text));
    return ItemId::unpack(*packed);
}

void StoreWork::got(Store store, const std::string& text, bool in_front) {
    const ItemId id = checked(store, text);
    Page& maker = context_.block.pages[id.maker];
    if (maker.got[store][id.number].fetch_add(1) != 0)
        throw Broken("an item is taken once",
                     std::string(name_of(store)) + " gave " + shown(text) + " again");
    if (maker.put[store][id.number].load() == Put::never)
        throw Broken("an item was put before it is taken", shown(text));
    if (!in_front) return;
    std::int64_t& last = last_[store][id.maker];
    if (id.number <= last - 1)
        throw Broken("items of one maker come in their order", std::string(name_of(store)) + " gave " +
                                                                   shown(text) + " after number " +
                                                                   std::to_string(last - 1));
    last = std::int64_t{id.number} + 1;
}

// As of one moment: whole, and in the order of each maker.
void StoreWork::look(Store store, const std::vector<std::string>& texts) const {
    std::array<std::int64_t, page_count> last{};
    for (const std::string& text : texts) {
        const ItemId id = checked(store, text);
        if (id.number <= last[id.maker] - 1)
            throw Broken("items of one maker stand in their order", std::string(name_of(store)) + " has " +
                                                                        shown(text) + " behind number " +
                                                                        std::to_string(last[id.maker] - 1));
        last[id.maker] = std::int64_t{id.number} + 1;
    }
}

void StoreWork::act() {
    if (round_ != context_.block.round.load()) {
        round_ = context_.block.round.load();
        last_ = {};
        loan_.reset();  // it is over: the queue was cleared
    }
    switch (context_.random.below(12)) {
        case 0:
        case 1:
            return in_jobs();
        case 2:
            return in_mail();
        case 3:
            return in_tokens();
        case 4:
            return in_log();
        case 5:
            return in_badges();
        case 6:
            return in_stack();
        case 7:
            return in_ranks();
        case 8:
        case 9:
            return in_loans();
        case 10:
            return in_parcels();
        default:
            return in_tickets();
    }
}

// A bounded queue. Untimed puts are let in by the controller when everybody puts.
void StoreWork::in_jobs() {
    auto& queue = world_.jobs;
    const auto wait = std::chrono::microseconds(context_.random.below(4000));
    const auto taken = [&](const auto& get) {
        return [&queue, wait, get](const auto& out) {
            if (const auto text = get(queue, wait)) out(*text);
        };
    };
    switch (context_.random.below(12)) {
        case 0:
            return put_one(jobs, Op::queue_put, [&](const auto& text) { return queue.put(text), true; });
        case 1:
        case 2:
            return put_one(jobs, Op::queue_put_for,
                           [&](const auto& text) { return queue.put_for(text, wait); });
        case 3:
            return put_one(jobs, Op::queue_try_put, [&](const auto& text) { return queue.try_put(text); });
        case 4:
            return put_one(jobs, Op::queue_put_nowait, [&](const auto& text) {
                try {
                    return queue.put_nowait(text), true;
                } catch (const Error& error) {
                    if (error.errc() != Errc::full) throw;
                    return false;
                }
            });
        case 5:
        case 6:
        case 7:
            return take(jobs, Op::queue_get_for, 1,
                        taken([](auto& q, auto most) { return q.get_for(most); }));
        case 8:
            return take(jobs, Op::queue_try_get, 1, taken([](auto& q, auto) { return q.try_get(); }));
        case 9:
            return take(jobs, Op::queue_get_nowait, 1, [&](const auto& out) {
                try {
                    out(queue.get_nowait());
                } catch (const Error& error) {
                    if (error.errc() != Errc::empty) throw;
                }
            });
        case 10: {
            const Doing doing(context_.page, Op::queue_snapshot);
            return look(jobs, queue.snapshot());
        }
        default: {
            const Doing doing(context_.page, Op::queue_size);
            if (queue.size() > static_cast<std::size_t>(jobs_bound) || queue.maxsize() != jobs_bound)
                throw Broken("a bounded queue keeps its bound",
                             "jobs has " + std::to_string(queue.size()) + " items");
            (void)queue.full();
        }
    }
}

// A queue without bound, and many items at once.
void StoreWork::in_mail() {
    auto& queue = world_.mail;
    const bool long_enough = queue.size() > most_mail;
    switch (long_enough ? 4 + context_.random.below(3) : context_.random.below(9)) {
        case 0:
        case 1:
            return put_one(mail, Op::queue_put, [&](const auto& text) { return queue.put(text), true; });
        case 2:
        case 3:
            return put_many(mail, Op::queue_put_many,
                            [&](const auto& texts) { return queue.try_put_many(texts); });
        case 4:
            return take(mail, Op::queue_get_for, 1, [&](const auto& out) {
                if (const auto text = queue.get_for(1ms)) out(*text);
            });
        case 5:
        case 6:
            return take(mail, Op::queue_get_many, 8, [&](const auto& out) {
                for (const std::string& text : queue.try_get_many(8)) out(text);
            });
        case 7: {
            const Doing doing(context_.page, Op::queue_task_done);
            Adding adding(context_.page.tasks_done);
            try {
                queue.task_done();
                adding.done();
            } catch (const Error& error) {
                if (error.errc() != Errc::value_error) throw;
            }
            return;
        }
        default: {
            const Doing doing(context_.page, Op::queue_peek);
            if (const auto text = queue.peek()) (void)checked(mail, *text);
        }
    }
}

// A few tokens that go round: whoever takes one puts another. get() without a timeout, which ends because the
// controller stands in for those who die with one.
void StoreWork::in_tokens() {
    if (context_.page.next[tokens].load() == items_per_round) return;  // it could not put one
    context_.page.owes_token.store(true);
    take(tokens, Op::queue_get, 1, [&](const auto& out) { out(world_.tokens.get()); });
    put_one(tokens, Op::queue_put, [&](const auto& text) { return world_.tokens.put(text), true; });
    context_.page.owes_token.store(false);
}

}  // namespace muster::soak

// Conservation: items, counters, tasks, money.
#include <algorithm>
#include <map>

#include "soak/controller.hpp"

namespace muster::soak {
namespace {

std::string between(const std::string& what, std::int64_t found, std::uint64_t least, std::uint64_t most) {
    if (found >= 0 && static_cast<std::uint64_t>(found) >= least && static_cast<std::uint64_t>(found) <= most)
        return {};
    return what + " has grown by " + std::to_string(found) + ", but " + std::to_string(least) +
           " additions were done and " + std::to_string(most) + " begun";
}

// Of a store that has an order of its own.
std::vector<std::string> by_maker(std::vector<std::string> texts) {
    std::sort(texts.begin(), texts.end(), [](const std::string& a, const std::string& b) { return id_of(a) < id_of(b); });
    return texts;
}

}  // namespace

// Items put = items taken + items left + those that went with who died while taking. Returns how many were
// put, at least and at most.
Bounds Controller::check_store(Store store, const std::vector<std::string>& left) {
    const std::string of = name_of(store), conserved = "items put = got + left + accounted for";
    std::map<std::uint64_t, unsigned> there;
    std::array<std::int64_t, page_count> last{};
    for (const std::string& text : left) {
        const auto packed = id_of(text);
        const ItemId id = ItemId::unpack(packed.value_or(~std::uint64_t{0}));
        const bool ours = packed && id.round == block_->round && id.store == store && id.maker < page_count &&
                          id.number < items_per_round;
        law("every value is whole", ours ? "" : of + " holds '" + text.substr(0, 60) + "'");
        if (!ours) return {};
        law("items stand in the order of each maker",
            id.number >= last[id.maker] ? "" : of + ": '" + text.substr(0, 60) + "'");
        last[id.maker] = std::int64_t{id.number} + 1;
        ++there[*packed];
    }
    Bounds put;
    std::uint64_t lost = 0;
    std::string wrong, twice, example;
    for (unsigned maker = 0; maker < page_count; ++maker) {
        const Page& page = block_->pages[maker];
        for (std::uint32_t number = 0; number < page.next[store].load(); ++number) {
            const Put how = page.put[store][number];
            const std::uint64_t packed = ItemId{block_->round, store, maker, number}.packed();
            const auto found = there.find(packed);
            const unsigned seen = page.got[store][number] + (found == there.end() ? 0 : found->second);
            const std::string name = of + ", '" + std::to_string(packed) + "' of " + std::to_string(maker);
            if (found != there.end()) there.erase(found);
            // Who took it again may have been killed before telling.
            if (seen > 1) twice = name + " is there, or was taken, " + std::to_string(seen) + " times";
            if (seen != 0 && (how == Put::withdrawn || how == Put::never)) wrong = name + " was never put";
            if (how == Put::done || seen != 0) ++put.least;
            if (how != Put::withdrawn && how != Put::never) ++put.most;
            if (how == Put::done && seen == 0) {
                ++lost;
                example = name;
            }
        }
    }
    if (!there.empty()) wrong = of + ", '" + std::to_string(there.begin()->first) + "' was never put";
    if (lost > may_be_lost_[store])
        wrong = std::to_string(lost) + " items are missing, as " + example + "; " +
                std::to_string(may_be_lost_[store]) + " may have gone with the dead";
    law("an item is taken once", twice);
    law(conserved, wrong);
    report_.items += put.least;
    report_.items_unaccounted += lost;
    return put;
}

void Controller::check_items() {
    (void)check_store(jobs, world_->jobs.snapshot());
    check_tasks(check_store(mail, world_->mail.snapshot()));
    (void)check_store(tokens, world_->tokens.snapshot());
    (void)check_store(log, world_->log.snapshot());
    (void)check_store(tickets, world_->tickets.values());
    std::vector<std::string> texts;
    for (const std::uint64_t badge : world_->badges.snapshot()) texts.push_back(text_of(badge));
    (void)check_store(badges, texts);
    (void)check_store(stack, by_maker(world_->stack.snapshot()));
    (void)check_store(ranks, by_maker(world_->ranks.snapshot()));
    check_loans();
    texts.clear();
    for (const List<std::string>& parcel : world_->parcels.snapshot()) texts.push_back(parcel.at(0));
    (void)check_store(parcels, texts);
}

// What the dead had leased is there again, or a dead letter; what was settled is done.
void Controller::check_loans() {
    std::vector<std::string> kept;
    for (const Page& page : block_->pages)
        if (const std::uint64_t loan = page.loan; loan != 0) kept.push_back(text_of(loan));
    law_in_time("what the dead have leased is given back", [&]() -> std::string {
        const std::size_t leased = world_->loans.leased();
        if (leased == kept.size()) return {};
        return std::to_string(leased) + " are leased, " + std::to_string(kept.size()) + " by the living";
    });
    std::vector<std::string> left = world_->loans.snapshot();
    left.insert(left.end(), kept.begin(), kept.end());
    const std::size_t tasks = left.size();
    for (const auto& [text, deliveries] : world_->loans.dead_letters()) {
        law("a dead letter was delivered as often as may be",
            deliveries == loan_deliveries ? "" : std::to_string(deliveries) + " times");
        left.push_back(text);
    }
    (void)check_store(loans, by_maker(left));
    // A lease that is acknowledged reports its task, and a dead letter is none until it is tried again.
    const std::uint64_t unfinished = world_->loans.unfinished();
    law("of what is leased, unfinished tasks = those that wait or are kept",
        unfinished == tasks ? "" : std::to_string(unfinished) + " unfinished, " + std::to_string(tasks) + " are");
}

// Every item put is a task, until it is reported as done.
void Controller::check_tasks(Bounds put) {
    std::uint64_t least = 0, most = 0;
    for (const Page& page : block_->pages) {
        least += page.tasks_done.done;
        most += page.tasks_done.meant;
    }
    const std::uint64_t now = world_->mail.unfinished() + most;
    const std::uint64_t at_most = bases_.unfinished + put.most + (most - least);
    law("unfinished tasks = put - reported",
        now >= bases_.unfinished + put.least && now <= at_most
            ? std::string()
            : std::to_string(now - most) + " unfinished; before " + std::to_string(bases_.unfinished) +
                  ", put " + std::to_string(put.least) + " to " + std::to_string(put.most) + ", reported " +
                  std::to_string(least) + " to " + std::to_string(most));
}

// The same as seen by a transaction, and by looking into each object.
void Controller::check_till() {
    const Till& till = world_->till;
    std::int64_t sum = 0;
    for (const auto& coins : {till.line.snapshot(), till.pile.snapshot(), till.sorted.snapshot(), till.purse.snapshot(),
                              till.hoard.snapshot()})
        for (const std::int64_t coin : coins) sum += coin;
    const auto [money, members_seen] = sum_of_till(realm_.manager, *world_);
    law("coins move, and none is made",
        sum == total_in_till && money == total_in_till
            ? ""
            : "the till has " + std::to_string(sum) + ", in a transaction " + std::to_string(money) + ", not " +
                  std::to_string(total_in_till));
    const std::size_t there = till.here.size() + till.there.size();
    law("a member is in one set", there == member_count && members_seen == there
                                      ? ""
                                      : "the sets have " + std::to_string(there) + ", in a transaction " +
                                            std::to_string(members_seen));
}

void Controller::check_sums() {
    const auto bounds = [&](auto member, unsigned index) {
        Bounds sum;
        for (const Page& page : block_->pages) {
            sum.least += (page.*member)[index].done;
            sum.most += (page.*member)[index].meant;
        }
        return sum;
    };
    const std::string exact = "counters are exact to the additions in flight";
    for (unsigned i = 0; i < counters; ++i) {
        const Bounds sum = bounds(&Page::counted, i);
        law(exact, between("counter " + std::to_string(i), world_->counters.at(i) - bases_.counted[i],
                           sum.least, sum.most));
    }
    for (unsigned i = 0; i < elements; ++i) {
        const Bounds sum = bounds(&Page::counted_in_list, i);
        law(exact, between("element " + std::to_string(i),
                           world_->counting.at(static_cast<Index>(i)) - bases_.counted_in_list[i], sum.least,
                           sum.most));
    }
    for (unsigned i = 0; i < counters; ++i) {
        const Bounds sum = bounds(&Page::counted_by_counter, i);
        law(exact, between("count " + std::to_string(i),
                           world_->counter.get(i) - bases_.counted_by_counter[i], sum.least, sum.most));
    }
    for (unsigned i = 0; i < attributes; ++i) {
        const Bounds sum = bounds(&Page::counted_in_namespace, i);
        const auto now = world_->space.get<std::int64_t>(attribute_name(i));
        law(exact, between(attribute_name(i), now - bases_.counted_in_namespace[i], sum.least, sum.most));
    }
    for (unsigned i = 0; i < elements; ++i) {
        const Bounds sum = bounds(&Page::counted_in_array, i);
        law(exact, between("array " + std::to_string(i),
                           world_->array.get(static_cast<Index>(i)) - bases_.counted_in_array[i], sum.least, sum.most));
    }
    const Bounds in_value = bounds(&Page::counted_in_value, 0);
    law(exact, between("value", world_->value.get() - bases_.counted_in_value, in_value.least, in_value.most));
    for (unsigned i = 0; i < guarded; ++i) {
        const Bounds sum = bounds(&Page::counted_under_lock, i);
        law("counting under a lock loses nothing",
            between("guarded " + std::to_string(i), world_->guarded.at(i) - bases_.counted_under_lock[i],
                    sum.least, sum.most));
    }
    const Bounds transfers = bounds(&Page::transfers, 0);
    law(exact, between("receipts", world_->receipts.get(0) - bases_.transfers, transfers.least, transfers.most));
    const std::int64_t in_vaults = money_in_vaults(realm_.manager, *world_);
    law("transactions move money and make none",
        in_vaults == total_in_vaults ? "" : "the vaults have " + std::to_string(in_vaults) + ", not " + std::to_string(total_in_vaults));
    const Bounds moves = bounds(&Page::moves, 0);
    law(exact, between("moves", world_->till.book.get<std::int64_t>("moves") - bases_.moves, moves.least, moves.most));
    check_till();
    bool inherited = false;
    {
        const std::scoped_lock hold(world_->bank);
        inherited = world_->bank.previous_owner_died();
        law("a living owner leaves nothing half done",
            inherited || (world_->journal.empty() && block_->bank.holder == 0)
                ? ""
                : "a transfer is in the journal");
        block_->bank.holder = 0;  // the heir, who mends it, is the controller
        mend_bank(*world_);
    }
    const std::int64_t money = money_in(*world_);
    law("transfers move money and make none",
        money == total_money
            ? ""
            : "the bank has " + std::to_string(money) + ", not " + std::to_string(total_money));
}

}  // namespace muster::soak

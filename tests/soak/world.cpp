#include "soak/world.hpp"

#include "handles/realm.hpp"
#include "soak/block.hpp"

namespace muster::soak {
namespace {

std::string named(const std::string& name) { return prefix + name; }
std::string shard_name(unsigned index) { return named("shard " + std::to_string(index)); }
std::string vault_name(unsigned index) { return named("vault " + std::to_string(index)); }
std::string own_name(unsigned worker, const char* kind) {
    return named("own " + std::to_string(worker) + " " + kind);
}

}  // namespace

World open_world(const Manager& manager) {
    const auto sums = [&](const std::string& name) {
        return manager.dict<std::uint32_t, std::int64_t>(name);
    };
    std::vector<Dict<std::uint32_t, std::int64_t>> shard;
    for (unsigned i = 0; i < shards; ++i) shard.push_back(sums(shard_name(i)));
    std::vector<Dict<std::uint32_t, std::int64_t>> vault;
    for (unsigned i = 0; i < vaults; ++i) vault.push_back(sums(vault_name(i)));
    return {manager.queue<std::string>(named("jobs"), {.maxsize = jobs_bound}),
            manager.queue<std::string>(named("mail")),
            manager.queue<std::string>(named("tokens")),
            manager.list<std::string>(named("log")),
            manager.dict<std::uint64_t, std::string>(named("tickets")),
            sums(named("counters")),
            sums(named("guarded")),
            manager.list<std::int64_t>(named("counting")),
            manager.set<std::uint64_t>(named("badges")),
            manager.counter<std::uint32_t>(named("counter")),
            manager.ns(named("namespace")),
            std::move(shard),
            manager.dict<std::string, Transfer>(named("journal")),
            manager.rlock(named("ledger")),
            manager.lock(named("bank")),
            std::move(vault),
            manager.counter<std::uint32_t>(named("receipts")),
            manager.queue<std::string>(named("stack"), {.order = Order::lifo}),
            manager.queue<std::string>(named("ranks"), {.order = Order::priority}),
            manager.semaphore(named("permits"), permit_count),
            manager.bounded_semaphore(named("slots"), slot_count),
            manager.event(named("flag")),
            manager.barrier(named("gate"), gate_parties),
            manager.condition(named("news")),
            manager.value<std::int64_t>(named("credits")),
            manager.value<std::int64_t>(named("value")),
            manager.array<std::int64_t>(named("array"), elements),
            manager.queue<std::string>(named("loans"), {.max_deliveries = loan_deliveries}),
            manager.queue<List<std::string>>(named("parcels")),
            manager.dict<std::uint32_t, List<std::uint64_t>>(named("shelves")),
            {manager.queue<std::int64_t>(named("line")),
             manager.queue<std::int64_t>(named("pile"), {.order = Order::lifo}),
             manager.queue<std::int64_t>(named("sorted"), {.order = Order::priority}),
             manager.array<std::int64_t>(named("purse"), purses), manager.list<std::int64_t>(named("hoard")),
             manager.set<std::uint32_t>(named("here")), manager.set<std::uint32_t>(named("there")),
             manager.ns(named("book"))}};
}

std::string attribute_name(unsigned index) { return "count " + std::to_string(index); }

void fill_world(World& world) {
    for (unsigned i = 0; i < counters; ++i) world.counters.set(i, 0);
    for (unsigned i = 0; i < guarded; ++i) world.guarded.set(i, 0);
    for (unsigned i = 0; i < elements; ++i) world.counting.push_back(0);
    for (unsigned i = 0; i < attributes; ++i) world.space.set(attribute_name(i), std::int64_t{0});
    for (auto& shard : world.shard)
        for (unsigned i = 0; i < accounts; ++i) shard.set(i, deposit);
    for (auto& vault : world.vault)
        for (unsigned i = 0; i < accounts; ++i) vault.set(i, deposit);
    for (auto* queue : {&world.till.line, &world.till.pile, &world.till.sorted})
        for (std::int64_t coin = 1; coin <= coins_of_queue; ++coin) queue->put(coin);
    world.till.purse.fill(coins_of_purse);
    for (std::int64_t i = 0; i < purses; ++i) world.till.hoard.push_back(coins_of_purse);
    for (std::uint32_t i = 0; i < member_count; ++i) world.till.here.add(i);
    world.till.book.set("moves", std::int64_t{0});
}

OwnObjects open_own(const Manager& manager, unsigned worker) {
    return {manager.dict<std::uint32_t, std::string>(own_name(worker, "dict")),
            manager.list<std::string>(own_name(worker, "list")),
            manager.queue<std::string>(own_name(worker, "queue"))};
}

std::vector<std::string> lasting_names(unsigned workers) {
    std::vector<std::string> all;
    for (const char* name : {"jobs", "mail", "tokens", "log", "tickets", "counters", "guarded", "counting",
                             "badges", "counter", "namespace", "journal", "ledger", "bank",
                             "receipts", "stack", "ranks", "permits", "slots", "flag", "gate", "news",
                             "credits", "value", "array", "loans", "parcels", "shelves", "line", "pile", "sorted", "purse",
                             "hoard", "here", "there", "book"})
        all.push_back(named(name));
    for (unsigned i = 0; i < shards; ++i) all.push_back(shard_name(i));
    for (unsigned i = 0; i < vaults; ++i) all.push_back(vault_name(i));
    for (unsigned i = 0; i < workers; ++i)
        for (const char* kind : {"dict", "list", "queue"}) all.push_back(own_name(i, kind));
    return all;
}

Attached::Attached(const std::string& address)
    : session(session::Session::attach(session::Address::parse(address), base::Deadline::after(std::chrono::seconds(20)))),
      manager(std::make_shared<detail::Realm>(session)) {}

}  // namespace muster::soak

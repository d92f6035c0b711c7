// The named objects that the workers share, and what each worker has for itself, as one process holds them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <muster/manager.hpp>

#include "session/session.hpp"

namespace muster::soak {

inline constexpr const char* prefix = "soak ";              // of all names
inline constexpr const char* passing_prefix = "soak tmp ";  // of objects that come and go
inline constexpr std::int64_t jobs_bound = 12;
inline constexpr unsigned token_count = 3;
inline constexpr unsigned shards = 4, accounts = 6;
inline constexpr std::int64_t deposit = 1000;
inline constexpr std::int64_t permit_count = 4, slot_count = 2;
inline constexpr unsigned gate_parties = 3;
inline constexpr unsigned vaults = 2;
inline constexpr std::uint32_t loan_deliveries = 4;
inline constexpr std::uint32_t shelf_count = 5;
inline constexpr std::int64_t total_in_vaults = deposit * vaults * accounts;
inline constexpr std::int64_t total_money = deposit * shards * accounts;

// From shard and account to shard and account; what stands there afterwards.
using Transfer = std::tuple<unsigned, unsigned, unsigned, unsigned, std::int64_t, std::int64_t>;

// Coins in objects of every kind that can take part in a transaction, and changed by transactions alone: they move, and
// none is made or lost. So do members, from one set to the other.
struct Till {
    Queue<std::int64_t> line, pile, sorted;  // in each order a queue can have
    Array<std::int64_t> purse;
    List<std::int64_t> hoard;
    Set<std::uint32_t> here, there;
    Namespace book;  // "moves"
};
inline constexpr std::int64_t coins_of_queue = 8, purses = 4, coins_of_purse = 100;
inline constexpr std::uint32_t member_count = 16;
inline constexpr std::int64_t total_in_till =
    3 * coins_of_queue * (coins_of_queue + 1) / 2 + 2 * purses * coins_of_purse;

struct World {
    Queue<std::string> jobs, mail, tokens;
    List<std::string> log;
    Dict<std::uint64_t, std::string> tickets;
    Dict<std::uint32_t, std::int64_t> counters, guarded;
    List<std::int64_t> counting;
    Set<std::uint64_t> badges;
    Counter<std::uint32_t> counter;
    Namespace space;
    std::vector<Dict<std::uint32_t, std::int64_t>> shard;
    Dict<std::string, Transfer> journal;  // of the transfer that the bank's lock is held for
    RLock ledger;
    Lock bank;
    // Changed by transactions alone: money that moves between two dicts, and how often it did.
    std::vector<Dict<std::uint32_t, std::int64_t>> vault;
    Counter<std::uint32_t> receipts;
    Queue<std::string> stack, ranks;  // last in first out, lowest first
    Semaphore permits;                // kept from one operation to the next
    BoundedSemaphore slots;
    Event flag;
    Barrier gate;
    Condition news;                   // its lock guards `credits`
    SharedValue<std::int64_t> credits, value;
    Array<std::int64_t> array;
    Queue<std::string> loans;                            // what is leased, and settled or not
    Queue<List<std::string>> parcels;                    // each a list of its own, of one item
    Dict<std::uint32_t, List<std::uint64_t>> shelves;    // lists that others write into
    Till till;
};
// Opens them, or makes them, empty.
World open_world(const Manager& manager);
// The attribute of a namespace that counts.
std::string attribute_name(unsigned index);
// What they begin with: zeros and deposits. Nobody else uses them meanwhile.
void fill_world(World& world);

// A worker's own; their texts are own_id's.
struct OwnObjects {
    Dict<std::uint32_t, std::string> dict;
    List<std::string> list;
    Queue<std::string> queue;
};
OwnObjects open_own(const Manager& manager, unsigned worker);

// All names that stay while the soak runs.
std::vector<std::string> lasting_names(unsigned workers);

// A process in the daemon's realm, with the library's own view of it beside the public one.
struct Attached {
    std::shared_ptr<session::Session> session;
    Manager manager;
    explicit Attached(const std::string& address);
};

}  // namespace muster::soak

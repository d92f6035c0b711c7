// One of the soak's workers: does random operations of all kinds until it is killed, parked or told to stop,
// notes what it means to do and has done, and checks what it sees. It goes on where its last incarnation on
// this page died.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#include <muster/ipc.hpp>

#include "soak/block.hpp"
#include "soak/world.hpp"
#include "support/random.hpp"

namespace muster::soak {

// A law is broken; what() names it.
struct Broken : std::runtime_error {
    Broken(const std::string& law, const std::string& text) : std::runtime_error(law + ": " + text) {}
};

// What a worker's parts work with.
struct Context {
    Block& block;
    unsigned index;
    Page& page;
    test::Random random;
    Attached realm;

    bool chance(unsigned one_in) { return random.below(one_in) == 0; }
};

// Items in queues, a list and a dict: each is taken once.
class StoreWork {
  public:
    StoreWork(Context& context, World& world);
    void act();

  private:
    void put_one(Store store, Op op, const std::function<bool(const std::string&)>& put);
    void put_many(Store store, Op op, const std::function<std::size_t(const std::vector<std::string>&)>& put);
    // `take` says how many; their texts come through `taken`.
    void take(Store store, Op op, unsigned most,
              const std::function<void(std::function<void(const std::string&)>)>& take, bool in_front = true);
    void got(Store store, const std::string& text, bool in_front);
    ItemId checked(Store store, const std::string& text) const;
    std::optional<ItemId> begin_item(Store store);
    void end_item(const ItemId& id, Put how);
    void in_jobs();
    void in_mail();
    void in_tokens();
    void in_log();
    void in_tickets();
    void in_badges();
    void in_stack();
    void in_ranks();
    void in_loans();
    void lease();
    void settle();
    void in_parcels();
    void look(Store store, const std::vector<std::string>& texts) const;

    Context& context_;
    World& world_;
    std::array<std::array<std::int64_t, page_count>, store_count>
        last_{};  // number of the last item of each maker
    std::uint32_t round_ = 0;
    std::optional<Leased<std::string>> loan_;
};

// Counters by atomic operations and under a lock; money that moves between the shards of a bank.
class SumWork {
  public:
    SumWork(Context& context, World& world) : context_(context), world_(world) {}
    void act();

  private:
    void count();
    void count_by_counter();
    void count_in_namespace();
    void count_under_lock();
    void transfer();
    void transfer_together();
    void move_coins();
    void repair(bool inherited);
    // False: the time ran out.
    bool enter(detail::BasicLock& lock, LockState& state, bool& inherited);
    void leave(detail::BasicLock& lock, LockState& state);

    Context& context_;
    World& world_;
};

// What is there to wait for others, and numbers that all add to.
class SyncWork {
  public:
    SyncWork(Context& context, World& world) : context_(context), world_(world) {}
    void act();

  private:
    void with_permits();
    void in_slots();
    void at_flag();
    void at_gate();
    void make_credit();
    void use_credit();
    void enter_news();
    void leave_news();
    void in_numbers();
    void through_pipe();

    Context& context_;
    World& world_;
};
// Under the lock of the news: whoever died with it may have had something to tell.
void tell_for_the_dead(World& world);

// Does the bank hold what it should? For who holds its lock; a transfer in flight is completed first.
void mend_bank(World& world);
std::int64_t money_in(const World& world);
// As of one moment, without any lock.
std::int64_t money_in_vaults(const Manager& manager, const World& world);
// The same of the till, seen by a transaction that takes all there is and is then called off.
struct TillSum {
    std::int64_t money;
    std::size_t members;
};
TillSum sum_of_till(const Manager& manager, const World& world);

// Objects that this worker alone changes: they are exactly as its model says.
class OwnWork {
  public:
    OwnWork(Context& context, OwnObjects& objects);
    void act();

  private:
    using Entries = std::vector<std::uint32_t>;
    Entries now(Own::Object object) const;
    // `pairs`: what it does one after the other; none: it is atomic.
    void change(Own::Object object, Op op, const Entries& after, const std::function<void()>& act,
                const Entries& pairs = {});
    std::string text(Own::Object object, std::uint32_t entry) const {
        return text_of(own_id(context_.index, object, entry));
    }
    void in_dict();
    void change_dict();
    void in_list();
    void change_list();
    void change_slice();
    void in_queue();
    void expect(Own::Object object, Op op, bool holds) const;

    Context& context_;
    OwnObjects& objects_;
    std::uint32_t fresh_ = 0;
};

// What a worker's own object holds against its model; settles a change that was in flight. Throws Broken.
void settle_own(const OwnObjects& objects, unsigned worker, Page& page);

// Objects that come and go: with names that all share, without any, and as values of others.
class ErrandWork {
  public:
    ErrandWork(Context& context, World& world) : context_(context), world_(world) {}
    void act();

  private:
    void anonymous();
    void named();
    void queue_that_closes();
    void at_shelves();
    void with_table();
    void with_numbers();
    void with_dead_letters();
    void with_force();
    void with_several();
    Context& context_;
    World& world_;
};

// The process' main function. Returns its exit code: 0 told to stop, 3 a law was broken and noted.
// `inherited`: what it has of its parent; none: it connects by itself.
int work(Block& block, unsigned index, const std::string& address, std::uint64_t seed,
         const Attached* inherited);
// The same for the one that asks the daemon all the time how the realm is.
int inspect(Block& block, const std::string& address, std::uint64_t seed);

}  // namespace muster::soak

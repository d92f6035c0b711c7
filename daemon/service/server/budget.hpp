// How many bytes connections may hold for their clients: messages not yet complete and replies not yet read.
//
// Each connection has `allowance` bytes in each direction for itself; what it holds above that it takes from its
// user's share, and the users from the total. So neither one client nor all of one user make the service grow beyond
// a bound, and one who has taken all hinders no small message of others. Thread safety: the service's one thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <memory>

#include "service/server/pace.hpp"

namespace muster::service {

inline constexpr std::size_t allowance = 16 * 1024;

// What is read of one user's messages above `allowance` bytes each: so much a second, and so much at once.
inline constexpr double large_input = 16 << 20, large_input_burst = 4 << 20;
inline constexpr std::chrono::milliseconds longest_pause{20};
// What of one user's is no message, which ends its connection, is answered so often a second, and so often at once.
inline constexpr double malformed_a_second = 100, malformed_burst = 32;
// Who sends the next call before he has the answer to the last one: the seconds that all such calls of one user take, of
// each second, and at once.
inline constexpr double flood_share = 0.25, flood_burst = 0.02;

class Budget {
  public:
    Budget(std::size_t total, std::size_t per_uid) : total_(total), per_uid_(per_uid) {}

    bool take(uid_t uid, std::size_t bytes);  // all or, answering false, nothing
    void give_back(uid_t uid, std::size_t bytes) noexcept;
    std::size_t left(uid_t uid) const noexcept;
    std::size_t taken() const noexcept { return taken_; }
    std::size_t per_uid() const noexcept { return per_uid_; }

    // So many bytes of a large message were read; when the next ones may be.
    Pace::Clock::time_point next_large(uid_t uid, std::size_t bytes, Pace::Clock::time_point now);
    // Calls that did not wait for each other have taken so long; when the next one may.
    Pace::Clock::time_point next_of_flood(uid_t uid, Pace::Clock::duration taken, Pace::Clock::time_point now);
    // Something that is no message was read; when it may be answered.
    Pace::Clock::time_point next_malformed(uid_t uid, Pace::Clock::time_point now);

  private:
    std::size_t total_, per_uid_, taken_ = 0;
    std::map<uid_t, std::size_t> uids_;  // those that have taken some
    std::map<uid_t, Pace> paces_, floods_, malformed_;
};

// What one connection holds in one direction; given back with it.
class Share {
  public:
    Share(std::shared_ptr<Budget> budget, uid_t uid) : budget_(std::move(budget)), uid_(uid) {}
    ~Share() { budget_->give_back(uid_, taken_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // It holds so many bytes now. False, and nothing is changed, when they are not to be had; less always is.
    bool hold(std::size_t bytes);
    bool could_hold(std::size_t bytes) const noexcept;

  private:
    static std::size_t above(std::size_t bytes) noexcept { return bytes > allowance ? bytes - allowance : 0; }

    std::shared_ptr<Budget> budget_;
    uid_t uid_;
    std::size_t taken_ = 0;
};

}  // namespace muster::service

// Calls that wait until processes have settled: ended, and nothing of a stopped tree left.
//
// Thread safety: the service's one thread. Every answer is given exactly once, or never after cancel().
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <unordered_set>
#include <vector>

#include "service/supervisor/process.hpp"

namespace muster::service {

class Waits {
  public:
    using Token = std::uint64_t;
    // `in_time` is false when the deadline came first.
    using Answer = std::function<void(const Processes& all, bool in_time)>;

    // Answers at once, from within, when all have settled already; then the token is 0.
    Token add(std::vector<ProcessPtr> all, std::optional<Clock::time_point> deadline, Answer answer);
    void cancel(Token token) noexcept;

    void settled(std::uint64_t id);
    void expire(Clock::time_point now);
    std::optional<Clock::time_point> next_deadline() const noexcept;
    std::size_t size() const noexcept { return waits_.size(); }

  private:
    struct Wait {
        Token token;
        Processes all;
        std::unordered_set<std::uint64_t> open;
        std::optional<Clock::time_point> deadline;
        Answer answer;
    };
    void answer(std::list<Wait>&& done, bool in_time);

    std::list<Wait> waits_;
    Token last_ = 0;
};

}  // namespace muster::service

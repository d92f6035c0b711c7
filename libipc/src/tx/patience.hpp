// A limit to how long the calling thread waits for any domain, for operations that have a deadline of their own.
// Thread safety: each thread has its own.
#pragma once

#include "base/base.hpp"

namespace muster::tx {

// Within its life no domain is waited for beyond the deadline, or `at_least` so long where that is later, however patient
// the call is: tx::Busy then. The innermost one counts. Costs nothing where nobody has to wait.
class Patience {
  public:
    Patience(base::Deadline until, std::chrono::nanoseconds at_least) noexcept
        : until_(until), at_least_(at_least), outer_(current_) {
        current_ = this;
    }
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;
    ~Patience() { current_ = outer_; }

    static base::Deadline limit(base::Deadline deadline) noexcept {
        if (current_ == nullptr) return deadline;
        const auto least = base::Deadline::after(current_->at_least_);
        return deadline.earlier(current_->until_.when() < least.when() ? least : current_->until_);
    }

  private:
    static thread_local constinit const Patience* current_;
    base::Deadline until_;
    std::chrono::nanoseconds at_least_;
    const Patience* outer_;
};

}  // namespace muster::tx

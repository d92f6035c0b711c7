#include <muster/watch.hpp>

#include <algorithm>

#include <muster/dict.hpp>
#include <muster/wait_any.hpp>

#include "handles/wait_source.hpp"

namespace muster {
namespace detail {
namespace {

// That of the last change that is complete: while words change the number is odd.
std::uint64_t version_of(const ObjectState& state) { return tx::sequence_of(state.object().domain) & ~std::uint64_t{1}; }

base::Deadline deadline_of(Timeout timeout) { return timeout ? base::Deadline::after(*timeout) : base::Deadline::never(); }

// For wait_any: the object has another version than the one that was seen.
class ChangeSource final : public WatchedSource {
  public:
    ChangeSource(std::shared_ptr<ObjectState> state, std::uint64_t seen) : WatchedSource(std::move(state)), seen_(seen) {}

  private:
    bool look() override { return version_of(*state_) != seen_; }
    const std::uint64_t seen_;
};

}  // namespace

std::uint64_t Handle::version() const {
    return guarded(*state_, "version", [&] {
        if (state_->destroyed()) throw heap::Destroyed{};
        return version_of(*state_);
    });
}

std::optional<std::uint64_t> Handle::changed_within(std::uint64_t seen, Timeout timeout) const {
    const base::Deadline deadline = deadline_of(timeout);
    return guarded(*state_, "wait_for_change", [&]() -> std::optional<std::uint64_t> {
        sync::WaitPoint wait(state_->object().watchers);
        for (;;) {
            const std::uint32_t announced = deadline.is_now() ? 0 : wait.announce();
            if (state_->destroyed()) throw heap::Destroyed{};
            if (const std::uint64_t now = version_of(*state_); now != seen) return now;
            if (deadline.passed()) return {};
            wait.sleep(announced, deadline);
        }
    });
}

void DictBase::look_at(const Key& key, SeenValue& seen) const {
    seen.version = version();  // before the value: what comes between is seen again
    Buffer value;
    seen.there = get(key, value);
    seen.value.assign(value.data(), value.data() + (seen.there ? value.size() : 0));
}

bool DictBase::await_other(const Key& key, SeenValue& seen, Timeout timeout) const {
    const base::Deadline deadline = deadline_of(timeout);
    SeenValue now;
    for (;;) {
        look_at(key, now);
        if (now.there != seen.there || now.value != seen.value) {
            seen = std::move(now);
            return true;
        }
        if (deadline.passed()) return false;
        // Nobody changes anything when a key expires.
        auto left = deadline.left(std::chrono::nanoseconds::max());
        if (now.there)
            if (const auto lives = ttl(key)) left = std::min(left, *lives);
        (void)changed_within(now.version, left);
    }
}

}  // namespace detail

std::string WatchedObject::kind() const { return std::string(detail::kind_text(state_->kind)); }

Waitable Waitable::change(const detail::Handle& object, std::uint64_t seen) {
    return Waitable(std::make_shared<detail::ChangeSource>(object.state_, seen));
}

}  // namespace muster

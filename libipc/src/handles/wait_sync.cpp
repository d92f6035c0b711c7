// Events and semaphores as things to wait for. Every change of theirs is told to those who watch the object, so nobody's
// turn is disturbed.
#include <muster/event.hpp>
#include <muster/semaphore.hpp>
#include <muster/wait_any.hpp>

#include "handles/line.hpp"
#include "handles/wait_source.hpp"

namespace muster {
namespace detail {
namespace {

class EventSource final : public WatchedSource {
  public:
    using WatchedSource::WatchedSource;

  private:
    bool look() override { return sync::Event::flag(sync::Event(state_->segment(), state_->ref).word()); }
};

class SemaphoreSource final : public WatchedSource {
  public:
    using WatchedSource::WatchedSource;
    // Permits of the dead come back.
    void look_around() override {
        guarded(*state_, "wait_any", [&] {
            sync::Semaphore semaphore = of(*state_);
            if (!may_look(*state_, semaphore)) return;
            sync::Woken woken;
            semaphore.drop_dead(dead_of(*state_, semaphore.owners()), woken);
            sync::wake(state_->segment(), woken);
        });
    }

  private:
    static sync::Semaphore of(const ObjectState& state) { return {state.segment(), state.ref}; }
    bool look() override {
        const sync::Semaphore semaphore = of(*state_);
        return !semaphore.looks_taken() && semaphore.waiting() == 0;
    }
};

}  // namespace
}  // namespace detail

Waitable::Waitable(const Event& event) : source_(std::make_shared<detail::EventSource>(event.state_)) {}
Waitable::Waitable(const Semaphore& semaphore) : source_(std::make_shared<detail::SemaphoreSource>(semaphore.state_)) {}

}  // namespace muster

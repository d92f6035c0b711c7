// What wait_any knows of a thing that it waits for. One for each kind; those of objects end in wait points.
//
// The protocol of one round: announce() all, then look at all with ready(), then sleep on all the words: a change between
// the look and the sleep has changed a word (sync/wait_point.hpp). Every slice look_around() (I9).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <muster/wait_any.hpp>

#include "handles/object_state.hpp"

namespace muster::detail {

struct WaitWord {
    std::uint32_t* word;
    std::uint32_t announced;  // sleep while it is this
};

class WaitSource {
  public:
    virtual ~WaitSource() = default;
    // Throws what an operation on it would.
    virtual bool ready() = 0;
    virtual void announce(std::vector<WaitWord>&) {}
    // For what the dead have left undone.
    virtual void look_around() {}
    // It is or was ready, and the one wake-up for that may have come to this thread, which takes nothing.
    virtual void pass_on() noexcept {}
    // It announces nothing: to be looked at every few milliseconds.
    virtual bool to_be_looked_at() const noexcept { return false; }
    // Where it is no object: polls readable when it is ready; announces nothing then.
    virtual int descriptor() const noexcept { return -1; }
};

// Of an object and one of its wait points: the kinds differ in when it is ready.
class PointSource : public WaitSource {
  public:
    PointSource(std::shared_ptr<ObjectState> state, std::size_t point) : state_(std::move(state)), point_(point) {}

    bool ready() final {
        return guarded(*state_, "wait_any", [&] {
            if (state_->destroyed()) throw heap::Destroyed{};
            return look();
        });
    }
    void announce(std::vector<WaitWord>& words) override {
        std::uint32_t& word = state_->object().wait_points[point_];
        words.push_back({&word, sync::WaitPoint(word).announce()});
    }
    void pass_on() noexcept override { sync::WaitPoint(state_->object().wait_points[point_]).notify(1); }

  protected:
    virtual bool look() = 0;
    const std::shared_ptr<ObjectState> state_;
    const std::size_t point_;
};

// Of an object whose every change is told to those who watch it (heap/object_lock.hpp): nobody's wake-up is taken.
class WatchedSource : public WaitSource {
  public:
    explicit WatchedSource(std::shared_ptr<ObjectState> state) : state_(std::move(state)) {}

    bool ready() final {
        return guarded(*state_, "wait_any", [&] {
            if (state_->destroyed()) throw heap::Destroyed{};
            return look();
        });
    }
    void announce(std::vector<WaitWord>& words) final {
        std::uint32_t& word = state_->object().watchers;
        words.push_back({&word, sync::WaitPoint(word).announce()});
    }

  protected:
    virtual bool look() = 0;
    const std::shared_ptr<ObjectState> state_;
};

// For tests: false makes wait_any do without futex_waitv, as on a system that has none. Returns what it was.
bool use_futex_waitv(bool use) noexcept;

}  // namespace muster::detail

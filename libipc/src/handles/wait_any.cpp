#include <muster/wait_any.hpp>

#include <fcntl.h>

#include <algorithm>
#include <atomic>

#include <muster/lock.hpp>
#include <muster/pipe.hpp>
#include <muster/process.hpp>
#include <muster/queue.hpp>

#include "base/futex_any.hpp"
#include "handles/descriptor_watch.hpp"
#include "handles/queue.hpp"
#include "handles/waiting.hpp"
#include "handles/wait_source.hpp"

namespace muster {
namespace detail {
namespace {

// Without futex_waitv: how long a sleep on one word makes the others wait. It grows, so that long waits cost little.
constexpr std::chrono::milliseconds first_look{1}, last_look{16};

std::atomic<bool> futex_waitv_works{true};

class ItemSource final : public PointSource {
  public:
    explicit ItemSource(std::shared_ptr<ObjectState> queue) : PointSource(std::move(queue), items_point) {}
    void look_around() override {
        guarded(*state_, "wait_any", [&] { return_dead_leases(*state_); });
    }

  private:
    bool look() override {
        const containers::Queue queue = queue_of(*state_);
        if (!queue.looks_empty()) return true;
        return queue.looks_closed() && (!queue.looks_lent() || !queue.lent_to_others(lease_owner(*state_->session)));
    }
};

class RoomSource final : public PointSource {
  public:
    explicit RoomSource(std::shared_ptr<ObjectState> queue) : PointSource(std::move(queue), room_point) {}

  private:
    bool look() override {
        const containers::Queue queue = queue_of(*state_);
        return queue.looks_closed() || !queue.looks_full();
    }
};

// A lock's word is its waiters' own: who only wants to know looks, every few milliseconds.
class LockSource final : public WaitSource {
  public:
    explicit LockSource(std::shared_ptr<ObjectState> lock) : state_(std::move(lock)) {}
    bool ready() override {
        return guarded(*state_, "wait_any", [&] {
            if (state_->destroyed()) throw heap::Destroyed{};
            const sync::Sessions& sessions = state_->session->sessions();
            const sync::SlotId holder = sync::LockWord(state_->segment(), sessions, state_->ref).holder();
            if (!holder || !sessions.alive(holder)) return true;
            return state_->kind != heap::Kind::lock && holder == state_->session->known_slot();
        });
    }
    bool to_be_looked_at() const noexcept override { return true; }

  private:
    std::shared_ptr<ObjectState> state_;
};

class DescriptorSource final : public WaitSource {
  public:
    explicit DescriptorSource(int descriptor) : descriptor_(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
        if (!descriptor_) base::throw_errno(errno, "wait_any", "descriptor " + std::to_string(descriptor), "dup");
    }
    bool ready() override { return poll_readable({descriptor_.get()}, base::Deadline::now())[0]; }
    int descriptor() const noexcept override { return descriptor_.get(); }

  private:
    base::UniqueFd descriptor_;
};

// One call of wait_any.
class AnyWait {
  public:
    explicit AnyWait(const std::vector<Waitable>& what) {
        for (const Waitable& waitable : what) {
            sources_.push_back(waitable.source().get());
            descriptors_.push_back(sources_.back()->descriptor());
            any_descriptor_ = any_descriptor_ || descriptors_.back() >= 0;
            any_object_ = any_object_ || descriptors_.back() < 0;
            look_often_ = look_often_ || sources_.back()->to_be_looked_at();
        }
    }
    AnyWait(const AnyWait&) = delete;
    AnyWait& operator=(const AnyWait&) = delete;
    // However it ends: who was woken in our place must not wait for the next one.
    ~AnyWait() {
        if (!announced_) return;
        for (WaitSource* source : sources_) source->pass_on();
    }

    std::vector<std::size_t> run(base::Deadline deadline) {
        std::vector<std::size_t> ready = look(base::Deadline::now());
        if (!ready.empty() || deadline.is_now()) return ready;
        if (!any_object_) return look(deadline);
        if (any_descriptor_) watch_.emplace(descriptors_);
        auto looked = base::Deadline::Clock::now();
        for (;;) {
            announce();
            ready = look(base::Deadline::now());
            if (!ready.empty()) return ready;
            const bool passed = deadline.passed();
            if (passed || base::Deadline::Clock::now() - looked >= sync::wait_slice) {
                for (WaitSource* source : sources_) source->look_around();
                ready = look(base::Deadline::now());
                if (passed || !ready.empty()) return ready;
                looked = base::Deadline::Clock::now();
            }
            sleep(deadline);
        }
    }

  private:
    std::vector<std::size_t> look(base::Deadline deadline) {
        std::vector<bool> readable;
        if (any_descriptor_) readable = poll_readable(descriptors_, deadline);
        std::vector<std::size_t> ready;
        for (std::size_t i = 0; i < sources_.size(); ++i)
            if (descriptors_[i] >= 0 ? readable[i] : sources_[i]->ready()) ready.push_back(i);
        return ready;
    }
    void announce() {
        words_.clear();
        announced_ = true;
        if (watch_ && watch_->works()) words_.push_back({watch_->word(), watch_->value()});
        for (WaitSource* source : sources_) source->announce(words_);
    }
    // For a slice at most.
    void sleep(base::Deadline deadline) {
        const std::size_t count = std::min(words_.size(), base::most_futexes);
        waiters_.clear();
        for (std::size_t i = 0; i < count; ++i)
            waiters_.push_back(base::shared_futex(words_[i].word, words_[i].announced));
        const bool all_watched = words_.size() <= base::most_futexes && !look_often_ && (!watch_ || watch_->works());
        deadline = deadline.earlier(base::Deadline::after(sync::wait_slice));
        if (!all_watched) {
            deadline = deadline.earlier(base::Deadline::after(next_look_));
            next_look_ = std::min(next_look_ * 2, last_look);
        }
        if (count != 0 && futex_waitv_works.load(std::memory_order_relaxed)) {
            if (base::futex_wait_any(waiters_.data(), count, deadline) == base::WaitedAny::yes) return;
            futex_waitv_works = false;
        }
        if (count != 1) {
            deadline = deadline.earlier(base::Deadline::after(next_look_));
            next_look_ = std::min(next_look_ * 2, last_look);
        }
        std::uint32_t nobodys = 0;  // a lock alone
        const WaitWord one = count != 0 ? words_.front() : WaitWord{&nobodys, 0};
        base::futex_wait(one.word, one.announced, deadline);
    }

    std::vector<WaitSource*> sources_;
    std::vector<int> descriptors_;  // -1: an object
    std::vector<WaitWord> words_;
    std::vector<base::FutexWaiter> waiters_;  // the words, as the kernel wants them
    std::optional<DescriptorWatch> watch_;
    std::chrono::milliseconds next_look_ = first_look;
    bool any_descriptor_ = false, any_object_ = false, look_often_ = false, announced_ = false;
};

}  // namespace

bool use_futex_waitv(bool use) noexcept { return futex_waitv_works.exchange(use); }

std::vector<std::size_t> wait_for_any(const std::vector<Waitable>& what, Timeout timeout) {
    if (what.empty()) return {};
    return AnyWait(what).run(!timeout ? base::Deadline::never() : base::Deadline::after(*timeout));
}

}  // namespace detail

Waitable::Waitable(const detail::QueueBase& queue) : source_(std::make_shared<detail::ItemSource>(queue.state_)) {}
Waitable Waitable::room(const detail::QueueBase& queue) {
    return Waitable(std::make_shared<detail::RoomSource>(queue.state_));
}
Waitable::Waitable(const detail::ConnectionBase& connection) : source_(connection.wait_source()) {}
Waitable::Waitable(const Process& process) : Waitable(readable(process.sentinel())) {}
Waitable::Waitable(const ParentProcess& process) : Waitable(readable(process.sentinel())) {}
Waitable::Waitable(const detail::BasicLock& lock) : source_(std::make_shared<detail::LockSource>(lock.state_)) {}
Waitable Waitable::readable(int descriptor) { return Waitable(std::make_shared<detail::DescriptorSource>(descriptor)); }

}  // namespace muster

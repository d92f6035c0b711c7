// Which tasks go together, and when.
//
// An item is a bundle of tasks, so that trivial ones do not each pay for a lease, a wake-up and a turn of the receiver; but
// only so many of them as a worker does in a moment, going by what tasks took lately. Where one takes longer after all, those
// behind it that are not begun are taken back for workers that have nothing to do. One that a worker has died of goes alone.
#include <algorithm>
#include <iterator>

#include "pool/process_core.hpp"

namespace muster::pool {
namespace {

using namespace std::chrono_literals;

constexpr double worth_ns = 100e3;      // of work in a bundle
constexpr double short_ns = 1e6;        // a task that is no longer is short
constexpr std::size_t many = 16;        // a worker: more of them are on their way
constexpr std::size_t most_tasks = 256, most_bytes = 32 * 1024;
constexpr auto stuck_after = 5ms;

}  // namespace

// What is on its way cannot be cancelled, so it is little, as with Python's executors one more than workers; unless there are
// many short ones.
std::size_t ProcessCore::window() const noexcept {
    const bool short_ones = average_ns_ != 0 && average_ns_ < short_ns && pending_.size() >= many * crew_.size();
    return short_ones ? 3 * crew_.size() : crew_.size() + 1;
}

std::size_t ProcessCore::bundle() noexcept {
    std::uint64_t busy = 0, done = 0;
    for (std::size_t i = 0; i < crew_.size(); ++i) {
        busy += crew_.place(i).busy_ns.load(std::memory_order_relaxed);
        done += crew_.place(i).tasks.load(std::memory_order_relaxed);
    }
    if (done != tasks_seen_ && busy >= busy_seen_) {
        const double lately = static_cast<double>(busy - busy_seen_) / static_cast<double>(done - tasks_seen_);
        average_ns_ = average_ns_ == 0 ? lately : (average_ns_ + lately) / 2;
        busy_seen_ = busy;
        tasks_seen_ = done;
    }
    if (average_ns_ == 0 || options_.maxtasksperchild) return 1;
    const std::size_t fair = pending_.size() / (2 * crew_.size());
    const auto worth = static_cast<std::size_t>(std::min(worth_ns / std::max(average_ns_, 1.0), 1e6));
    return std::clamp<std::size_t>(std::min(fair, worth), 1, most_tasks);
}

// The first of what is pending, without what was cancelled; may be none.
void ProcessCore::bundle_up(Item& item, std::size_t most) {
    std::size_t bytes = 0;
    item.tasks.reserve(most);
    while (!pending_.empty() && item.tasks.size() < most) {
        Task& task = pending_.front();
        const bool alone = task.deliveries != 0 || task.body.size() + bytes > most_bytes;
        if (alone && !item.tasks.empty()) break;
        if (!task.call->begin()) {
            pending_.pop_front();
            --unfinished_;
            continue;
        }
        bytes += task.body.size();
        item.tasks.push_back(std::move(task));
        pending_.pop_front();
        if (alone) break;
    }
    item.left = item.tasks.size();
}

// Back to the front of what is pending, in their order.
void ProcessCore::unbundle(Item& item, std::size_t first, std::size_t last) {
    for (std::size_t at = last; at > first; --at) {
        Task& task = item.tasks[at - 1];
        if (task.call == nullptr) continue;
        pending_.push_front(std::move(task));
        task.call = nullptr;
        --item.left;
    }
}

std::exception_ptr ProcessCore::send() {
    bool one_by_one = false;
    while (!pending_.empty() && items_.size() < window() && !terminated_) {
        std::uint32_t number = ++last_item_;
        if (number == 0) number = ++last_item_;  // 0 is none
        Item& item = items_[number];
        bundle_up(item, one_by_one ? 1 : bundle());
        if (item.tasks.empty()) {
            items_.erase(number);
            continue;
        }
        const std::size_t count = item.tasks.size();
        try {
            Writer out;
            out.begin_array(1 + count);
            out.integer(number);
            for (const Task& task : item.tasks) {
                out.begin_array(2);
                out.integer(reinterpret_cast<std::uintptr_t>(task.run));
                out.raw(task.body);
                out.end();
            }
            out.end();
            item.sent = Clock::now();
            tasks_.put(out.bytes());
        } catch (...) {
            unbundle(item, 0, count);
            items_.erase(number);
            if (count == 1) return std::current_exception();
            one_by_one = true;  // which one it is
        }
    }
    return {};
}

void ProcessCore::take_back_stuck() {
    if (!pending_.empty() || items_.size() >= crew_.size()) return;
    const auto late = Clock::now() - stuck_after;
    for (auto each = items_.begin(); each != items_.end();) {
        Item& item = each->second;
        for (std::size_t i = 0; item.left > 1 && item.sent < late && i < crew_.size(); ++i) {
            std::size_t first = 0, last = 0;
            if (!crew_.place(i).take_back(each->first, first, last)) continue;
            unbundle(item, first, std::min(last, item.tasks.size()));
            average_ns_ = std::max(average_ns_, worth_ns);  // one by one, until it is known better
        }
        each = item.left == 0 ? items_.erase(each) : std::next(each);
    }
}

}  // namespace muster::pool

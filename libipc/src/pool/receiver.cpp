// The receiver: the one thread of a pool of processes that takes results, looks after the workers, and runs callbacks.
#include <algorithm>

#include "pool/process_core.hpp"

namespace muster::pool {
namespace {

using namespace std::chrono_literals;
using muster::detail::Encoded;

constexpr std::size_t at_once = 256;      // messages
constexpr auto look_around_after = 250ms;  // though nothing came
constexpr auto soon = 5ms;                 // there is something to look at again
constexpr auto first_pause = 10ms, longest_pause = 1000ms;  // between starts that fail

Error closed_error(const char* why) { return Error(Errc::closed, "get", "pool", why); }

std::exception_ptr error_of(Reader& in, const std::string& subject) {
    try {
        muster::detail::throw_error_of(in);
    } catch (const Error& error) {
        if (error.subject() != "task") return std::current_exception();
        return std::make_exception_ptr(Error(error.errc(), error.operation(), subject, error.detail()));
    } catch (...) {
        return std::current_exception();
    }
}

}  // namespace

void ProcessCore::run() noexcept {
    handled_by_this_thread() = this;
    ends_.watch(crew_.sentinels());
    do {
        try {
            receive(patience());
            if (ends_.told() || came_back_) look_for_ends();
            keep_crew();
            send_or_fail();
        } catch (...) {  // the realm is gone or damaged; or there is no memory, and no telling what is missing
            const std::scoped_lock hold(mutex_);
            if (!broken_) broken_ = std::current_exception();
        }
        finish_calls();
    } while (wind_up());
    const std::scoped_lock hold(mutex_);
    finished_ = true;
    changed_.notify_all();
}

std::chrono::nanoseconds ProcessCore::patience() {
    const std::scoped_lock hold(mutex_);
    const bool missing = crew_.alive() != crew_.size() && !draining_;
    const bool bundled = std::any_of(items_.begin(), items_.end(), [](const auto& each) { return each.second.left > 1; });
    return missing || bundled ? std::chrono::nanoseconds(soon) : std::chrono::nanoseconds(look_around_after);
}

// --- messages ---------------------------------------------------------------------------------------------------------

std::size_t ProcessCore::receive(std::chrono::nanoseconds timeout) {
    muster::detail::Strings batch;
    // Most are looked at when the queue has let go of them; what has handles is decoded while they are held.
    const auto add = [&](std::size_t at, const Encoded& bytes, const Encoded&) {
        batch.cut(std::min(at, batch.size()));
        if (bytes.origin == nullptr) return batch.add(bytes);
        take_message(Reader(bytes, Reader::Of::value, bytes.origin));
        batch.add(std::size_t{0});
    };
    const std::size_t count = results_.get_many(at_once, muster::detail::Taker(add, true), timeout);
    for (std::size_t i = 0; i < std::min(count, batch.size()); ++i)
        if (!batch[i].empty()) take_message(Reader(batch[i]));
    return count;
}

void ProcessCore::take_message(Reader in) noexcept try {
    if (in.peek() == Kind::nil) return;
    in.begin_array_of(4);
    const auto kind = static_cast<Message>(in.integer<std::uint8_t>());
    const auto item = in.integer<std::uint32_t>();
    const auto place = in.integer<std::size_t>();
    switch (kind) {
        case Message::outcome: return take_outcome(in, false, item, place);
        case Message::error: return take_outcome(in, true, item, place);
        case Message::returned: return take_returned(item);
        case Message::not_ready: not_ready_ = muster::detail::text_of(error_of(in, "initializer")); return;
    }
} catch (...) {  // of no worker of ours
    const std::scoped_lock hold(mutex_);
    if (!broken_) broken_ = std::current_exception();
}

// Takes the task out of its item; without a call when nobody waits for it any more.
Task ProcessCore::resolve(std::uint32_t item, std::size_t place) {
    const std::scoped_lock hold(mutex_);
    const auto found = items_.find(item);
    if (found == items_.end() || place >= found->second.tasks.size()) return {};
    Task task = std::move(found->second.tasks[place]);
    found->second.tasks[place].call = nullptr;
    if (task.call == nullptr) return {};
    --unfinished_;
    if (--found->second.left == 0) items_.erase(found);
    return task;
}

void ProcessCore::take_outcome(Reader& in, bool is_error, std::uint32_t item, std::size_t place) noexcept {
    const Task task = resolve(item, place);
    if (task.call == nullptr) return;
    const bool last = is_error ? task.call->fail(task.part, error_of(in, task.call->subject())) : task.call->take(task.part, in);
    if (last) over_.push_back(task.call);
}

// An item that was leased and given back by a death. If its worker had begun, its claim says so still, or bury() has seen it
// and the item is no more; if not, nothing of it was begun.
void ProcessCore::take_returned(std::uint32_t number) {
    came_back_ = true;
    const std::scoped_lock hold(mutex_);
    const auto found = items_.find(number);
    if (found == items_.end()) return;
    for (std::size_t i = 0; i < crew_.size(); ++i)
        if (Claim::unpack(crew_.place(i).claim.load(std::memory_order_acquire)).item == number) return;
    unbundle(found->second, 0, found->second.tasks.size());
    items_.erase(found);
}

// --- workers ----------------------------------------------------------------------------------------------------------

void ProcessCore::look_for_ends() {
    came_back_ = false;
    const std::vector<Ended> all = crew_.collect();
    if (!all.empty()) {
        // P2: all there are now, no more, as those who live may never stop sending.
        for (std::size_t left = results_.size(); left != 0;) {
            const std::size_t count = receive(0ns);
            if (count == 0) break;
            left -= std::min(left, count);
        }
        for (const Ended& ended : all) bury(ended);
    }
    ends_.watch(crew_.sentinels());
}

void ProcessCore::bury(const Ended& ended) {
    crew_.place(ended.place).claim.store(0);
    if (ended.was_ready) {
        failed_starts_ = 0;
    } else {
        ++failed_starts_;
        if (not_ready_.empty()) not_ready_ = ended.text;
        const auto doubled = first_pause * (1 << std::min<std::size_t>(failed_starts_, 8)) / 4;
        if (failed_starts_ > 1) next_start_ = Clock::now() + std::min<std::chrono::milliseconds>(doubled, longest_pause);
    }
    Task failed;
    {
        const std::scoped_lock hold(mutex_);
        const auto found = items_.find(ended.claim.item);
        if (ended.claim.item == 0 || found == items_.end()) return;
        Item& item = found->second;
        const std::size_t begun = std::min<std::size_t>(ended.claim.next, item.tasks.size());
        if (begun != 0 && item.tasks[begun - 1].call != nullptr) {  // B3: it was at this one
            Task& task = item.tasks[begun - 1];
            if (++task.deliveries >= options_.deliveries) {
                failed = std::move(task);
                task.call = nullptr;
                --unfinished_;
            }
        }
        unbundle(item, 0, item.tasks.size());
        items_.erase(found);
    }
    if (failed.call == nullptr) return;
    std::string what = failed.call->subject();
    if (const auto place = failed.call->place(failed.part, ended.thing)) what += ", item " + std::to_string(*place);
    std::string why = ended.text;
    if (options_.deliveries > 1) why += ", and " + std::to_string(options_.deliveries - 1) + " before it died of it, too";
    if (failed.call->fail(failed.part, std::make_exception_ptr(Error(Errc::worker_died, "run", std::move(what), std::move(why)))))
        over_.push_back(failed.call);
}

void ProcessCore::keep_crew() {
    if (draining_ || crew_.alive() == crew_.size()) return;
    const std::size_t limit = std::max<std::size_t>(3, 2 * crew_.size());
    const auto give_up = [&](const std::string& why) {
        const std::scoped_lock hold(mutex_);
        broken_ = std::make_exception_ptr(Error(Errc::start_failed, "start", "pool", why));
    };
    if (options_.initializer && failed_starts_ >= limit) return give_up("the initializer keeps failing: " + not_ready_);
    {
        const std::scoped_lock hold(mutex_);
        if (terminated_ || broken_ || (closed_ && unfinished_ == 0)) return;
    }
    if (Clock::now() < next_start_) return;
    try {
        crew_.fill();
    } catch (const Error& error) {
        ++failed_starts_;
        next_start_ = Clock::now() + longest_pause;
        if (crew_.alive() == 0 && failed_starts_ >= limit) give_up(error.what());
    }
    ends_.watch(crew_.sentinels());
}

// --- the rest of a turn -----------------------------------------------------------------------------------------------

void ProcessCore::send_or_fail() {
    for (;;) {
        Task failed;
        std::exception_ptr error;
        {
            const std::scoped_lock hold(mutex_);
            take_back_stuck();
            error = send();
            if (!error) return;
            try {
                std::rethrow_exception(error);
            } catch (const Error& known) {
                if (known.errc() == Errc::closed) throw;
                if (known.errc() == Errc::out_of_memory && !items_.empty()) return;  // there will be, when they are done
            }
            failed = std::move(pending_.front());
            pending_.pop_front();
            --unfinished_;
        }
        if (failed.call->fail(failed.part, error)) over_.push_back(failed.call);
    }
}

void ProcessCore::finish_calls() noexcept {
    for (const auto& call : over_) call->finish();
    over_.clear();
}

bool ProcessCore::wind_up() {
    std::exception_ptr error;
    {
        const std::scoped_lock hold(mutex_);
        if (terminated_ || broken_) {
            if (!broken_) broken_ = std::make_exception_ptr(closed_error("it was terminated"));
            error = broken_;
        } else if (!closed_ || unfinished_ != 0 || draining_) {
            return crew_.alive() != 0 || !draining_;
        }
    }
    if (error) {
        fail_all(error);
        crew_.end_all();
        return false;
    }
    draining_ = true;
    tasks_.close();
    return crew_.alive() != 0;
}

// Whoever waits is told first; the workers may take a second.
void ProcessCore::fail_all(std::exception_ptr error) noexcept {
    std::vector<Task> all;
    {
        const std::scoped_lock hold(mutex_);
        for (Task& task : pending_) all.push_back(std::move(task));
        for (auto& [number, item] : items_)
            for (Task& task : item.tasks)
                if (task.call != nullptr) all.push_back(std::move(task));
        pending_.clear();
        items_.clear();
        unfinished_ = 0;
    }
    for (const Task& task : all)
        if (task.call->abandon(error)) task.call->finish();
}

}  // namespace muster::pool

// What a transaction does with a queue, in whatever order it is.
#include <algorithm>

#include <muster/detail/order.hpp>
#include <muster/queue.hpp>

#include "handles/transaction.hpp"

namespace muster::detail {

QueueWork::QueueWork(TransactionCore& core, std::shared_ptr<ObjectState> of) : Work(core, std::move(of)), order_(queue().order()) {}

std::uint64_t QueueWork::size() {
    if (!size_) {
        std::uint64_t now = 0;
        read_object([&] { now = queue().size(); }, [&] { size_ = now; });
    }
    return *size_ - taken_ + put_count();
}

// Behind those that it equals. What is in the queue already it is compared with at the end.
std::size_t QueueWork::place_of_put(Bytes item) const {
    if (order_ != containers::Order::priority) return puts_.size();
    const auto relation_to = [&](Bytes other) {
        const std::partial_ordering relation = compare(other, item);
        if (relation == std::partial_ordering::unordered) throw_uncomparable(state(), "put");
        return relation;
    };
    (void)relation_to(item);
    std::size_t low = own_taken_, high = puts_.size();
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (relation_to(bytes_in(puts_[middle])) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void QueueWork::put(Bytes item) {
    check_size(state(), in_transact, "an item", item.size(), QueueBase::max_value);
    const std::size_t place = place_of_put(item);
    enter(in_transact, item);
    puts_.emplace(puts_.begin() + static_cast<std::ptrdiff_t>(place), text_in(item));
}

const QueueWork::Item* QueueWork::next_there() {
    if (taken_ == first_.size() && !end_) {
        Item next{};
        bool found = false, closed = false;
        read_object([&] {
            found = false;
            const heap::ObjectLock held(segment(), ref());
            std::size_t i = 0;
            queue().for_first(taken_ + 1, [&](Bytes one, bool returned) {
                if (i++ != taken_) return;
                next = {std::string(text_in(one)), returned};
                found = true;
            });
            closed = queue().looks_closed();
        }, [&] {
            if (found)
                first_.push_back(std::move(next));
            else
                end_ = true, closed_ = closed;
        }, [&] { return found ? bytes_in(next.bytes) : Bytes(); });
    }
    return taken_ < first_.size() ? &first_[taken_] : nullptr;
}

bool QueueWork::own_comes_first(const Item& there) const {
    if (order_ == containers::Order::fifo) return false;
    if (order_ == containers::Order::lifo) return !there.returned;
    const std::partial_ordering relation = compare(bytes_in(puts_[own_taken_]), bytes_in(there.bytes));
    if (relation == std::partial_ordering::unordered) throw_uncomparable(state(), "get");
    return relation < 0;
}

bool QueueWork::get(Buffer& item) {
    const Item* there = next_there();
    if (put_count() != 0 && (there == nullptr || own_comes_first(*there))) {
        if (order_ == containers::Order::lifo) {
            give(puts_.back(), item);
            puts_.pop_back();
        } else {
            give(puts_[own_taken_], item);
            ++own_taken_;
        }
        return true;
    }
    if (there != nullptr) {
        give(there->bytes, item);
        ++taken_;
        return true;
    }
    if (closed_) throw Error(Errc::closed, "get", state().subject(), "and drained");
    return false;
}

bool QueueWork::still_so(bool locked) {
    std::optional<heap::ObjectLock> held;
    if (!locked) held.emplace(segment(), ref());
    if (size_ && queue().size() != *size_) return false;
    if (end_ && closed_ != queue().looks_closed()) return false;
    std::size_t i = 0;
    bool same = true;
    queue().for_first(first_.size() + (end_ ? 1 : 0), [&](Bytes item, bool returned) {
        same = same && i < first_.size() && text_in(item) == first_[i].bytes && returned == first_[i].returned;
        ++i;
    });
    return same && i == first_.size();
}

void QueueWork::check() {
    if (put_count() == 0) return;
    if (queue().looks_closed()) throw Error(Errc::closed, "put", state().subject());
    const std::int64_t bound = queue().maxsize();
    if (bound > 0 && queue().size() - taken_ + put_count() > static_cast<std::uint64_t>(bound))
        throw Error(Errc::full, "put", state().subject(), std::to_string(bound) + " items");
    places_.clear();
    if (order_ == containers::Order::fifo) return;
    const auto of_the_tree = static_cast<std::uint64_t>(
        std::count_if(first_.begin(), first_.begin() + static_cast<std::ptrdiff_t>(taken_), [](const Item& item) { return !item.returned; }));
    try {
        for (std::size_t i = own_taken_; i < puts_.size(); ++i)
            places_.push_back(queue().place_within(bytes_in(puts_[i]), of_the_tree) + (order_ == containers::Order::lifo ? places_.size() : 0));
    } catch (const containers::Uncomparable&) {
        throw_uncomparable(state(), "put");
    }
}

void QueueWork::apply(tx::Tx& tx, heap::Heap& heap) {
    containers::Queue to = queue();
    for (std::size_t i = own_taken_; i < puts_.size(); ++i) {
        if (order_ == containers::Order::fifo)
            to.put_within(tx, heap, bytes_in(puts_[i]));
        else
            to.put_within(tx, heap, bytes_in(puts_[i]), places_[i - own_taken_]);
    }
    for (std::size_t i = 0; i < taken_; ++i) to.take_within(tx, heap, first_[i].returned);
}

void QueueWork::wake() {
    const auto point = [&](std::size_t which) { return sync::WaitPoint(heap::object_at(segment(), ref().id).wait_points[which]); };
    if (put_count() != 0) point(items_point).notify(static_cast<int>(std::min<std::uint64_t>(put_count(), 1u << 30)));
    if (taken_ != 0) point(room_point).notify_all();
}

std::size_t QueuePart::size() {
    return guarded(work_->state(), "size", [&] { return static_cast<std::size_t>(work_->size()); });
}
void QueuePart::put(Bytes item) { work_->put(item); }
bool QueuePart::get(Buffer& item) {
    return guarded(work_->state(), "get", [&] { return work_->get(item); });
}
void QueuePart::throw_empty() const { throw Error(Errc::empty, "get", work_->state().subject()); }

}  // namespace muster::detail

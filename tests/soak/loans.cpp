// Items that are leased before they are settled, and items that are objects themselves.
#include <chrono>
#include <utility>

#include "soak/worker.hpp"

namespace muster::soak {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t most_loans = 150, most_parcels = 60;

}  // namespace

// Only who acknowledges takes: what else becomes of a lease, its item stays. It is kept from one operation to
// others.
void StoreWork::in_loans() {
    auto& queue = world_.loans;
    if (loan_) return settle();
    if (queue.size() < most_loans && context_.chance(3))
        return put_one(loans, Op::queue_put, [&](const auto& text) { return queue.put(text), true; });
    if (!context_.chance(16)) return lease();
    const Doing doing(context_.page, Op::queue_retry_dead);
    (void)queue.retry_dead_letters();
}

void StoreWork::lease() {
    auto& queue = world_.loans;
    const Doing doing(context_.page, Op::queue_lease);
    loan_ = context_.chance(2) ? queue.try_get_leased()
                               : queue.get_leased_for(std::chrono::microseconds(context_.random.below(2000)));
    if (!loan_) return;
    context_.page.loan.store(checked(loans, loan_->value()).packed());
    if (const std::uint64_t times = loan_->deliveries(); times < 1 || times > loan_deliveries)
        throw Broken("what was delivered too often is a dead letter", std::to_string(times) + " times");
}

void StoreWork::settle() {
    Leased<std::string> loan = *std::exchange(loan_, std::nullopt);
    const auto given_back = [&](Op op, const auto& how) {
        {
            const Doing doing(context_.page, op);
            how();
        }
        context_.page.loan.store(0);
    };
    switch (context_.random.below(8)) {
        case 0:
            return given_back(Op::queue_nack, [&] { loan.nack(); });
        case 1:
            return given_back(Op::queue_give_back, [&] { const auto ends = std::move(loan); });
        default:
            take(
                loans, Op::queue_ack, 1,
                [&](const auto& out) {
                    loan.ack();
                    context_.page.loan.store(0);
                    out(loan.value());
                },
                false);
    }
}

// The queue holds the lists: once its maker has let go, nobody else does.
void StoreWork::in_parcels() {
    auto& queue = world_.parcels;
    if (queue.size() < most_parcels && context_.chance(2)) {
        auto parcel = [&] {
            const Doing doing(context_.page, Op::manager_make);
            return context_.realm.manager.list<std::string>();
        }();
        return put_one(parcels, Op::queue_put_handle, [&](const auto& text) {
            parcel.push_back(text);
            return queue.put(parcel), true;
        });
    }
    take(parcels, Op::queue_get_handle, 1, [&](const auto& out) {
        const auto parcel = queue.try_get();
        if (!parcel) return;
        if (parcel->size() != 1)
            throw Broken("what a handle names is alive", "a parcel has " + std::to_string(parcel->size()));
        out(parcel->at(0));
    });
}

}  // namespace muster::soak

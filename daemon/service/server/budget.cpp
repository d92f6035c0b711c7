#include "service/server/budget.hpp"

#include <algorithm>

namespace muster::service {
namespace {

void forget_idle(std::map<uid_t, Pace>& paces, Pace::Clock::time_point now) {
    if (paces.size() > 64) std::erase_if(paces, [now](const auto& entry) { return entry.second.idle(now); });
}

}  // namespace

std::size_t Budget::left(uid_t uid) const noexcept {
    const auto found = uids_.find(uid);
    const std::size_t own = found == uids_.end() ? 0 : found->second;
    return std::min(total_ - taken_, per_uid_ - std::min(per_uid_, own));
}

bool Budget::take(uid_t uid, std::size_t bytes) {
    if (bytes > left(uid)) return false;
    if (bytes == 0) return true;
    uids_[uid] += bytes;
    taken_ += bytes;
    return true;
}

void Budget::give_back(uid_t uid, std::size_t bytes) noexcept {
    const auto found = uids_.find(uid);
    if (bytes == 0 || found == uids_.end()) return;
    taken_ -= bytes;
    if ((found->second -= bytes) == 0) uids_.erase(found);
}

Pace::Clock::time_point Budget::next_large(uid_t uid, std::size_t bytes, Pace::Clock::time_point now) {
    forget_idle(paces_, now);
    const auto own = paces_.try_emplace(uid, large_input, large_input_burst, longest_pause).first;
    return own->second.after(static_cast<double>(bytes), now);
}

Pace::Clock::time_point Budget::next_of_flood(uid_t uid, Pace::Clock::duration taken, Pace::Clock::time_point now) {
    forget_idle(floods_, now);
    const auto own = floods_.try_emplace(uid, flood_share, flood_burst, longest_pause).first;
    return own->second.after(std::chrono::duration<double>(taken).count(), now);
}

Pace::Clock::time_point Budget::next_malformed(uid_t uid, Pace::Clock::time_point now) {
    forget_idle(malformed_, now);
    const auto own = malformed_.try_emplace(uid, malformed_a_second, malformed_burst, longest_pause).first;
    return own->second.after(1, now);
}

bool Share::hold(std::size_t bytes) {
    const std::size_t wanted = above(bytes);
    if (wanted > taken_ && !budget_->take(uid_, wanted - taken_)) return false;
    if (wanted < taken_) budget_->give_back(uid_, taken_ - wanted);
    taken_ = wanted;
    return true;
}

bool Share::could_hold(std::size_t bytes) const noexcept {
    return above(bytes) <= taken_ || above(bytes) - taken_ <= budget_->left(uid_);
}

}  // namespace muster::service

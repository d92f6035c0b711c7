// What the store tells of locks.
#include <spdlog/spdlog.h>

#include "service/store/store.hpp"

namespace muster::service {
namespace {

constexpr std::size_t longest_told = 4096;   // of a client's text
constexpr std::size_t told_in_a_second = 10;  // of all clients, the rest is counted

}  // namespace

std::vector<session::LockInfo> Store::locks(uid_t caller) {
    if (!find(realm_of(caller))) return {};
    return sound(realm_of(caller)).locks();
}

std::vector<session::DeadlockInfo> Store::deadlocks(uid_t caller) {
    if (!find(realm_of(caller))) return {};
    return sound(realm_of(caller)).deadlocks();
}

void Store::deadlock_broken(uid_t caller, std::string text) {
    if (++told_ > told_in_a_second) return;
    if (text.size() > longest_told) text = text.substr(0, longest_told) + "...";
    spdlog::warn("realm {}: a deadlock was broken by an error: {}", name_of_realm(realm_of(caller)), text);
}

// A circle is told when it is first seen.
void Store::look_at_locks(Holding& holding, session::Realm& realm) {
    realm.watch_locks();
    std::set<std::string> now;
    for (const session::DeadlockInfo& deadlock : realm.deadlocks()) {
        if (!holding.deadlocks.contains(deadlock.key))
            spdlog::warn("realm {}: deadlock: {}; `musterctl lock break NAME` ends a hold by force", holding.name,
                         deadlock.text);
        now.insert(deadlock.key);
    }
    holding.deadlocks.swap(now);
}

void Store::count_told() {
    if (told_ > told_in_a_second) spdlog::warn("{} more deadlocks were broken by errors", told_ - told_in_a_second);
    told_ = 0;
}

}  // namespace muster::service

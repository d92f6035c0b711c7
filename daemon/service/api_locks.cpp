// Who holds and who waits, as the segment tells; and deadlocks that clients have broken, for the log.
#include <nlohmann/json.hpp>

#include "service/api.hpp"

namespace muster::service {
namespace {

using nlohmann::json;
using CallPtr = std::shared_ptr<Call>;

json view(const session::ThreadInfo& thread) {
    return {{"pid", thread.pid},
            {"tid", thread.tid},
            {"program", thread.program.empty() ? json(nullptr) : json(thread.program)},
            {"stopped", thread.stopped}};
}

json view(const session::LockInfo& lock) {
    auto waiters = json::array();
    for (const session::WaiterInfo& waiter : lock.waiters)
        waiters.push_back({{"thread", view(waiter.thread)}, {"seconds", waiter.seconds}});
    return {{"name", lock.name.empty() ? json(nullptr) : json(lock.name)},
            {"id", lock.id},
            {"kind", lock.kind},
            {"holder", lock.holder ? view(*lock.holder) : json(nullptr)},
            {"levels", lock.levels},
            {"token", lock.token},
            {"held_seconds", lock.held_seconds ? json(*lock.held_seconds) : json(nullptr)},
            {"waiters", waiters}};
}

}  // namespace

void add_locks_api(Dispatcher& dispatcher, Store& store) {
    dispatcher.handle("io.muster.objects.Locks", [&store](const CallPtr& call) {
        auto locks = json::array();
        for (const session::LockInfo& lock : store.locks(call->peer().uid)) locks.push_back(view(lock));
        auto deadlocks = json::array();
        for (const session::DeadlockInfo& deadlock : store.deadlocks(call->peer().uid)) {
            auto threads = json::array();
            for (const session::ThreadInfo& thread : deadlock.threads) threads.push_back(view(thread));
            deadlocks.push_back({{"text", deadlock.text}, {"threads", threads}});
        }
        call->reply({{"locks", locks}, {"deadlocks", deadlocks}});
    });
    dispatcher.handle("io.muster.objects.DeadlockBroken", [&store](const CallPtr& call) {
        store.deadlock_broken(call->peer().uid, call->parameters().at("text").get<std::string>());
        call->reply(json::object());
    });
}

}  // namespace muster::service

#include "soak/operations.hpp"

namespace muster::soak {
namespace {

constexpr const char* names[] = {
    "nothing",
    "dict set",
    "dict insert",
    "dict setdefault",
    "dict update pairs",
    "dict update",
    "dict increment",
    "dict compare_and_set",
    "dict erase",
    "dict remove",
    "dict pop",
    "dict popitem",
    "dict clear",
    "dict set with a time",
    "dict set, expired",
    "dict expire",
    "dict persist",
    "dict get",
    "dict at",
    "dict contains",
    "dict keys",
    "dict values",
    "dict items",
    "dict size",
    "dict set handle",
    "dict get handle",
    "dict erase handle",
    "list push_back",
    "list extend",
    "list *=",
    "list assign_slice",
    "list insert",
    "list set",
    "list update",
    "list pop",
    "list remove",
    "list erase",
    "list erase_slice",
    "list reverse",
    "list sort",
    "list clear",
    "list at",
    "list slice",
    "list snapshot",
    "list find",
    "list size",
    "set add",
    "set update",
    "set clear",
    "set discard",
    "set remove",
    "set pop",
    "set contains",
    "set snapshot",
    "counter increment",
    "counter update",
    "counter set",
    "counter erase",
    "counter get",
    "counter total",
    "counter most_common",
    "namespace set",
    "namespace update",
    "namespace get",
    "namespace erase",
    "namespace snapshot",
    "queue put",
    "queue put_for",
    "queue try_put",
    "queue put_nowait",
    "queue put_many",
    "queue get",
    "queue get_for",
    "queue try_get",
    "queue get_nowait",
    "queue get_many",
    "queue drain",
    "queue get_leased",
    "queue ack",
    "queue nack",
    "queue lease ends",
    "queue retry_dead",
    "queue drop_dead",
    "queue task_done",
    "queue peek",
    "queue snapshot",
    "queue clear",
    "queue close",
    "queue size",
    "lock lock",
    "lock try_lock",
    "lock try_lock_for",
    "lock try_lock_until",
    "lock unlock",
    "lock look",
    "lock break",
    "queue lifo put",
    "queue lifo get",
    "queue priority put",
    "queue priority get",
    "queue put handle",
    "queue get handle",
    "semaphore try_acquire",
    "semaphore try_acquire_for",
    "semaphore acquire",
    "semaphore release",
    "semaphore held",
    "event set",
    "event clear",
    "event wait",
    "event wait_for",
    "barrier wait",
    "barrier wait_for",
    "barrier reset",
    "barrier abort",
    "condition lock",
    "condition wait",
    "condition wait_for",
    "condition notify",
    "condition unlock",
    "value fetch_add",
    "value exchange",
    "value compare_exchange",
    "array fetch_add",
    "array slice",
    "array assign",
    "array update",
    "array with_lock",
    "pipe make",
    "pipe send",
    "pipe recv",
    "pipe close",
    "manager connect",
    "manager open",
    "manager make",
    "manager find",
    "manager names",
    "manager erase",
    "manager transact",
    "manager transact read",
    "manager transact kinds",
    "manager transact off",
    "manager transact nested",
    "manager wait_any",
    "daemon status",
    "daemon sessions",
    "daemon objects",
    "daemon check",
    "daemon processes",
};
static_assert(sizeof names / sizeof *names == op_count, "a name for each operation");

}  // namespace

const char* name_of(Op op) noexcept {
    const auto index = static_cast<std::size_t>(op);
    return index < op_count ? names[index] : "?";
}

bool may_sleep(Op op) noexcept {
    switch (op) {
        case Op::none:
        case Op::queue_put:
        case Op::queue_put_for:
        case Op::queue_get:
        case Op::queue_get_for:
        case Op::queue_lease:
        case Op::lock_lock:
        case Op::lock_try_lock_for:
        case Op::lock_try_lock_until:
        case Op::semaphore_acquire:
        case Op::semaphore_try_acquire_for:
        case Op::event_wait:
        case Op::event_wait_for:
        case Op::barrier_wait:
        case Op::barrier_wait_for:
        case Op::condition_lock:
        case Op::condition_wait:
        case Op::condition_wait_for:
        case Op::manager_wait_any:
        case Op::array_with_lock:
            return true;
        default:
            return false;
    }
}

}  // namespace muster::soak

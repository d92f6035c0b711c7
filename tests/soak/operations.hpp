// What the workers of the soak do, one by one: for the report, the watchdog and the account of each death.
#pragma once

#include <cstddef>
#include <cstdint>

namespace muster::soak {

enum class Op : std::uint32_t {
    none,
    dict_set,
    dict_insert,
    dict_setdefault,
    dict_update_pairs,
    dict_update,
    dict_compare_and_set,
    dict_erase,
    dict_pop,
    dict_popitem,
    dict_clear,
    dict_get,
    dict_at,
    dict_contains,
    dict_keys,
    dict_values,
    dict_items,
    dict_size,
    list_push_back,
    list_extend,
    list_insert,
    list_set,
    list_update,
    list_pop,
    list_remove,
    list_erase,
    list_erase_slice,
    list_reverse,
    list_sort,
    list_clear,
    list_at,
    list_slice,
    list_snapshot,
    list_find,
    list_size,
    queue_put,
    queue_put_for,
    queue_try_put,
    queue_put_nowait,
    queue_put_many,
    queue_get,
    queue_get_for,
    queue_try_get,
    queue_get_nowait,
    queue_get_many,
    queue_task_done,
    queue_peek,
    queue_snapshot,
    queue_clear,
    queue_close,
    queue_size,
    lock_lock,
    lock_try_lock,
    lock_try_lock_for,
    lock_try_lock_until,
    lock_unlock,
    lock_look,
    manager_connect,
    manager_open,
    manager_make,
    manager_find,
    manager_names,
    manager_erase,
    daemon_status,
    daemon_sessions,
    daemon_objects,
    daemon_check,
    daemon_processes,
    count
};
inline constexpr std::size_t op_count = static_cast<std::size_t>(Op::count);

// "dict set"
const char* name_of(Op op) noexcept;
// Whoever does this may be asleep, or does nothing.
bool may_sleep(Op op) noexcept;

}  // namespace muster::soak

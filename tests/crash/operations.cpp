#include "crash/operations.hpp"

namespace muster::test {

std::vector<std::vector<Operation>> all_operations() {
    return {transaction_operations(), extent_operations(), heap_operations(), directory_operations(), dict_operations(), expiry_operations(),
            list_operations(), queue_operations(), queue_order_operations(), number_operations(), pipe_operations(),
            joint_operations(), session_operations(), lock_operations(), rlock_operations(), wait_operations(), sync_operations(),
            realm_operations()};
}

}  // namespace muster::test

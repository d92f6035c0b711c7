// The mutating operations under crash test, one row each: how to get there, what is done, what can be seen of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "segment/segment.hpp"
#include "sync/sessions.hpp"

namespace muster::test {

struct Operation {
    std::string name;  // "heap: allocate small": area, operation, variant
    std::function<void(const segment::Segment&)> setup;  // on a fresh segment: the state before
    std::function<void(const segment::Segment&)> run;
    // Everything that users can see of it, and what it occupies, as text. Locks what it needs.
    std::function<std::string(const segment::Segment&)> contents;
    bool owned = true;  // every extent belongs to an object's heap, before and after
    // Several changes, each atomic: after a death some of them have happened, and done again it gets to the end.
    bool in_steps = false;
    // As far as that is not what it means: a state on the way that is right as well.
    std::function<bool(const std::string& state, const std::string& after)> right_too = {};
    // ... and done again after a death and the recovery, as far as that does not lead to the state after.
    std::function<bool(const std::string& state, const std::string& after)> again_too = {};
    // A word on which somebody sleeps: the operation must wake it, and so must the service when it died.
    std::function<std::uint32_t&(const segment::Segment&)> sleeps_on = {};
    bool by_service = false;      // what the dead leave is given back by the service alone
    bool service_too = true;      // the service's reclaiming leads to the same states as any other recovery
    bool all_dead = false;        // more than one has died: the service looks for all of them
    bool real_containers = true;  // the objects' roots hold what their kinds say
    bool store_to_store = false;  // very many instructions for its stores: not taken one by one
    bool long_way = false;        // very many stores, too: a spread of the images
    std::uint64_t log_entries = 0;  // at least so many are in force at one moment
};

// Who is there in every segment under test: session 0 and its thread live; the operation is session 1's, whose
// process is no longer there when the service looks for it.
inline constexpr sync::SessionId living{0, 1}, dying{1, 1};
inline constexpr sync::SlotId living_thread = sync::SlotId::make(0, 1), dying_thread = sync::SlotId::make(1, 1);

inline tx::DomainRep& sessions_domain(const segment::Segment& segment) {
    return *segment.at<tx::DomainRep>(segment.regions().sessions_domain);
}

std::vector<Operation> transaction_operations();
std::vector<Operation> extent_operations();
std::vector<Operation> heap_operations();
std::vector<Operation> directory_operations();
std::vector<Operation> dict_operations();
std::vector<Operation> expiry_operations();
std::vector<Operation> list_operations();
std::vector<Operation> queue_operations();
std::vector<Operation> number_operations();
std::vector<Operation> queue_order_operations();
std::vector<Operation> pipe_operations();
std::vector<Operation> joint_operations();
std::vector<Operation> session_operations();
std::vector<Operation> lock_operations();
std::vector<Operation> rlock_operations();
std::vector<Operation> wait_operations();
std::vector<Operation> sync_operations();
std::vector<Operation> realm_operations();
std::vector<std::vector<Operation>> all_operations();

}  // namespace muster::test

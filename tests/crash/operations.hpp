// The mutating operations under crash test, one row each: how to get there, what is done, what can be seen of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "segment/segment.hpp"

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
};

std::vector<Operation> extent_operations();
std::vector<Operation> heap_operations();
std::vector<Operation> directory_operations();
std::vector<Operation> dict_operations();
std::vector<Operation> list_operations();
std::vector<Operation> queue_operations();
std::vector<Operation> number_operations();
std::vector<Operation> queue_order_operations();
std::vector<Operation> pipe_operations();
std::vector<Operation> session_operations();
std::vector<std::vector<Operation>> all_operations();

}  // namespace muster::test

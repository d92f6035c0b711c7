// What is done to the library from outside: one row for each operation that is killed at its every instruction.
#pragma once

#include <muster/ipc.hpp>

#include <functional>
#include <string>
#include <vector>

namespace outside {

inline constexpr std::chrono::seconds patience{20};  // the promise is one second; a loaded machine is not a finding

struct Row {
    std::string name;
    std::function<void()> reset;      // the state before, whatever was there
    std::function<void()> prepare;    // in the child, at full speed
    std::function<void()> operation;  // in the child, instruction by instruction
    std::function<std::string()> look;  // all that can be seen; throws where a lock is held by the dead
    // Another process that wants something of the same object. It waits from before the operation, or else comes when
    // the child stands at its instruction.
    std::function<void()> wait;
    bool waits_before = false;
    std::function<bool()> may_wait = [] { return false; };  // the operation has not happened, so it waits on
    std::function<void()> let_on = [] {};
    std::vector<std::string> settled = {};  // what may be seen after the other one is done; empty: before, or after
    bool cold = false;                      // the child's first need of a session is part of the operation
};

// On objects of the caller's realm, all named "outside-...".
std::vector<Row> rows(const muster::Manager& manager);
void erase_all(const muster::Manager& manager);

}  // namespace outside

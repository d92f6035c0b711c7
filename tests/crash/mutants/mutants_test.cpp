// The test of the crash tests: deliberately broken variants of the library must be caught, each by its name.
#include <catch2/catch.hpp>

#include <algorithm>
#include <iostream>

#include "crash/examine.hpp"
#include "crash/report.hpp"
#include "support/skip.hpp"
#include "tx/order.hpp"

using namespace muster::test;
using muster::tx::Mutant;

namespace {

const Operation& named(const std::vector<Operation>& operations, const std::string& name) {
    for (const Operation& operation : operations)
        if (operation.name == name) return operation;
    FAIL("no operation is named " << name);
    throw name;
}

// Not waited for longer: a mutant may also make everybody wait for ever, which counts as caught.
constexpr unsigned most_seconds = 60;

std::vector<std::string> failures_of(Mutant mutant, const std::vector<Operation>& operations, const std::string& name) {
    if (const std::string reason = no_trace_here(); !reason.empty()) skip(reason);
    struct Guard {
        ~Guard() { muster::tx::active_mutant = Mutant::none; }
    } guard;
    muster::tx::active_mutant = mutant;
    Depth depth;
    depth.every_instruction = false;
    if (mutant == Mutant::missing_wake) {  // the sleepers sleep on: two of them tell as much as ten
        depth.patience = std::chrono::milliseconds(1000);
        depth.kills = 2;
    }
    const auto failures = examine_apart(named(operations, name), depth, most_seconds).failures;
    if (!failures.empty()) std::cout << name << ": " << failures.size() << " failures, as " << failures.front().substr(0, 200) << '\n';
    return failures;
}

struct Row {
    std::vector<Operation> (*area)();
    const char* name;
};

// By every one of the rows, with a failure that says `symptom`.
void must_be_caught(Mutant mutant, const char* name, const std::vector<Row>& rows, const std::string& symptom = "") {
    bool all = true;
    for (const Row& row : rows) {
        const auto failures = failures_of(mutant, row.area(), row.name);
        const bool caught = std::any_of(failures.begin(), failures.end(), [&](const std::string& failure) {
            return failure.find(symptom) != std::string::npos;
        });
        INFO(name << " survives '" << row.name << "'");
        CHECK(caught);
        all = all && caught;
    }
    if (all) tell_report(std::string("mutant ") + name, {std::string("mutant\t") + name});
}

const std::vector<Row> changes{
    {heap_operations, "heap: allocate, small from freed memory"},
    {heap_operations, "heap: free, large"},
    {directory_operations, "directory: erase"},
    {dict_operations, "dict: set, a new key"},
    {dict_operations, "dict: set, over a value at the limit of in place"},
    {dict_operations, "dict: remove, in the middle"},
    {list_operations, "list: insert, a full leaf is split"},
    {queue_operations, "queue: try_get, the last of its chunk"},
};
// Those that wake, those that make up for the dead, and the heirs of the dead.
const std::vector<Row> wakes{
    {wait_operations, "wait: notify"},
    {wait_operations, "wait: notify_after_unlock, a put and its wake"},
    {wait_operations, "wait: notify_all, a close and its wake"},
    {lock_operations, "lock: release, somebody sleeps"},
    {lock_operations, "lock: release_dead, somebody sleeps"},
    {realm_operations, "realm: reclaim, of a lock's holder whom somebody waits for"},
    {realm_operations, "realm: reclaim, somebody waits for what the dead had done"},
    {realm_operations, "realm: erase, somebody waits for it"},
};
// Those between whose steps an extent belongs to nobody but its tag.
const std::vector<Row> growths{
    {heap_operations, "heap: allocate, large"},
    {heap_operations, "heap: trim"},
    {dict_operations, "dict: set, the heap grows"},
    {queue_operations, "queue: try_put, the heap grows"},
    {realm_operations, "realm: reclaim, of somebody with an extent in the hand"},
};

// Those whose change is of several objects.
const std::vector<Row> joint{
    {joint_operations, "transact: set_within, a transfer between two dicts"},
    {joint_operations, "transact: stage, dict and list"},
    {joint_operations, "transact: put_within, dict and queue"},
    {joint_operations, "transact: three objects"},
};

}  // namespace

TEST_CASE("the library that carries the mutants is sound while none is active") {
    for (const Row& row : {changes[1], changes[2], changes[3], wakes[1], wakes[3], wakes[6], growths[0], joint[0], joint[3]})
        CHECK(failures_of(Mutant::none, row.area(), row.name).empty());
}

TEST_CASE("unlogged_word: a word that changes without a log entry is caught") {
    must_be_caught(Mutant::unlogged_word, "unlogged_word", changes);
}
TEST_CASE("count_before_entry: a log that counts an entry before it is written is caught") {
    must_be_caught(Mutant::count_before_entry, "count_before_entry", changes);
}
TEST_CASE("early_commit: a log that is emptied before the last change is caught") {
    must_be_caught(Mutant::early_commit, "early_commit", changes);
}
TEST_CASE("consistent_before_rollback: a mutex made consistent before the roll-back is caught") {
    must_be_caught(Mutant::consistent_before_rollback, "consistent_before_rollback", changes);
}
TEST_CASE("missing_fence: a word that changes before the log covers it is caught") {
    must_be_caught(Mutant::missing_fence, "missing_fence", changes);
}
TEST_CASE("missing_wake: a sleeper whom nobody wakes is caught") {
    must_be_caught(Mutant::missing_wake, "missing_wake", wakes, "sleep");
}
TEST_CASE("leaked_extent: an extent that nobody takes back is caught") {
    must_be_caught(Mutant::leaked_extent, "leaked_extent", growths, "leak");
}
TEST_CASE("early_decision: changes of several objects that are decided before they are made are caught") {
    must_be_caught(Mutant::early_decision, "early_decision", joint);
}
TEST_CASE("mark_late: objects marked after the decision are caught") { must_be_caught(Mutant::mark_late, "mark_late", joint); }
TEST_CASE("early_unmark: an object whose mark goes before its log is emptied is caught") {
    must_be_caught(Mutant::early_unmark, "early_unmark", joint);
}

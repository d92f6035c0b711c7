// The test of the crash tests: deliberately broken variants of the layer `tx` must be caught.
#include <catch2/catch.hpp>

#include <iostream>

#include "crash/examine.hpp"
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
constexpr unsigned seconds = 20;

std::vector<std::string> failures_of(Mutant mutant, const std::vector<Operation>& operations, const std::string& name) {
    if (const std::string reason = no_trace_here(); !reason.empty()) skip(reason);
    struct Guard {
        ~Guard() { muster::tx::active_mutant = Mutant::none; }
    } guard;
    muster::tx::active_mutant = mutant;
    Depth depth;
    depth.every_instruction = false;
    const auto failures = examine_apart(named(operations, name), depth, seconds).failures;
    if (!failures.empty()) std::cout << name << ": " << failures.size() << " failures, as " << failures.front() << '\n';
    return failures;
}

void must_be_caught(Mutant mutant) {
    CHECK_FALSE(failures_of(mutant, heap_operations(), "heap: allocate, small from freed memory").empty());
    CHECK_FALSE(failures_of(mutant, heap_operations(), "heap: free, large").empty());
    CHECK_FALSE(failures_of(mutant, directory_operations(), "directory: erase").empty());
    CHECK_FALSE(failures_of(mutant, dict_operations(), "dict: set, a new key").empty());
    CHECK_FALSE(failures_of(mutant, dict_operations(), "dict: set, over a value at the limit of in place").empty());
    CHECK_FALSE(failures_of(mutant, dict_operations(), "dict: remove, in the middle").empty());
    CHECK_FALSE(failures_of(mutant, list_operations(), "list: insert, a full leaf is split").empty());
    CHECK_FALSE(failures_of(mutant, queue_operations(), "queue: try_get, the last of its chunk").empty());
}

}  // namespace

TEST_CASE("the library that carries the mutants is sound while none is active") {
    CHECK(failures_of(Mutant::none, heap_operations(), "heap: free, large").empty());
    CHECK(failures_of(Mutant::none, directory_operations(), "directory: erase").empty());
    CHECK(failures_of(Mutant::none, dict_operations(), "dict: set, a new key").empty());
}

TEST_CASE("a word that changes without a log entry is caught") { must_be_caught(Mutant::unlogged_word); }
TEST_CASE("a log that counts an entry before it is written is caught") { must_be_caught(Mutant::count_before_entry); }
TEST_CASE("a log that is emptied before the last change is caught") { must_be_caught(Mutant::early_commit); }
TEST_CASE("a mutex made consistent before the roll-back is caught") { must_be_caught(Mutant::consistent_before_rollback); }

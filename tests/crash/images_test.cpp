// Every mutating operation, dead at every instruction.
#include <catch2/catch.hpp>

#include <iostream>

#include "crash/examine.hpp"
#include "crash/report.hpp"
#include "support/skip.hpp"

using namespace muster::test;

namespace {

void examine_all(const std::vector<Operation>& operations) {
    if (const std::string reason = no_trace_here(); !reason.empty()) skip(reason);
    std::vector<std::string> told;
    for (const Operation& operation : operations) {
        const Examination examination = examine(operation);
        std::cout << examination << '\n';
        for (const std::string& failure : examination.failures) FAIL_CHECK(operation.name << ": " << failure);
        CHECK(examination.images > 0);
        CHECK((operation.long_way || operation.store_to_store || examination.instructions > 0));
        told.push_back("images\t" + operation.name);
        for (const std::size_t number :
             {examination.images, examination.images_of_recovery, examination.images_of_second, examination.kills})
            told.back() += '\t' + std::to_string(number);
    }
    tell_report(operations.front().name, told);
}

}  // namespace

TEST_CASE("a transaction is undone after a death at any instruction") { examine_all(transaction_operations()); }
TEST_CASE("the extent table is whole after a death at any instruction") { examine_all(extent_operations()); }
TEST_CASE("a heap is whole after a death at any instruction") { examine_all(heap_operations()); }
TEST_CASE("the directory is whole after a death at any instruction") { examine_all(directory_operations()); }
TEST_CASE("a dict is whole after a death at any instruction") { examine_all(dict_operations()); }
TEST_CASE("keys that expire are whole after a death at any instruction") { examine_all(expiry_operations()); }
TEST_CASE("a list is whole after a death at any instruction") { examine_all(list_operations()); }
TEST_CASE("a value and an array are whole after a death at any instruction") { examine_all(number_operations()); }
TEST_CASE("a queue is whole after a death at any instruction") { examine_all(queue_operations()); }
TEST_CASE("a queue of any order, and its leases, are whole after a death at any instruction") {
    examine_all(queue_order_operations());
}
TEST_CASE("a pipe is whole after a death at any instruction") { examine_all(pipe_operations()); }
TEST_CASE("several objects are changed together or not at all, after a death at any instruction") {
    examine_all(joint_operations());
}
TEST_CASE("sessions and threads are whole after a death at any instruction") { examine_all(session_operations()); }
TEST_CASE("a lock is free after its holder's death at any instruction") { examine_all(lock_operations()); }
TEST_CASE("a recursive lock's levels are right after a death at any instruction") { examine_all(rlock_operations()); }
TEST_CASE("who waits is woken after a death at any instruction") { examine_all(wait_operations()); }
TEST_CASE("events, semaphores, conditions and barriers are whole after a death at any instruction") { examine_all(sync_operations()); }
TEST_CASE("the service may die at any instruction of clearing up after the dead") { examine_all(realm_operations()); }

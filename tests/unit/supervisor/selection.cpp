#include "service/supervisor/selection.hpp"

#include <catch2/catch.hpp>

#include "service/server/call.hpp"

using namespace muster::service;

namespace {

Table table() {
    Table result;
    const auto add = [&](std::uint64_t id, const char* name, pid_t pid, uid_t uid, State state) {
        auto process = std::make_shared<Process>();
        process->id = id;
        process->name = name;
        process->pid = pid;
        process->uid = uid;
        process->state = state;
        result.emplace(id, process);
    };
    add(1, "w", 100, 7, State::exited);
    add(2, "w", 101, 7, State::running);
    add(3, "w", 102, 8, State::stopping);
    add(4, "x", 100, 7, State::running);  // the pid of #1, used again
    add(5, "y", 0, 7, State::failed);
    return result;
}

std::vector<std::uint64_t> ids(const std::vector<ProcessPtr>& processes) {
    std::vector<std::uint64_t> result;
    for (const auto& process : processes) result.push_back(process->id);
    return result;
}

using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("a selection is a name, an id or a pid") {
    const Table all = table();
    CHECK(ids(select_quietly(all, "w", 7, Choose::all)) == Ids{1, 2});
    CHECK(ids(select_quietly(all, "w", 0, Choose::all)) == Ids{1, 2, 3});
    CHECK(ids(select_quietly(all, "#2", 7, Choose::all)) == Ids{2});
    CHECK(ids(select_quietly(all, "100", 7, Choose::all)) == Ids{1, 4});
    CHECK(ids(select_quietly(all, "100", 7, Choose::live_or_ended)) == Ids{4});
    CHECK(ids(select_quietly(all, "0", 7, Choose::all)).empty());  // a failed start has no pid
    CHECK(ids(select_quietly(all, "w", 7, Choose::live)) == Ids{2});
    CHECK(ids(select_quietly(all, "#1", 7, Choose::live_or_ended)) == Ids{1});
    CHECK(ids(select_quietly(all, "#", 7, Choose::all)).empty());
    CHECK(ids(select_quietly(all, "#2x", 7, Choose::all)).empty());
    CHECK(ids(select_quietly(all, "99999999999999999999", 7, Choose::all)).empty());
    CHECK(ids(select_quietly(all, "W", 7, Choose::all)).empty());
}

TEST_CASE("the name that several were started together under selects all of them") {
    Table all = table();
    all.at(1)->name = "many-1";
    all.at(2)->name = "many-2";
    all.at(3)->name = "many-3";
    for (const std::uint64_t id : {1u, 2u, 3u}) all.at(id)->group = "many";
    all.at(4)->name = "many-4";  // started alone under that name
    CHECK(ids(select_quietly(all, "many", 0, Choose::all)) == Ids{1, 2, 3});
    CHECK(ids(select_quietly(all, "many", 0, Choose::live_or_ended)) == Ids{2, 3});
    CHECK(ids(select_quietly(all, "many", 7, Choose::all)) == Ids{1, 2});
    CHECK(ids(select_quietly(all, "many-2", 0, Choose::all)) == Ids{2});
    all.at(5)->name = "many";  // and one that has the name itself
    CHECK(ids(select_quietly(all, "many", 7, Choose::all)) == Ids{1, 2, 5});
    CHECK(ids(select_quietly(all, "", 7, Choose::all)).empty());
}

TEST_CASE("names that would make a selection ambiguous are refused") {
    for (const char* name : {"w", "worker-1", "a b", "1a", "-x", "\xc3\xa9"}) CHECK_NOTHROW(check_name(name, "name"));
    for (const std::string& name : {std::string(), std::string("#1")}) CHECK_THROWS_AS(check_name(name, "name"), CallError);
    for (const char* name : {"123", "a\nb", "a\x7f", "a\x1b[31m"})
        CHECK_THROWS_AS(check_name(name, "name"), CallError);
    CHECK_NOTHROW(check_name(std::string(max_name, 'n'), "name"));
    CHECK_THROWS_AS(check_name(std::string(max_name + 1, 'n'), "name"), CallError);
}

TEST_CASE("the default name is the program's base name, made valid") {
    CHECK(default_name("/usr/bin/python3") == "python3");
    CHECK(default_name("sleep") == "sleep");
    CHECK(default_name("/opt/123") == "_123");
    CHECK(default_name("dir/") == "_");
    CHECK(default_name("#x") == "_#x");
    for (const std::string& program : {std::string("\x01\xff"), std::string(500, 'x'), std::string()})
        CHECK_NOTHROW(check_name(default_name(program) + "-99999", "name"));
}

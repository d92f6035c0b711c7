#include "service/supervisor/journal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "fake_outside.hpp"

using namespace muster;
using namespace muster::service;

namespace {

Process process(std::uint64_t id, const char* name) {
    Process result;
    result.id = id;
    result.kind = Kind::forked;
    result.state = State::running;
    result.name = name;
    result.pid = static_cast<pid_t>(100 + id);
    result.ppid = 7;
    result.uid = 1000;
    result.started = 1.5;
    result.start_time = 99;
    return result;
}

std::optional<Journal> reopened(const Journal& journal) {
    return Journal::adopt(base::UniqueFd(::fcntl(journal.memfd(), F_DUPFD_CLOEXEC, 0)));
}

}  // namespace

TEST_CASE("what was written down is read by whoever adopts the journal") {
    Journal journal = Journal::create(4);
    Process one = process(3, "one"), two = process(5, "two"), three = process(9, std::string(max_name, 'n').c_str());
    journal.record(one);
    journal.record(two);
    journal.record(three);
    two.state = State::exited;
    two.outcome.emplace().ended = 8.25;
    journal.record(two);
    two.outcome->signal = SIGSEGV;
    two.outcome->core_dumped = true;
    journal.record(two);
    three.state = State::exited;
    three.outcome.emplace().exit_code = 255;
    journal.record(three);

    const auto other = reopened(journal);
    REQUIRE(other);
    CHECK(other->next_id() == 10);
    const auto read = other->read();
    REQUIRE(read.size() == 3);
    CHECK(read[0]->name == "one");
    CHECK(read[0]->state == State::running);
    CHECK_FALSE(read[0]->outcome);
    CHECK(read[0]->pid == 103);
    CHECK(read[0]->ppid == 7);
    CHECK(read[0]->uid == 1000);
    CHECK(read[0]->started == 1.5);
    CHECK(read[0]->start_time == 99);
    CHECK(read[1]->state == State::exited);
    CHECK(read[1]->outcome->ended == 8.25);
    CHECK(read[1]->outcome->signal == SIGSEGV);
    CHECK_FALSE(read[1]->outcome->exit_code);
    CHECK(read[1]->outcome->core_dumped == true);
    CHECK(read[2]->name.size() == max_name);
    CHECK(read[2]->outcome->exit_code == 255);
    CHECK_FALSE(read[2]->outcome->core_dumped);
}

TEST_CASE("slots are used again, ids are not, and a full journal keeps what it has") {
    Journal journal = Journal::create(2);
    for (std::uint64_t id = 1; id <= 3; ++id) journal.record(process(id, "p"));
    CHECK(journal.read().size() == 2);
    journal.erase(1);
    journal.erase(1);
    journal.erase(77);
    journal.record(process(4, "p"));
    journal.erase(4);
    const auto other = reopened(journal);
    REQUIRE(other->read().size() == 1);
    CHECK(other->read()[0]->id == 2);
    CHECK(other->next_id() == 5);
}

TEST_CASE("memory that is no journal is not taken for one") {
    CHECK_FALSE(Journal::adopt(base::UniqueFd(::memfd_create("x", MFD_CLOEXEC))));
    base::UniqueFd zeros(::memfd_create("x", MFD_CLOEXEC));
    REQUIRE(::ftruncate(zeros.get(), 4096) == 0);
    CHECK_FALSE(Journal::adopt(std::move(zeros)));
    CHECK_FALSE(Journal::adopt(base::UniqueFd()));
}

TEST_CASE("the next service knows forked processes, the living and the ended, and goes on watching") {
    const pid_t child = ::fork();
    if (child == 0)
        for (;;) ::pause();
    const pid_t gone = ::fork();
    if (gone == 0)
        for (;;) ::pause();
    const Requester me{::getuid(), ::getpid()};
    FakeOutside outside;
    {
        Supervisor first{{.history = 3, .processes = 10, .grace = 5, .keeper_pid = 77}, outside};
        first.announce(me, child, "stays");
        first.announce(me, gone, "goes");
    }
    ::kill(gone, SIGKILL);
    ::waitpid(gone, nullptr, 0);
    outside.watched.clear();
    Supervisor second{{.history = 3, .processes = 10, .grace = 5, .keeper_pid = 77}, outside};
    for (auto& forked : reopened(outside.journal)->read()) second.restore_forked(forked);
    second.restored();
    const auto stays = second.find(1), goes = second.find(2);
    REQUIRE(stays);
    REQUIRE(goes);
    CHECK(stays->state == State::running);
    CHECK(outside.watched.contains(1));
    second.announce(me, child, "stays");  // told again: the same one
    CHECK(second.list(me.uid, true, std::nullopt).size() == 2);
    CHECK(goes->state == State::exited);
    CHECK_FALSE(goes->outcome->told());
    Outcome outcome;
    outcome.signal = SIGKILL;
    second.ended(me, gone, outcome);
    CHECK(goes->outcome->signal == SIGKILL);
    CHECK(reopened(outside.journal)->read()[1]->outcome->signal == SIGKILL);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

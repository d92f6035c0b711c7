// A domain with a short log and some words, in a page of a segment.
#pragma once

#include <catch2/catch.hpp>

#include <csignal>
#include <functional>

#include "support/child.hpp"
#include "support/temp_segment.hpp"
#include "tx/tx.hpp"

namespace muster::test {

inline constexpr std::uint64_t log_entries = 8;

struct DomainFixture {
    TempSegment segment{segment::minimum_capacity};
    std::uint64_t at = segment->regions().data;
    tx::DomainRep& domain = *segment->at<tx::DomainRep>(at);
    tx::LogEntry* log = segment->at<tx::LogEntry>(at + 512, log_entries);
    tx::Cell<std::uint64_t>* words = segment->at<tx::Cell<std::uint64_t>>(at + 1024, 16);
    tx::Cell<std::uint32_t>* halves = segment->at<tx::Cell<std::uint32_t>>(at + 2048, 16);

    DomainFixture() {
        REQUIRE(segment->reserve(at, segment::page_size));
        tx::format(domain, at + 512, log_entries);
    }
    tx::Entered enter(base::Deadline deadline = base::Deadline::now()) const {
        return tx::enter(*segment, domain, deadline);
    }
    std::uint64_t sequence() const { return tx::sequence_of(domain); }
};

// Runs `act` in a child, which then dies by SIGKILL.
inline void die_after(const std::function<void()>& act) {
    Child child([&] {
        act();
        ::kill(::getpid(), SIGKILL);
        return 0;
    });
    REQUIRE(child.join() == -SIGKILL);
}

}  // namespace muster::test

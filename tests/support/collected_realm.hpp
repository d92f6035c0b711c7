// A realm without a daemon, and the service's side of it that frees what nobody reaches.
#pragma once

#include <catch2/catch.hpp>

#include <muster/manager.hpp>

#include "handles/realm.hpp"
#include "session/realm.hpp"
#include "session/session.hpp"

namespace muster::test {

struct CollectedRealm {
    session::Realm realm = session::Realm::create("nested", 64u << 20);
    std::shared_ptr<session::Session> session =
        session::Session::local(segment::Segment::open(base::UniqueFd(::dup(realm.memfd())), "nested"));
    Manager manager{std::make_shared<detail::Realm>(session)};

    // Everything that can be freed is; how much was.
    std::uint32_t collect() {
        std::uint32_t freed = 0;
        for (;;) {
            auto report = realm.collect(true, 1'000'000);
            while (!report.done) report = realm.collect(false, 1'000'000);
            REQUIRE_FALSE(report.held_up);
            freed += report.freed;
            if (report.freed == 0) return freed;
        }
    }
};

}  // namespace muster::test

// CHECKs of a realm that the daemon would find no fault with it.
#pragma once

#include <catch2/catch.hpp>

#include "support/local_realm.hpp"

namespace muster::test {

inline void require_whole(const LocalRealm& realm) {
    for (const auto& violation : realm.daemon().check().violations) FAIL_CHECK(violation.object << ": " << violation.text);
}

}  // namespace muster::test

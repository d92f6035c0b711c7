// Looks into semaphores, barriers and conditions of a realm that lock nothing but the object.
#pragma once

#include <catch2/catch.hpp>

#include "support/local_realm.hpp"
#include "sync/sync.hpp"

namespace muster::test {

inline heap::ObjectRef ref_of(const LocalRealm& realm, const char* name) {
    return realm.session().directory().find_any(name).value().ref;
}
inline sync::Semaphore semaphore_of(const LocalRealm& realm, const char* name) {
    return {realm.session().segment(), ref_of(realm, name)};
}

}  // namespace muster::test

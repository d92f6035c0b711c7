// A realm without a daemon, for tests of handles; what a daemon would see of it, too.
#pragma once

#include <muster/manager.hpp>

#include "handles/realm.hpp"
#include "session/format.hpp"
#include "session/realm.hpp"

namespace muster::test {

class LocalRealm {
  public:
    explicit LocalRealm(std::uint64_t capacity = 64u << 20) {
        auto segment = segment::Segment::create("test", capacity);
        session::format(segment);
        memfd_ = base::UniqueFd(::dup(segment.memfd()));
        session_ = session::Session::local(std::move(segment));
    }
    Manager manager() const { return Manager(std::make_shared<detail::Realm>(session_)); }
    session::Session& session() const { return *session_; }
    // The daemon's view; one at a time is enough for a test.
    session::Realm daemon() const { return session::Realm::adopt(base::UniqueFd(::dup(memfd_.get())), "test"); }

  private:
    base::UniqueFd memfd_;
    std::shared_ptr<session::Session> session_;
};

}  // namespace muster::test

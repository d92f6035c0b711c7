#include "realm.hpp"

#include "handles/realm.hpp"
#include "segment/segment.hpp"
#include "session/format.hpp"
#include "session/session.hpp"

namespace muster::bench {

Manager local_manager(std::uint64_t capacity) {
    segment::Segment segment = segment::Segment::create("bench", capacity);
    session::format(segment);
    return Manager(std::make_shared<detail::Realm>(session::Session::local(std::move(segment))));
}

}  // namespace muster::bench

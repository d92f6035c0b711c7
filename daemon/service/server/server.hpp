// Accepts connections on the listening socket and runs each in its coroutine.
//
// Who is let in is decided here, from the kernel's word about the peer: see Admission. A refused peer gets one error
// reply to its first call; of many that wait to make it, the others get theirs at once. Some descriptors are never
// given to clients: the service goes on to work when clients have taken all the others. Thread safety: the io_context's one thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/base.hpp"
#include "service/server/dispatcher.hpp"

namespace boost::asio {
class io_context;
}

namespace muster::service {

struct Admission {
    std::optional<uid_t> only_uid;  // and root; everybody when absent
    std::size_t connections = 4096, connections_per_uid = 1024;
    std::size_t buffers = std::size_t{256} << 20, buffers_per_uid = std::size_t{64} << 20;  // bytes, see budget.hpp
};

// The error for a peer that would be one too many or is somebody else's, nothing for a welcome one.
std::optional<CallError> refusal(const Admission& admission, const Peer& peer, std::size_t open, std::size_t open_by_uid);

class Server {
  public:
    Server(boost::asio::io_context& context, base::UniqueFd listener, Admission admission, const Dispatcher& dispatcher);
    ~Server();

    void start();
    void stop() noexcept;  // accepts no more; closes every connection
    std::size_t connections() const noexcept;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace muster::service

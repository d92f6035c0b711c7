// What workers write to a log pipe, line by line into the daemon's log as "NAME[PID]: LINE".
//
// Thread safety: the io_context's one thread.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/base.hpp"

namespace boost::asio {
class io_context;
}

namespace muster::service {

class LogRelay {
  public:
    explicit LogRelay(boost::asio::io_context& context);
    ~LogRelay();

    // Reads until the last writer has closed its end.
    void add(base::UniqueFd pipe, std::string label);

  private:
    struct Source;
    void wait(const std::shared_ptr<Source>& source);
    void read(const std::shared_ptr<Source>& source);

    boost::asio::io_context& context_;
    std::set<std::shared_ptr<Source>> sources_;
};

}  // namespace muster::service

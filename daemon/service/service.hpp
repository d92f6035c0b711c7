// The service: everything the daemon decides and everything it says to clients. A child of the keeper,
// replaced by the next one when it dies; see daemon/DESIGN.md, "Hand-over".
#pragma once

#include "base/base.hpp"
#include "service/config.hpp"

namespace muster::service {

// Takes over from the keeper through its end of the link and serves until told to stop. Returns the exit
// code: 0 when every worker was stopped as asked, 1 when it cannot go on and the next service should.
int run(base::UniqueFd link, const Config& config);

}  // namespace muster::service

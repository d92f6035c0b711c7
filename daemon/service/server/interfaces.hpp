// The texts of daemon/interfaces/*.varlink, put into the program at build time.
#pragma once

#include <string_view>
#include <vector>

namespace muster::service {

std::vector<std::string_view> embedded_interfaces();

}  // namespace muster::service

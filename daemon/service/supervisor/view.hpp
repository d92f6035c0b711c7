// A process as the interface io.muster.processes shows it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "service/supervisor/process.hpp"

namespace muster::service {

nlohmann::json view(const Process& process);
nlohmann::json view(const Processes& processes);

}  // namespace muster::service

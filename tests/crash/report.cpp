#include "crash/report.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace muster::test {

void tell_report(const std::string& file, const std::vector<std::string>& lines) {
    const char* const folder = std::getenv("MUSTER_CRASH_REPORT");
    if (folder == nullptr) return;
    std::filesystem::create_directories(folder);
    std::ofstream out(std::filesystem::path(folder) / file, std::ios::trunc);
    for (const std::string& line : lines) out << line << '\n';
    if (!out.flush()) throw std::runtime_error("the report of the crash tests cannot be written");
}

}  // namespace muster::test

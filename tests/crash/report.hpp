// What the crash tests tell the report that is made of all of them (report.py), under ctest.
#pragma once

#include <string>
#include <vector>

namespace muster::test {

// One file of the report, written anew: a line for each, its fields separated by tabs. Outside ctest: nothing.
void tell_report(const std::string& file, const std::vector<std::string>& lines);

}  // namespace muster::test

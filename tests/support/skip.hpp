// A test that cannot run here says why and counts as skipped, for ctest (SKIP_RETURN_CODE) as for the reader.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace muster::test {

// Ends the program: under ctest it runs one test only.
[[noreturn]] inline void skip(const std::string& reason) {
    std::printf("SKIP: %s\n", reason.c_str());
    std::fflush(stdout);
    std::_Exit(77);
}

}  // namespace muster::test

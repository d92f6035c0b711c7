// What a file holds.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace muster::test {

// Empty: there is none, too.
inline std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace muster::test

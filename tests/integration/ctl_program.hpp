// Runs musterctl as a shell would and judges what it said.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/daemon_fixture.hpp"

namespace muster::test {

struct Outcome {
    int code;  // exit code, or 128 + N
    std::string out, err;

    nlohmann::json json() const { return nlohmann::json::parse(out); }
    // Is the complaint one line that begins "musterctl: " and holds all of `parts`?
    bool says(std::initializer_list<const char*> parts) const {
        return err.starts_with("musterctl: ") && std::count(err.begin(), err.end(), '\n') == 1 &&
               err.ends_with('\n') && std::all_of(parts.begin(), parts.end(), [&](const char* part) {
                   return err.find(part) != err.npos;
               });
    }
};

inline Outcome outcome_of(const std::vector<std::string>& argv,
                          const std::vector<std::string>& environment = {}) {
    Ran ran = test::run(argv, environment);
    return {ran.status, std::move(ran.out), std::move(ran.err)};
}

// musterctl against one daemon.
class Ctl {
  public:
    explicit Ctl(std::string address) : address_(std::move(address)) {}
    template <typename... Words>
    Outcome operator()(Words&&... words) const {
        return run({std::string(std::forward<Words>(words))...});
    }
    Outcome run(std::vector<std::string> words) const {
        words.insert(words.begin(), {program("musterctl"), "--address", address_});
        return outcome_of(words);
    }

  private:
    std::string address_;
};

}  // namespace muster::test

// What every verb gets: the options given to musterctl itself, the daemon, and where results go.
// Thread safety: control() and call() from any thread once control() was called; the rest from one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/base.hpp"
#include "ctl/output.hpp"
#include "ctl/parser.hpp"
#include "session/control.hpp"

namespace muster {
class Manager;
}

namespace muster::ctl {

class Context {
  public:
    // --address, --json, --timeout; any verb takes them before or after its name.
    void describe(Parser& parser);

    bool json = false;
    std::optional<Duration> timeout;  // --timeout, when it was given
    Output out;

    const session::Address& address();
    session::Control& control();
    // The shared objects: attached at the first call.
    Manager& manager();
    // The daemon is given --timeout to answer, or 5 s.
    base::Deadline patience() const;
    nlohmann::json call(std::string_view method, const nlohmann::json& parameters);
    nlohmann::json call(std::string_view method, const nlohmann::json& parameters, base::Deadline deadline);

  private:
    std::optional<std::string> given_address_;
    std::optional<session::Address> address_;
    std::optional<session::Control> control_;
    std::shared_ptr<Manager> manager_;
};

// "musterctl: [wrong_kind] ..." on stderr.
void complain(const Error& error) noexcept;

}  // namespace muster::ctl

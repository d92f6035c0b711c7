// What the daemon's error replies mean: Varlink error names to muster::Error.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include <muster/error.hpp>

namespace muster::session {

// An error that the daemon answered with; for those who want more of it than its text.
class ReplyError : public Error {
  public:
    ReplyError(Error error, std::string_view name, const nlohmann::json& parameters);

    const std::string& name() const noexcept { return name_; }  // "io.muster.processes.NoSuchProcess"
    const nlohmann::json& parameters() const noexcept { return *parameters_; }

  private:
    std::string name_;
    std::shared_ptr<const nlohmann::json> parameters_;
};

// `error` is the qualified name, `parameters` what came with it, `method` the method called. The text is one
// line: control characters from the other side are replaced.
ReplyError reply_error(std::string_view error, const nlohmann::json& parameters, std::string_view method);

// The operation that errors name: "spawn" for "io.muster.processes.Spawn".
std::string operation_of(std::string_view method);

// Text from elsewhere on one line: control characters become spaces; cut at 512 bytes.
std::string one_line(std::string_view text);

}  // namespace muster::session

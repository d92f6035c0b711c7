// The command line, as the verbs describe it: a thin face of CLI11, which is compiled once, in parser.cpp.
//
// A Parser is one command or sub-command; the variables bound to it must live until parse() and the action
// are done (the verbs keep them in a shared_ptr that their action holds). Everything after `--` is a
// positional, byte for byte, even where it looks like an option. Thread safety: none needed, main() alone
// uses it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace muster::ctl {

// nullopt: no limit.
using Duration = std::optional<std::chrono::nanoseconds>;

class Parser {
  public:
    using Action = std::function<int()>;  // gives the exit code

    explicit Parser(CLI::App& app, Action& chosen) : app_(&app), chosen_(&chosen) {}

    // A sub-command; exactly one must be given where there are any. `group` is its heading in the help.
    Parser command(const std::string& name, const std::string& help, const std::string& group = {});
    void alias(const std::string& name);

    void positional(std::string& target, const std::string& name, const std::string& help);
    void positional(std::optional<std::string>& target, const std::string& name, const std::string& help);
    void positional(long& target, const std::string& name, const std::string& help);
    void positional(std::optional<long>& target, const std::string& name, const std::string& help);
    void positionals(std::vector<std::string>& target, const std::string& name, const std::string& help,
                     bool required = true);

    // `names` as "--count" or "-n,--name"; `type` as shown in the help.
    void option(std::optional<std::string>& target, const std::string& names, const std::string& type,
                const std::string& help);
    void option(std::vector<std::string>& target, const std::string& names, const std::string& type,
                const std::string& help);
    void option(std::optional<long>& target, const std::string& names, const std::string& type,
                const std::string& help, long least, long most);
    // A duration as text.hpp's parse_duration takes it; untouched when not given.
    void option(std::optional<Duration>& target, const std::string& names, const std::string& help);
    void flag(bool& target, const std::string& names, const std::string& help);

    void footer(const std::string& text);
    void version(const std::string& text);  // makes --version
    // What to do when this one was chosen.
    void action(Action action);

  private:
    CLI::App* app_;
    Action* chosen_;
};

// Builds the command line with `describe`, parses, prints help, and runs what was chosen. Usage errors are
// one line on stderr and exit code 2. What the action throws passes through.
int parse_and_run(int argc, const char* const* argv, const std::string& description,
                  const std::function<void(Parser&)>& describe);

}  // namespace muster::ctl

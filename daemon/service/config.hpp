// What can be set, and where from: defaults, then the configuration file (TOML), then the command line.
//
//   address   = "unix:/run/muster/muster.sock"
//   memory    = "1 GiB"        # of each realm; B, KiB, MiB, GiB, TiB
//   history   = 256            # ended processes that are remembered
//   grace     = 5.0            # seconds from the stop signal to SIGKILL
//   deadlock  = "error"        # what a wait for a lock is that would close a circle; or "report": only told
//   log_level = "info"         # debug, info, warning, error
//   [limits]
//   connections = 4096         # client connections
//   connections_per_uid = 1024
//   processes = 4096           # not yet ended ones
//   processes_per_uid = 2048
//   sessions = 4096            # clients registered in the realms
//   sessions_per_uid = 1024    # no realm has room for more
//   buffers = "256 MiB"        # messages and replies under way, beyond 16 KiB of each connection
//   buffers_per_uid = "64 MiB"
//
// An unknown key, a wrong type and a value out of range are refused by name with file and line.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace muster::service {

enum class Mode { user, system, private_ };
inline std::string to_string(Mode mode) {
    return mode == Mode::user ? "user" : mode == Mode::system ? "system" : "private";
}

struct Limits {
    std::uint64_t connections = 4096, connections_per_uid = 1024, processes = 4096, sessions = 4096;
    std::uint64_t processes_per_uid = 2048, sessions_per_uid = 1024;
    std::uint64_t buffers = std::uint64_t{256} << 20, buffers_per_uid = std::uint64_t{64} << 20;
};

struct Config {
    Mode mode = Mode::user;
    std::string address;  // "unix:PATH"; empty: the default of the mode
    std::uint64_t memory = std::uint64_t{1} << 30;
    std::uint64_t history = 256;
    double grace = 5;
    std::string log_level = "info";
    std::string deadlock = "error";
    Limits limits;
};

// "64 MiB", "1GiB", "4194304", "512 M". Throws StartError naming `where`.
std::uint64_t parse_size(const std::string& text, const std::string& where);
// debug, info, warning, error. Throws StartError naming `where`.
void check_log_level(const std::string& level, const std::string& where);

// Sets what the file says. A missing file is an error only when `required`. Throws StartError(configuration).
void read_config_file(Config& config, const std::string& path, bool required);
// The same from a text; `path` is for the messages.
void read_config_text(Config& config, const std::string& text, const std::string& path);

// /etc/muster/musterd.toml, $XDG_CONFIG_HOME/muster/musterd.toml, or none: for private daemons, and without a
// home.
std::optional<std::string> default_config_path(Mode mode);

// How the keeper hands it to the service, as one argument.
std::string to_argument(const Config& config);
Config from_argument(const std::string& text);

}  // namespace muster::service

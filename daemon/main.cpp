// musterd: reads its settings, makes its socket, and becomes the keeper; or, started by the keeper, the
// service.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>

#include "keeper/keeper.hpp"
#include "listen.hpp"
#include "log.hpp"
#include "service/config.hpp"
#include "service/service.hpp"
#include "start_error.hpp"

namespace {

using namespace muster;
using service::Config;
using service::Mode;

constexpr const char* footer =
    R"(Settings come from the configuration file (TOML), then from here. Default files:
/etc/muster/musterd.toml with --system, $XDG_CONFIG_HOME/muster/musterd.toml with --user.
Default addresses: unix:/run/muster/muster.sock, unix:$XDG_RUNTIME_DIR/muster/muster.sock.

Exit codes: 0 stopped as asked; 1 failed while running; 2 usage; 3 configuration;
4 a daemon already serves this address; 5 the socket cannot be made there.)";

struct Arguments {
    std::string address, config_file, memory, log_level, service_config;
    bool user = false, system = false, private_ = false;
    pid_t owner = 0;
    int ready_fd = -1, service_fd = -1;
};

void declare(CLI::App& app, Arguments& arguments) {
    app.set_version_flag("--version", "musterd " MUSTER_VERSION);
    app.footer(footer);
    app.add_option("--address", arguments.address, "where to listen")->type_name("unix:PATH");
    auto* user = app.add_flag("--user", arguments.user, "serve this user (default unless root)");
    auto* system = app.add_flag("--system", arguments.system, "serve every user (default for root)");
    auto* private_ = app.add_flag("--private", arguments.private_, "serve one program; needs --address");
    user->excludes(system)->excludes(private_);
    system->excludes(private_);
    app.add_option("--config", arguments.config_file, "another configuration file")->type_name("FILE");
    app.add_option("--memory", arguments.memory, "of each realm, as \"512 MiB\"")->type_name("SIZE");
    app.add_option("--owner", arguments.owner, "stop when this process ends")
        ->type_name("PID")
        ->check(CLI::PositiveNumber);
    app.add_option("--ready-fd", arguments.ready_fd, "write \"ready\" there when clients are served")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--log-level", arguments.log_level, "debug, info, warning or error")->type_name("LEVEL");
    app.add_option("--service-fd", arguments.service_fd)->group("");
    app.add_option("--service-config", arguments.service_config)->group("");
}

Config settings(const Arguments& arguments) {
    Config config;
    config.mode = arguments.private_                                          ? Mode::private_
                  : arguments.system || (!arguments.user && ::geteuid() == 0) ? Mode::system
                                                                              : Mode::user;
    if (!arguments.config_file.empty())
        service::read_config_file(config, arguments.config_file, true);
    else if (const auto path = service::default_config_path(config.mode))
        service::read_config_file(config, *path, false);
    if (!arguments.address.empty()) config.address = arguments.address;
    if (!arguments.memory.empty()) config.memory = service::parse_size(arguments.memory, "--memory");
    if (!arguments.log_level.empty()) {
        service::check_log_level(arguments.log_level, "--log-level");
        config.log_level = arguments.log_level;
    }
    return config;
}

int run_keeper(const Arguments& arguments) {
    Config config = settings(arguments);
    auto listening = listening_from_activation();
    if (!listening) {
        const bool is_default = config.address.empty();
        listening =
            listen_at(is_default ? default_address(config.mode) : config.address, config.mode, is_default);
    }
    config.address = listening->address;
    if (arguments.ready_fd >= 0 && ::fcntl(arguments.ready_fd, F_SETFD, FD_CLOEXEC) != 0)
        throw StartError(ExitCode::usage, "--ready-fd " + std::to_string(arguments.ready_fd) +
                                              ": it is not open: open it before musterd is started");
    keeper::Options options;
    options.address = listening->address;
    options.quiet = config.log_level == "warning" || config.log_level == "error";
    options.service_arguments = {"--service-config", service::to_argument(config)};
    if (arguments.owner > 0) options.owner_pid = arguments.owner;
    options.ready_fd = arguments.ready_fd;
    options.unlink_path = listening->unlink_path;
    const auto longest_stop = std::chrono::milliseconds(static_cast<std::int64_t>(config.grace * 1000) + 10'000);
    options.stop_timeout = std::max(options.stop_timeout, longest_stop);
    const int code = keeper::Keeper(std::move(options), std::move(listening->socket)).run();
    if (listening->lock_path) ::unlink(listening->lock_path->c_str());
    return code;
}

int run_service(const Arguments& arguments) {
    const Config config = service::from_argument(arguments.service_config);
    set_up_log(config.log_level);
    ::fcntl(arguments.service_fd, F_SETFD, FD_CLOEXEC);
    return service::run(base::UniqueFd(arguments.service_fd), config);
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("The Muster daemon: shared objects and processes that outlive their users' deaths.",
                 "musterd");
    declare(app, arguments);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& shown) {
        return app.exit(shown);
    } catch (const CLI::ParseError& error) {
        std::cerr << "musterd: command line: " << error.what() << ": see musterd --help\n";
        return static_cast<int>(ExitCode::usage);
    }
    try {
        return arguments.service_fd >= 0 ? run_service(arguments) : run_keeper(arguments);
    } catch (const StartError& error) {
        std::cerr << "musterd: " << error.what() << '\n';
        return static_cast<int>(error.code());
    } catch (const std::exception& error) {
        std::cerr << "musterd: start: " << error.what() << ": see the reason\n";
        return static_cast<int>(ExitCode::failed);
    }
}

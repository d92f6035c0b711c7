#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/processes.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

using nlohmann::json;

struct RunOptions {
    std::vector<std::string> argv, environment;
    std::optional<std::string> name, directory, out, err, stop_signal;
    std::optional<long> count;
    std::optional<Duration> grace;
    bool wait = false;
};

struct UsageError {
    std::string text;
};

std::string absolute(const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
}

json output(const std::string& word) {
    if (word == "null" || word == "log" || word == "inherit") return {{"kind", word}};
    if (word.empty()) throw UsageError{"run: --stdout and --stderr want null, log, inherit or a file"};
    return {{"kind", "file"}, {"path", absolute(word)}};
}

// NAME=VALUE; a bare NAME is taken from our own environment, and left out where it is not set.
json environment(const std::vector<std::string>& settings) {
    json all = json::array();
    for (const auto& setting : settings) {
        if (setting.empty() || setting.front() == '=')
            throw UsageError{"run: --env '" + printable(setting) +
                             "': write NAME=VALUE, or NAME to pass on your own"};
        if (setting.find('=') != setting.npos)
            all.push_back(setting);
        else if (const char* own = std::getenv(setting.c_str()))
            all.push_back(setting + "=" + own);
    }
    return all;
}

json spec(const RunOptions& options) {
    json made{{"argv", options.argv}, {"directory", absolute(options.directory.value_or("."))}};
    if (options.name) made["name"] = *options.name;
    if (!options.environment.empty()) made["environment"] = environment(options.environment);
    if (options.out) made["stdout"] = output(*options.out);
    if (options.err) made["stderr"] = output(*options.err);
    if (options.grace)
        made["grace"] = *options.grace ? std::chrono::duration<double>(**options.grace).count() : 1e9;
    if (options.stop_signal) {
        const auto signal = parse_signal(*options.stop_signal);
        if (!signal)
            throw UsageError{"run: --stop-signal '" + printable(*options.stop_signal) + "' is no signal"};
        made["stop_signal"] = *signal;
    }
    return made;
}

// Waits for all of them, until the deadline; their records as far as known then.
json await(Context& context, const json& started, base::Deadline deadline) {
    json ended = json::array();
    for (const auto& process : started) {
        const json selected{{"select", "#" + std::to_string(process.at("id").get<long>())}};
        const json reply = call_until(context, "processes.Wait", selected, deadline);
        for (const auto& record : reply.at("processes")) ended.push_back(record);
    }
    return ended;
}

int wait_for(Context& context, const json& started) {
    const auto deadline = context.timeout ? base::Deadline::after(*context.timeout) : base::Deadline::never();
    try {
        const json ended = await(context, started, deadline);
        if (context.json) print_processes(context, ended);
        int code = exit_done;
        for (const auto& process : ended)
            if (code == exit_done) code = shell_code(process);
        return code;
    } catch (const Error& error) {
        if (error.errc() != Errc::timeout) throw;
        complain(
            "[timeout] run: still running when the time was over; it goes on: see `musterctl ps`, `musterctl "
            "stop`");
        return exit_timeout;
    }
}

int passed_on(const Error& error) {
    complain(error);
    const auto* reply = dynamic_cast<const session::ReplyError*>(&error);
    if (error.errc() != Errc::start_failed || reply == nullptr) return exit_own_failure;
    const auto& told = reply->parameters();
    if (!told.is_object() || told.value("step", "") != "exec") return exit_own_failure;
    return told.value("errno", 0) == ENOENT ? exit_not_found : exit_not_executable;
}

int start(Context& context, const RunOptions& options) {
    json request;
    try {
        request = {{"spec", spec(options)}, {"count", options.count.value_or(1)}};
    } catch (const UsageError& wrong) {
        complain(wrong.text);
        return exit_usage;
    }
    // With --wait, --timeout is for the program; the daemon has its usual 5 s to start it.
    const auto patience =
        options.wait ? base::Deadline::after(session::Control::default_patience) : context.patience();
    const json started = context.call("processes.Spawn", request, patience).at("processes");
    if (options.wait) return wait_for(context, started);
    print_processes(context, started);
    return exit_done;
}

int run(Context& context, const RunOptions& options) {
    if (!options.wait) return start(context, options);
    try {
        return start(context, options);
    } catch (const Error& error) {
        return passed_on(error);
    }
}

}  // namespace

void add_run(Parser& parser, Context& context) {
    auto verb = parser.command("run", "start a program under the daemon", "Processes");
    auto options = std::make_shared<RunOptions>();
    verb.positionals(options->argv, "PROGRAM",
                     "the program, found in the daemon's clean PATH, and its arguments, after `--`");
    verb.option(options->name, "-n,--name", "NAME", "what to call it (default: the program's)");
    verb.option(options->count, "-c,--count", "N", "so many of them, all or none", 1, 100'000);
    verb.option(options->environment, "-e,--env", "K=V",
                "set a variable; a bare K passes on your own (repeatable)");
    verb.option(options->directory, "-d,--dir", "DIR", "its working directory (default: the present one)");
    verb.option(
        options->out, "--stdout", "WHERE",
        "null, log (the daemon's), inherit (the daemon's stdout) or a file to append to (default log)");
    verb.option(options->err, "--stderr", "WHERE", "likewise");
    verb.option(options->stop_signal, "--stop-signal", "SIGNAL", "what `stop` sends first (default TERM)");
    verb.option(options->grace, "--grace", "from the stop signal to SIGKILL");
    verb.flag(options->wait, "-w,--wait",
              "wait for it, and end with its exit code (of several: the first that is not 0)");
    verb.footer(
        "Prints what was started. The environment is a clean one (PATH, HOME, USER, LOGNAME, SHELL, LANG,\n"
        "MUSTER_ADDRESS), not yours. With --wait, --timeout bounds the waiting: exit code 124, and it runs "
        "on.\n\n"
        "  musterctl run --name web --count 4 -e PORT=80 -- ./server --fast\n"
        "  musterctl run --wait --stdout /tmp/out -- make -C src");
    verb.action([options, &context] { return run(context, *options); });
}

}  // namespace muster::ctl

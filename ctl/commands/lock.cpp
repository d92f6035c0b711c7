#include <unistd.h>

#include <nlohmann/json.hpp>

#include "ctl/child.hpp"
#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

struct Options {
    std::string name;
    std::vector<std::string> argv;
};

bool acquire(Lock& lock, const Context& context) {
    if (context.timeout && *context.timeout) return lock.try_lock_for(**context.timeout);
    lock.lock();
    return true;
}

int run_holding(Context& context, const Options& options) {
    auto lock = context.manager().lock(options.name);
    if (!acquire(lock, context)) {
        const auto owner = lock.owner();
        complain(Error(Errc::timeout, "run", "lock '" + options.name + "'",
                       owner ? "held by PID " + std::to_string(owner->pid) : std::string()));
        return exit_timeout;
    }
    if (lock.previous_owner_died())
        complain("lock '" + printable(options.name) +
                 "': who held it last died with it: what it guards may be half done");
    const int code = run_child(options.argv);
    const auto owner = lock.owner();
    if (owner && owner->pid == ::getpid())
        lock.unlock();
    else
        complain("lock '" + printable(options.name) + "': somebody released it while the program ran");
    return code;
}

int run(Context& context, const Options& options) {
    try {
        return run_holding(context, options);
    } catch (const Error& error) {
        complain(error);
        return exit_own_failure;
    }
}

int status(Context& context, const Options& options) {
    const auto lock = existing<Lock>(context, "lock", options.name);
    const auto owner = lock.owner();
    if (context.json)
        context.out.json({{"name", options.name},
                          {"locked", owner.has_value()},
                          {"owner", owner ? Value{{"pid", owner->pid}, {"tid", owner->tid}} : Value()},
                          {"token", lock.token()}});
    else
        context.out.line(owner ? "held by PID " + std::to_string(owner->pid) + ", thread " +
                                     std::to_string(owner->tid)
                               : std::string("free"));
    return exit_done;
}

}  // namespace

void add_lock(Parser& parser, Context& context) {
    auto group = parser.command("lock", "use and inspect a lock", "Objects");
    group.footer("  musterctl lock run report -- ./make-report");
    const auto add = [&](const char* name, const char* help) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the lock's name");
        return std::pair(command, options);
    };
    auto [runs, run_options] = add("run", "run a program while holding the lock, made where there is none");
    runs.positionals(run_options->argv, "PROGRAM", "the program and its arguments, after `--`");
    runs.footer(
        "Gives the program's exit code: 128+N after signal N, 124 when --timeout was over before the lock "
        "was had\n"
        "(default: no limit), 125 own failure, 126 not executable, 127 not found. The lock is free again "
        "when the\n"
        "program ends, however it or musterctl does; the program gets SIGTERM when musterctl dies.");
    runs.action([options = run_options, &context] { return run(context, *options); });

    auto [shows, show_options] = add("status", "print who holds it, or `free`");
    shows.action([options = show_options, &context] { return status(context, *options); });

    auto [releases, release_options] =
        add("release", "release it, whoever holds it; [not_locked] when nobody does");
    releases.action([options = release_options, &context] {
        existing<Lock>(context, "lock", options->name).unlock();
        return exit_done;
    });

    auto [creates, create_options] = add("create", "make it, if it is not there");
    creates.action([options = create_options, &context] {
        (void)context.manager().lock(options->name);
        return exit_done;
    });
}

}  // namespace muster::ctl

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <type_traits>

#include "ctl/child.hpp"
#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace lock_verbs {
namespace {

struct Options {
    std::string name;
    std::vector<std::string> argv;
};

// Either kind: what differs is its name and who may release it.
template <typename Kind>
constexpr const char* kind_name = std::is_same_v<Kind, RLock> ? "rlock" : "lock";
template <typename Kind>
Kind open(Context& context, const std::string& name) {
    if constexpr (std::is_same_v<Kind, RLock>)
        return context.manager().rlock(name);
    else
        return context.manager().lock(name);
}

template <typename Kind>
bool acquire(Kind& lock, const Context& context) {
    if (context.timeout && *context.timeout) return lock.try_lock_for(**context.timeout);
    lock.lock();
    return true;
}

template <typename Kind>
int run_holding(Context& context, const Options& options) {
    auto lock = open<Kind>(context, options.name);
    const std::string subject = kind_name<Kind> + (" '" + options.name + "'");
    if (!acquire(lock, context)) {
        const auto owner = lock.owner();
        complain(Error(Errc::timeout, "run", subject,
                       owner ? "held by PID " + std::to_string(owner->pid) : std::string()));
        return exit_timeout;
    }
    if (lock.previous_owner_died())
        complain(printable(subject) +
                 ": who held it last died with it, or it was broken: what it guards may be half done");
    const int code = run_child(options.argv);
    const auto owner = lock.owner();
    try {
        if (owner && owner->pid == ::getpid())
            lock.unlock();
        else
            complain(printable(subject) + ": somebody released it while the program ran");
    } catch (const Error& error) {  // broken in this moment
        complain(error);
    }
    return code;
}

template <typename Kind>
int run(Context& context, const Options& options) {
    try {
        return run_holding<Kind>(context, options);
    } catch (const Error& error) {
        complain(error);
        return exit_own_failure;
    }
}

template <typename Kind>
int status(Context& context, const Options& options) {
    const auto lock = existing<Kind>(context, kind_name<Kind>, options.name);
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

template <typename Kind>
int break_lock(Context& context, const Options& options) {
    return existing<Kind>(context, kind_name<Kind>, options.name).break_lock() ? exit_done : exit_no;
}

template <typename Kind>
void add(Parser& parser, Context& context, const char* help, const std::string& example) {
    auto group = parser.command(kind_name<Kind>, help, "Objects");
    group.footer(example);
    const auto verb = [&](const char* name, const char* text) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, text);
        command.positional(options->name, "NAME", "the lock's name");
        return std::pair(command, options);
    };
    auto [runs, run_options] = verb("run", "run a program while holding the lock, made where there is none");
    runs.positionals(run_options->argv, "PROGRAM", "the program and its arguments, after `--`");
    runs.footer(
        "Gives the program's exit code: 128+N after signal N, 124 when --timeout was over before the lock "
        "was had\n"
        "(default: no limit), 125 own failure, 126 not executable, 127 not found. The lock is free again "
        "when the\n"
        "program ends, however it or musterctl does; the program gets SIGTERM when musterctl dies.");
    runs.action([options = run_options, &context] { return run<Kind>(context, *options); });

    auto [shows, show_options] = verb("status", "print who holds it, or `free`");
    shows.action([options = show_options, &context] { return status<Kind>(context, *options); });

    if constexpr (std::is_same_v<Kind, Lock>) {
        auto [releases, release_options] =
            verb("release", "release it, whoever holds it; [not_locked] when nobody does");
        releases.action([options = release_options, &context] {
            existing<Lock>(context, "lock", options->name).unlock();
            return exit_done;
        });
    }

    auto [breaks, break_options] = verb("break", "end the hold by force: for when its holder will not come back");
    breaks.footer(
        "The next one gets the lock and finds previous_owner_died(); the old holder's unlock fails with\n"
        "[not_owner] and releases nobody else's hold. What it still does with what the lock guards cannot be\n"
        "stopped: let that refuse an old token. Exit code 1: nobody holds it.");
    breaks.action([options = break_options, &context] { return break_lock<Kind>(context, *options); });

    auto [creates, create_options] = verb("create", "make it, if it is not there");
    creates.action([options = create_options, &context] {
        (void)open<Kind>(context, options->name);
        return exit_done;
    });
}

}  // namespace
}  // namespace lock_verbs

void add_lock(Parser& parser, Context& context) {
    using namespace lock_verbs;
    add<Lock>(parser, context, "use and inspect a lock", "  musterctl lock run report -- ./make-report");
}

void add_rlock(Parser& parser, Context& context) {
    using namespace lock_verbs;
    add<RLock>(parser, context, "use and inspect a re-entrant lock", "  musterctl rlock run report -- ./make-report");
}

}  // namespace muster::ctl

// What threads and processes wait on: semaphores, events, conditions, barriers.
#include <nlohmann/json.hpp>

#include "ctl/child.hpp"
#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace sync_verbs {
namespace {

struct Options {
    std::string name;
    std::optional<long> number;
    bool bounded = false;
    std::vector<std::string> argv;
};
using Verb = std::function<int(Context&, const Options&)>;
enum Takes { nothing, number, must_number, program, start };

// Of one kind: its verbs are added one by one.
class Group {
  public:
    Group(Parser& parser, Context& context, const char* kind, const char* help, const char* footer)
        : group_(parser.command(kind, help, "Objects")), context_(context), kind_(kind) {
        group_.footer(footer);
    }
    void add(const char* name, const char* help, Takes takes, const char* number_help, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group_.command(name, help);
        command.positional(options->name, "NAME", "the " + kind_ + "'s name");
        if (takes == number || takes == start || takes == must_number)
            command.positional(options->number, "N", number_help);
        if (takes == start && kind_ == "semaphore") command.flag(options->bounded, "--bounded", "refuse one release too many");
        if (takes == program) command.positionals(options->argv, "PROGRAM", "the program and its arguments, after `--`");
        command.action([options, verb = std::move(verb), &context = context_] { return verb(context, *options); });
    }

  private:
    Parser group_;
    Context& context_;
    std::string kind_;
};

Semaphore semaphore(Context& context, const Options& options) {
    return existing<Semaphore>(context, "semaphore", options.name);
}
Event event(Context& context, const Options& options) { return existing<Event>(context, "event", options.name); }
Barrier barrier(Context& context, const Options& options) { return existing<Barrier>(context, "barrier", options.name); }

bool acquire(Semaphore& semaphore, const Context& context) {
    if (context.timeout && *context.timeout) return semaphore.try_acquire_for(**context.timeout);
    semaphore.acquire();
    return true;
}

int run_with_permit(Context& context, const Options& options) {
    try {
        Semaphore of = semaphore(context, options);
        if (!acquire(of, context)) {
            complain(Error(Errc::timeout, "run", "semaphore '" + options.name + "'", "no permit in time"));
            return exit_timeout;
        }
        const int code = run_child(options.argv);
        of.release();
        return code;
    } catch (const Error& error) {
        complain(error);
        return exit_own_failure;
    }
}

int barrier_wait(Context& context, const Options& options) {
    Barrier of = barrier(context, options);
    print_value(context, context.timeout && *context.timeout ? of.wait_for(**context.timeout) : of.wait());
    return exit_done;
}

int barrier_status(Context& context, const Options& options) {
    const Barrier of = barrier(context, options);
    const bool broken = of.broken();
    if (context.json)
        context.out.json({{"name", options.name}, {"parties", of.parties()}, {"waiting", of.n_waiting()}, {"broken", broken}});
    else
        context.out.line(std::to_string(of.n_waiting()) + " of " + std::to_string(of.parties()) + " wait" + (broken ? ", broken" : ""));
    return exit_done;
}

int event_wait(Context& context, const Options& options) {
    const Event of = event(context, options);
    if (context.timeout && *context.timeout) return of.wait_for(**context.timeout) ? exit_done : exit_no;
    of.wait();
    return exit_done;
}

int notify(Context& context, const Options& options) {
    auto of = existing<Condition>(context, "condition", options.name);
    if (context.timeout && *context.timeout) {
        if (!of.try_lock_for(**context.timeout))
            throw Error(Errc::timeout, "notify", "condition '" + options.name + "'", "its lock was not to be had in time");
    } else {
        of.lock();
    }
    const std::lock_guard held(of, std::adopt_lock);
    options.number ? of.notify(*options.number) : of.notify_all();
    return exit_done;
}

int condition_status(Context& context, const Options& options) {
    const auto of = existing<Condition>(context, "condition", options.name);
    if (context.json)
        context.out.json({{"name", options.name}, {"waiting", of.n_waiting()}, {"locked", of.locked()}});
    else
        context.out.line(std::to_string(of.n_waiting()) + " wait, the lock is " + (of.locked() ? "held" : "free"));
    return exit_done;
}

}  // namespace
}  // namespace sync_verbs

void add_sync(Parser& parser, Context& context) {
    using namespace sync_verbs;
    Group semaphores(parser, context, "semaphore", "use and inspect a semaphore",
                     "  musterctl semaphore create printers 3\n  musterctl semaphore run printers -- ./print");
    semaphores.add("create", "make it, if it is not there", start, "permits that it begins with (default: 1)",
                   [](Context& c, const Options& o) {
                       const std::int64_t begin = o.number.value_or(1);
                       o.bounded ? (void)c.manager().bounded_semaphore(o.name, begin) : (void)c.manager().semaphore(o.name, begin);
                       return exit_done;
                   });
    semaphores.add("get", "print how many permits are free", nothing, "",
                   [](Context& c, const Options& o) { return print_value(c, semaphore(c, o).get_value()), exit_done; });
    semaphores.add("acquire", "take a permit for good, until somebody releases it; exit code 1 when --timeout was over", nothing, "",
                   [](Context& c, const Options& o) {
                       Semaphore of = semaphore(c, o);
                       if (!acquire(of, c)) return exit_no;
                       of.disown();
                       return exit_done;
                   });
    semaphores.add("release", "give permits back, whosever they are", number, "how many (default: 1)",
                   [](Context& c, const Options& o) { return semaphore(c, o).release(o.number.value_or(1)), exit_done; });
    semaphores.add("run", "run a program with a permit, which is free again when the program or musterctl ends", program, "",
                   run_with_permit);

    Group events(parser, context, "event", "set, clear and await an event", "  musterctl event wait ready --timeout 5s");
    events.add("create", "make it, if it is not there", nothing, "",
               [](Context& c, const Options& o) { return (void)c.manager().event(o.name), exit_done; });
    events.add("set", "set it, made where there is none", nothing, "",
               [](Context& c, const Options& o) { return c.manager().event(o.name).set(), exit_done; });
    events.add("clear", "clear it", nothing, "", [](Context& c, const Options& o) { return event(c, o).clear(), exit_done; });
    events.add("is-set", "print whether it is set; exit code 1 when it is not", nothing, "",
               [](Context& c, const Options& o) { return answer(c, event(c, o).is_set()); });
    events.add("wait", "wait until it is set; exit code 1 when --timeout was over", nothing, "", event_wait);

    Group barriers(parser, context, "barrier", "use and inspect a barrier", "  musterctl barrier status start");
    barriers.add("create", "make it, if it is not there", must_number, "parties", [](Context& c, const Options& o) {
        if (o.number.value_or(0) < 1)
            throw Error(Errc::value_error, "create", "barrier '" + o.name + "'", "give the number of its parties, at least 1");
        return (void)c.manager().barrier(o.name, static_cast<std::size_t>(*o.number)), exit_done;
    });
    barriers.add("wait", "wait there as one of its parties and print the index", nothing, "", barrier_wait);
    barriers.add("reset", "send away who waits, and mend it", nothing, "",
                 [](Context& c, const Options& o) { return barrier(c, o).reset(), exit_done; });
    barriers.add("abort", "break it", nothing, "", [](Context& c, const Options& o) { return barrier(c, o).abort(), exit_done; });
    barriers.add("status", "print who waits, of how many, and whether it is broken", nothing, "", barrier_status);

    Group conditions(parser, context, "condition", "notify and inspect a condition", "  musterctl condition notify changed 1");
    conditions.add("notify", "notify those who wait, under its lock", number, "how many (default: all)", notify);
    conditions.add("status", "print who waits, and whether its lock is held", nothing, "", condition_status);
}

}  // namespace muster::ctl

#include <limits>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace queue_verbs {
namespace {

struct Options {
    std::string name;
    std::vector<std::string> values;
    std::optional<long> maxsize, max_deliveries, most;
    std::optional<std::string> order;
    bool as_string = false, wait = false;
};
using Verb = std::function<int(Context&, const Options&)>;

Queue<> open(Context& context, const Options& options) {
    return existing<Queue<>>(context, "queue", options.name);
}

// Without --timeout and --wait nobody waits.
Duration patience(const Context& context, const Options& options) {
    if (context.timeout) return *context.timeout;
    return options.wait ? Duration() : Duration(std::chrono::nanoseconds(0));
}

int no(Errc code, const char* operation, const Options& options) {
    complain(Error(code, operation, "queue '" + options.name + "'"));
    return exit_no;
}

int put(Context& context, const Options& options) {
    auto found = context.manager().find<Queue<>>(options.name);
    auto queue = found ? *found : context.manager().queue(options.name);
    const auto time = patience(context, options);
    for (const auto& text : options.values) {
        const Value value = parse_value(text, options.as_string);
        if (!time)
            queue.put(value);
        else if (!queue.put_for(value, *time))
            return no(Errc::full, "put", options);
    }
    return exit_done;
}

int get(Context& context, const Options& options) {
    auto queue = open(context, options);
    const auto time = patience(context, options);
    const auto value = time ? queue.get_for(*time) : std::optional<Value>(queue.get());
    if (!value) return no(Errc::empty, "get", options);
    print_value(context, *value);
    return exit_done;
}

int peek(Context& context, const Options& options) {
    const auto value = open(context, options).peek();
    if (!value) return no(Errc::empty, "peek", options);
    print_value(context, *value);
    return exit_done;
}

int items(Context& context, const Options& options) {
    print_values(context, open(context, options).snapshot());
    return exit_done;
}

int size(Context& context, const Options& options) {
    print_value(context, open(context, options).size());
    return exit_done;
}

int clear(Context& context, const Options& options) {
    open(context, options).clear();
    return exit_done;
}

int close(Context& context, const Options& options) {
    open(context, options).close();
    return exit_done;
}

int drain(Context& context, const Options& options) {
    auto queue = open(context, options);
    if (!options.most) return print_values(context, queue.drain()), exit_done;
    std::vector<Value> values;
    if (queue.size() != 0) values = queue.try_get_many(static_cast<std::size_t>(*options.most));
    return print_values(context, values), exit_done;
}

int done(Context& context, const Options& options) {
    open(context, options).task_done();
    return exit_done;
}

int join(Context& context, const Options& options) {
    auto queue = open(context, options);
    if (!context.timeout || !*context.timeout) return queue.join(), exit_done;
    if (queue.join_for(**context.timeout)) return exit_done;
    complain(Error(Errc::timeout, "join", "queue '" + options.name + "'",
                   std::to_string(queue.unfinished()) + " items unfinished"));
    return exit_no;
}

int dead(Context& context, const Options& options) {
    std::vector<Value> letters;
    for (const auto& letter : open(context, options).dead_letters())
        letters.push_back({{"value", letter.value}, {"deliveries", letter.deliveries}});
    print_values(context, letters);
    return exit_done;
}

int retry(Context& context, const Options& options) {
    print_value(context, open(context, options).retry_dead_letters());
    return exit_done;
}

int drop(Context& context, const Options& options) {
    print_value(context, open(context, options).drop_dead_letters());
    return exit_done;
}

int status(Context& context, const Options& options) {
    const auto queue = open(context, options);
    static constexpr const char* orders[] = {"fifo", "lifo", "priority"};
    const Value all{{"order", orders[static_cast<std::size_t>(queue.order())]},
                    {"size", queue.size()},
                    {"maxsize", queue.maxsize()},
                    {"leased", queue.leased()},
                    {"unfinished", queue.unfinished()},
                    {"max_deliveries", queue.max_deliveries()},
                    {"dead", queue.dead_letters().size()},
                    {"closed", queue.closed()}};
    if (context.json) return context.out.json(all), exit_done;
    for (const auto& [key, value] : all.items()) context.out.line(key + ": " + value_text(value));
    return exit_done;
}

int create(Context& context, const Options& options) {
    QueueOptions wanted{.maxsize = options.maxsize.value_or(0), .order = {}, .max_deliveries = 0};
    wanted.max_deliveries = static_cast<std::uint32_t>(options.max_deliveries.value_or(0));
    if (options.order == "fifo") wanted.order = Order::fifo;
    if (options.order == "lifo") wanted.order = Order::lifo;
    if (options.order == "priority") wanted.order = Order::priority;
    if (options.order && !wanted.order) {
        complain(Error(Errc::invalid_argument, "create", "queue '" + options.name + "'", "the order is fifo, lifo or priority"));
        return exit_usage;
    }
    (void)context.manager().queue(options.name, wanted);
    return exit_done;
}

using Describe = std::function<void(Parser&, Options&)>;

void waiting(Parser& command, Options& options) {
    command.flag(options.wait, "-w,--wait", "wait without limit (--timeout sets one; else nobody waits)");
}

}  // namespace
}  // namespace queue_verbs

void add_queue(Parser& parser, Context& context) {
    using namespace queue_verbs;
    auto group = parser.command("queue", "read and change a queue", "Objects");
    group.footer(
        "`put` and `create` make the queue where there is none; the others do not.\n"
        "An empty queue for `get` and `peek`, a full one for `put`, and a `join` that timed out give exit code 1.\n\n"
        "  musterctl queue put jobs '{\"n\":4}'\n"
        "  musterctl queue get jobs --timeout 500ms\n"
        "  while job=$(musterctl queue get jobs --wait); do ./work \"$job\"; done");
    const auto add = [&](const char* name, const char* help, const Describe& describe, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the queue's name");
        if (describe) describe(command, *options);
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    add(
        "put", "put values in, one after the other",
        [](Parser& command, Options& o) {
            command.positionals(o.values, "VALUE", "JSON where it is valid JSON, else text");
            command.flag(o.as_string, "-s,--string",
                         "take what is given as text, even where it is valid JSON");
            waiting(command, o);
        },
        put);
    add("get", "take the next value out and print it", waiting, get);
    add("peek", "print the next value and leave it there", {}, peek);
    add("items", "print all values, the next one first", {}, items);
    add("drain", "take all values out and print them, the next one first",
        [](Parser& command, Options& o) {
            command.option(o.most, "-n,--most", "N", "so many and no more", 1, std::numeric_limits<long>::max());
        },
        drain);
    add("status", "print its order, bound, and what waits, is leased, unfinished or dead", {}, status);
    add("done", "report one item as done; [value_error] when none is unfinished", {}, done);
    add("join", "wait until every item is done (--timeout sets a limit; else there is none)", {}, join);
    add("dead", "print the dead letters: delivered too often, never acknowledged", {}, dead);
    add("retry", "put the dead letters back to the head and print how many", {}, retry);
    add("drop", "remove the dead letters and print how many", {}, drop);
    add("size", "print the number of values", {}, size);
    add("clear", "remove all values", {}, clear);
    add("close", "let nobody put any more; who gets, gets the rest", {}, close);
    add(
        "create", "make it, if it is not there",
        [](Parser& command, Options& o) {
            command.option(o.maxsize, "--maxsize", "N", "so many values and no more", 1,
                           std::numeric_limits<long>::max());
            command.option(o.order, "--order", "ORDER",
                           "fifo (default), lifo, or priority: lowest first; one that has another is [wrong_kind]");
            command.option(o.max_deliveries, "--max-deliveries", "N",
                           "after so many failed leases a value is a dead letter", 1, std::numeric_limits<std::int32_t>::max());
        },
        create);
}

}  // namespace muster::ctl

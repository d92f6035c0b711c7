#include <limits>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

struct Options {
    std::string name;
    std::vector<std::string> values;
    std::optional<long> maxsize;
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
    auto queue = context.manager().queue(options.name);
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

int create(Context& context, const Options& options) {
    (void)context.manager().queue(options.name, {.maxsize = options.maxsize.value_or(0)});
    return exit_done;
}

using Describe = std::function<void(Parser&, Options&)>;

void waiting(Parser& command, Options& options) {
    command.flag(options.wait, "-w,--wait", "wait without limit (--timeout sets one; else nobody waits)");
}

}  // namespace

void add_queue(Parser& parser, Context& context) {
    auto group = parser.command("queue", "read and change a queue", "Objects");
    group.footer(
        "`put` and `create` make the queue where there is none; the others do not.\n"
        "An empty queue for `get` and `peek`, and a full one for `put`, give exit code 1.\n\n"
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
    add("size", "print the number of values", {}, size);
    add("clear", "remove all values", {}, clear);
    add("close", "let nobody put any more; who gets, gets the rest", {}, close);
    add(
        "create", "make it, if it is not there",
        [](Parser& command, Options& o) {
            command.option(o.maxsize, "--maxsize", "N", "so many values and no more", 1,
                           std::numeric_limits<long>::max());
        },
        create);
}

}  // namespace muster::ctl

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace counter_verbs {
namespace {

struct Options {
    std::string name, key;
    std::optional<long> number;
    bool as_string = false;

    Value key_value() const { return parse_value(key, as_string); }
};
using Verb = std::function<int(Context&, const Options&)>;

Counter<> open(Context& context, const Options& options) {
    return existing<Counter<>>(context, "counter", options.name);
}

int increment(Context& context, const Options& options) {
    print_value(context, context.manager().counter(options.name).increment(options.key_value(), options.number.value_or(1)));
    return exit_done;
}

int get(Context& context, const Options& options) {
    print_value(context, open(context, options).get(options.key_value()));
    return exit_done;
}

int del(Context& context, const Options& options) {
    return open(context, options).erase(options.key_value()) ? exit_done : exit_no;
}

int top(Context& context, const Options& options) {
    const long most = options.number.value_or(std::numeric_limits<long>::max());
    if (most < 0) throw Error(Errc::invalid_argument, "top", "counter '" + options.name + "'", "a negative number of keys");
    const auto all = open(context, options).most_common(static_cast<std::size_t>(most));
    if (context.json) {
        Value pairs = Value::array();
        for (const auto& [key, count] : all) pairs.push_back(Value::array({key, count}));
        context.out.json(pairs);
        return exit_done;
    }
    std::string lines;
    for (const auto& [key, count] : all) lines += line_text(key) + "\t" + std::to_string(count) + "\n";
    write_all(STDOUT_FILENO, lines);
    return exit_done;
}

int total(Context& context, const Options& options) {
    print_value(context, open(context, options).total());
    return exit_done;
}

int clear(Context& context, const Options& options) {
    open(context, options).clear();
    return exit_done;
}

int create(Context& context, const Options& options) {
    (void)context.manager().counter(options.name);
    return exit_done;
}

enum Takes { nothing, key, key_and_number, number };

}  // namespace
}  // namespace counter_verbs

void add_counter(Parser& parser, Context& context) {
    using namespace counter_verbs;
    auto group = parser.command("counter", "read and change a counter", "Objects");
    group.footer(
        "`inc` and `create` make the counter where there is none; the others do not.\n\n"
        "  musterctl counter inc words hello\n"
        "  musterctl counter inc words hello -- -1\n"
        "  musterctl counter top words 10");
    const auto add = [&](const char* name, const char* help, Takes takes, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the counter's name");
        if (takes == key || takes == key_and_number) {
            command.positional(options->key, "KEY", "the key: JSON where it is valid JSON, else text");
            command.flag(options->as_string, "-s,--string", "take it as text, even where it is valid JSON");
        }
        if (takes == key_and_number) command.positional(options->number, "BY", "how much to add (default: 1)");
        if (takes == number) command.positional(options->number, "N", "how many keys (default: all)");
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    add("inc", "add to a key's count and print what it is then", key_and_number, increment);
    add("get", "print a key's count, 0 when it was never counted", key, get);
    add("del", "forget a key; exit code 1 when there is no such key", key, del);
    add("top", "print keys and counts, the largest counts first", number, top);
    add("total", "print the sum of all counts", nothing, total);
    add("clear", "forget all keys", nothing, clear);
    add("create", "make it, if it is not there", nothing, create);
}

}  // namespace muster::ctl

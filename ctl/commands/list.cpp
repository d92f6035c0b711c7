#include <limits>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace list_verbs {
namespace {

struct Options {
    std::string name, value;
    std::vector<std::string> values;
    long index = 0;
    std::optional<long> which, start, stop, step;
    bool as_string = false, descending = false;

    Value one() const { return parse_value(value, as_string); }
};
using Verb = std::function<int(Context&, const Options&)>;

List<> open(Context& context, const Options& options) {
    return existing<List<>>(context, "list", options.name);
}

int absent(const Options& options, const char* operation) {
    complain(Error(Errc::value_error, operation, "list '" + options.name + "'",
                   "it does not hold " + to_json_text(options.one())));
    return exit_no;
}

int append(Context& context, const Options& options) {
    std::vector<Value> values;
    for (const auto& text : options.values) values.push_back(parse_value(text, options.as_string));
    context.manager().list(options.name).extend(values);
    return exit_done;
}

int insert(Context& context, const Options& options) {
    context.manager().list(options.name).insert(options.index, options.one());
    return exit_done;
}

int get(Context& context, const Options& options) {
    print_value(context, open(context, options).at(options.index));
    return exit_done;
}

int set(Context& context, const Options& options) {
    open(context, options).set(options.index, options.one());
    return exit_done;
}

int pop(Context& context, const Options& options) {
    print_value(context, open(context, options).pop(options.which.value_or(-1)));
    return exit_done;
}

int del(Context& context, const Options& options) {
    open(context, options).erase(options.index);
    return exit_done;
}

int remove(Context& context, const Options& options) {
    try {
        open(context, options).remove(options.one());
    } catch (const Error& error) {
        if (error.errc() != Errc::value_error) throw;
        return absent(options, "remove");
    }
    return exit_done;
}

int index(Context& context, const Options& options) {
    const auto found = open(context, options).find(options.one());
    if (!found) return absent(options, "index");
    print_value(context, *found);
    return exit_done;
}

int count(Context& context, const Options& options) {
    print_value(context, open(context, options).count(options.one()));
    return exit_done;
}

int contains(Context& context, const Options& options) {
    return answer(context, open(context, options).contains(options.one()));
}

int items(Context& context, const Options& options) {
    print_values(context,
                 open(context, options).slice(options.start, options.stop, options.step.value_or(1)));
    return exit_done;
}

int len(Context& context, const Options& options) {
    print_value(context, open(context, options).size());
    return exit_done;
}

int sort(Context& context, const Options& options) {
    open(context, options).sort(options.descending);
    return exit_done;
}

int reverse(Context& context, const Options& options) {
    open(context, options).reverse();
    return exit_done;
}

int clear(Context& context, const Options& options) {
    open(context, options).clear();
    return exit_done;
}

int create(Context& context, const Options& options) {
    (void)context.manager().list(options.name);
    return exit_done;
}

using Describe = std::function<void(Parser&, Options&)>;

void with_string(Parser& command, Options& options) {
    command.flag(options.as_string, "-s,--string", "take what is given as text, even where it is valid JSON");
}
void value(Parser& command, Options& options) {
    command.positional(options.value, "VALUE", "JSON where it is valid JSON, else text");
    with_string(command, options);
}
void values(Parser& command, Options& options) {
    command.positionals(options.values, "VALUE", "JSON where it is valid JSON, else text");
    with_string(command, options);
}
void place(Parser& command, Options& options) {
    command.positional(options.index, "INDEX", "from 0; negative from the end");
}
void place_and_value(Parser& command, Options& options) {
    place(command, options);
    value(command, options);
}

}  // namespace
}  // namespace list_verbs

void add_list(Parser& parser, Context& context) {
    using namespace list_verbs;
    auto group = parser.command("list", "read and change a list", "Objects");
    group.footer(
        "`append`, `insert` and `create` make the list where there is none; the others do not.\n"
        "An index beyond the list and a value that is not in it give exit code 1.\n\n"
        "  musterctl list append pids 17 18\n"
        "  musterctl list get pids -1");
    const auto add = [&](const char* name, const char* help, const Describe& describe, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the list's name");
        if (describe) describe(command, *options);
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    add("append", "put values at the end, all at once", values, append);
    add("insert", "put a value before an index", place_and_value, insert);
    add("get", "print the value at an index", place, get);
    add("set", "replace the value at an index", place_and_value, set);
    add(
        "pop", "remove a value and print it",
        [](Parser& command, Options& o) {
            command.positional(o.which, "INDEX", "which (default: the last)");
        },
        pop);
    add("del", "remove the value at an index", place, del);
    add("remove", "remove the first that equals a value", value, remove);
    add("index", "print the index of the first that equals a value", value, index);
    add("count", "print how many equal a value", value, count);
    add("contains", "print true or false; exit code 0 or 1", value, contains);
    constexpr long far = std::numeric_limits<long>::max();
    add(
        "items", "print the values, one a line",
        [](Parser& command, Options& o) {
            command.option(o.start, "--start", "INDEX", "from here (as in Python's slices)", -far, far);
            command.option(o.stop, "--stop", "INDEX", "up to, but without, this", -far, far);
            command.option(o.step, "--step", "N", "each N-th; negative: backwards", -far, far);
        },
        items);
    add("len", "print the number of values", {}, len);
    add(
        "sort", "sort; values that do not compare: [value_error], and nothing changes",
        [](Parser& command, Options& o) { command.flag(o.descending, "-r,--reverse", "the largest first"); },
        sort);
    add("reverse", "turn it round", {}, reverse);
    add("clear", "remove all values", {}, clear);
    add("create", "make it, if it is not there", {}, create);
}

}  // namespace muster::ctl

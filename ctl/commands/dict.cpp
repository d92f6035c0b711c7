#include <unistd.h>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace dict_verbs {
namespace {

struct Options {
    std::string name, key, value;
    bool as_string = false;
    std::optional<Duration> ttl;

    Value key_value() const { return parse_value(key, as_string); }
};
using Verb = std::function<int(Context&, const Options&)>;

Dict<> open(Context& context, const Options& options) {
    return existing<Dict<>>(context, "dict", options.name);
}

int absent(const Dict<>& dict, const Options& options, const char* operation) {
    const Value key = options.key_value();
    const bool text_is_there = !key.is_string() && dict.contains(Value(options.key));
    complain(Error(Errc::key_error, operation, "dict '" + options.name + "'",
                   to_json_text(key) + (text_is_there ? ", but there is the text " +
                                                            to_json_text(options.key) + ": say --string"
                                                      : "")));
    return exit_no;
}

int get(Context& context, const Options& options) {
    const auto dict = open(context, options);
    const auto value = dict.get(options.key_value());
    if (!value) return absent(dict, options, "get");
    print_value(context, *value);
    return exit_done;
}

int set(Context& context, const Options& options) {
    auto dict = context.manager().dict(options.name);
    const Value key = options.key_value(), value = parse_value(options.value, options.as_string);
    if (options.ttl && *options.ttl)
        dict.set(key, value, **options.ttl);
    else
        dict.set(key, value);
    return exit_done;
}

int ttl(Context& context, const Options& options) {
    const auto dict = open(context, options);
    const auto left = dict.ttl(options.key_value());
    if (!left && !dict.contains(options.key_value())) return absent(dict, options, "ttl");
    const double seconds = left ? std::chrono::duration<double>(*left).count() : 0;
    if (context.json)
        context.out.json(left ? Value(seconds) : Value());
    else
        context.out.line(left ? human_duration(seconds) : "stays");
    return exit_done;
}

int persist(Context& context, const Options& options) {
    auto dict = open(context, options);
    if (dict.persist(options.key_value()) || dict.contains(options.key_value())) return exit_done;
    return absent(dict, options, "persist");
}

int expire(Context& context, const Options& options) {
    std::optional<std::chrono::nanoseconds> time;
    try {
        time = parse_duration(options.value);
    } catch (const std::invalid_argument& wrong) {
        complain(Error(Errc::invalid_argument, "expire", "dict '" + options.name + "'", wrong.what()));
        return exit_usage;
    }
    if (!time) return persist(context, options);  // "inf"
    auto dict = open(context, options);
    return dict.expire(options.key_value(), *time) ? exit_done : absent(dict, options, "expire");
}

int setdefault(Context& context, const Options& options) {
    print_value(context, context.manager()
                             .dict(options.name)
                             .setdefault(options.key_value(), parse_value(options.value, options.as_string)));
    return exit_done;
}

int del(Context& context, const Options& options) {
    auto dict = open(context, options);
    return dict.erase(options.key_value()) ? exit_done : absent(dict, options, "del");
}

int pop(Context& context, const Options& options) {
    auto dict = open(context, options);
    const auto value = dict.pop(options.key_value());
    if (!value) return absent(dict, options, "pop");
    print_value(context, *value);
    return exit_done;
}

int contains(Context& context, const Options& options) {
    return answer(context, open(context, options).contains(options.key_value()));
}

int keys(Context& context, const Options& options) {
    print_values(context, open(context, options).keys());
    return exit_done;
}

int values(Context& context, const Options& options) {
    print_values(context, open(context, options).values());
    return exit_done;
}

int items(Context& context, const Options& options) {
    auto all = open(context, options).items();
    for (auto& [key, value] : all) value = readable(context, value);
    if (context.json) {
        Value pairs = Value::array();
        for (const auto& [key, value] : all) pairs.push_back(Value::array({key, value}));
        context.out.json(pairs);
        return exit_done;
    }
    std::string lines;
    for (const auto& [key, value] : all) lines += line_text(key) + "\t" + line_text(value) + "\n";
    write_all(STDOUT_FILENO, lines);
    return exit_done;
}

int len(Context& context, const Options& options) {
    print_value(context, open(context, options).size());
    return exit_done;
}

int clear(Context& context, const Options& options) {
    open(context, options).clear();
    return exit_done;
}

int create(Context& context, const Options& options) {
    (void)context.manager().dict(options.name);
    return exit_done;
}

enum Takes { nothing, key, key_and_value, key_value_and_ttl, key_and_time };

}  // namespace
}  // namespace dict_verbs

void add_dict(Parser& parser, Context& context) {
    using namespace dict_verbs;
    auto group = parser.command("dict", "read and change a dict", "Objects");
    group.footer(
        "`set`, `setdefault` and `create` make the dict where there is none; the others do not.\n\n"
        "  musterctl dict set totals runs 3\n"
        "  musterctl dict get totals runs\n"
        "  musterctl dict set totals --string 007 bond");
    const auto add = [&](const char* name, const char* help, Takes takes, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the dict's name");
        if (takes != nothing) {
            command.positional(options->key, "KEY", "the key: JSON where it is valid JSON, else text");
            command.flag(options->as_string, "-s,--string",
                         "take what is given as text, even where it is valid JSON");
        }
        if (takes == key_and_value || takes == key_value_and_ttl)
            command.positional(options->value, "VALUE", "the value, read as the key is");
        if (takes == key_and_time) command.positional(options->value, "TIME", "from now on, as 5s or 100ms");
        if (takes == key_value_and_ttl) command.option(options->ttl, "--ttl", "it expires after so long, as 5s or 100ms");
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    add("get", "print the value of a key; exit code 1 when there is no such key", key, get);
    add("set", "set the value of a key; it stays, unless --ttl is given", key_value_and_ttl, set);
    add("setdefault", "set it unless the key is there; print the value that is there then", key_and_value,
        setdefault);
    add("del", "remove a key; exit code 1 when there is no such key", key, del);
    add("pop", "remove a key and print its value; exit code 1 when there is no such key", key, pop);
    add("contains", "print true or false; exit code 0 or 1", key, contains);
    add("keys", "print the keys, in the order of their insertion", nothing, keys);
    add("values", "print the values", nothing, values);
    add("items", "print key and value, a tab between; with --json an array of [KEY, VALUE]", nothing, items);
    add("len", "print the number of keys", nothing, len);
    add("clear", "remove all keys", nothing, clear);
    add("ttl", "print how long a key has left, or that it stays; exit code 1 when there is no such key", key, ttl);
    add("expire", "let a key expire; exit code 1 when there is no such key", key_and_time, expire);
    add("persist", "let a key stay; exit code 1 when there is no such key", key, persist);
    add("create", "make it, if it is not there", nothing, create);
}

}  // namespace muster::ctl

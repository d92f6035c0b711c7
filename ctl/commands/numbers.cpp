#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/numbers.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace numbers_verbs {
namespace {

struct Options {
    std::string name, type, text;
    long index = 0, length = 0;
    std::vector<std::string> texts;
};
using Verb = std::function<int(Context&, const Options&)>;

std::string subject_of(const char* kind, const Options& options) { return std::string(kind) + " '" + options.name + "'"; }

// The type of numbers in an object that must be there.
ScalarType type_of(Context& context, const char* kind, const Options& options) {
    const auto type = context.manager().scalar_type_of_object(options.name);
    if (!type) throw_no_such_object(kind, options.name);
    return *type;
}

template <typename Fn>
int with_value(Context& context, const Options& options, Fn&& fn) {
    return visit(type_of(context, "value", options), [&](auto zero) {
        return fn(existing<SharedValue<decltype(zero)>>(context, "value", options.name));
    });
}
template <typename Fn>
int with_array(Context& context, const Options& options, Fn&& fn) {
    return visit(type_of(context, "array", options), [&](auto zero) {
        return fn(existing<Array<decltype(zero)>>(context, "array", options.name));
    });
}

ScalarType asked_type(const char* kind, const Options& options) {
    const auto type = scalar_type_from(options.type);
    if (!type)
        throw Error(Errc::invalid_argument, "create", subject_of(kind, options),
                    "there is no type '" + options.type + "'; there are bool, int8 to int64, uint8 to uint64, float32, float64");
    return *type;
}

int create_value(Context& context, const Options& options) {
    return visit(asked_type("value", options), [&](auto zero) {
        using T = decltype(zero);
        const T initial = options.text.empty() ? T{} : number_from<T>(options.text, "create", subject_of("value", options));
        (void)context.manager().value<T>(options.name, initial);
        return exit_done;
    });
}
int get_value(Context& context, const Options& options) {
    return with_value(context, options, [&](auto value) {
        print_value(context, value.get());
        return exit_done;
    });
}
int set_value(Context& context, const Options& options) {
    return with_value(context, options, [&](auto value) {
        using T = typename decltype(value)::value_type;
        value.set(number_from<T>(options.text, "set", subject_of("value", options)));
        return exit_done;
    });
}
int add_to_value(Context& context, const Options& options) {
    return with_value(context, options, [&](auto value) {
        using T = typename decltype(value)::value_type;
        if constexpr (std::same_as<T, bool>) {
            throw Error(Errc::value_error, "add", subject_of("value", options), "it holds truth values");
        } else {
            print_value(context, value += number_from<T>(options.text, "add", subject_of("value", options)));
        }
        return exit_done;
    });
}

int create_array(Context& context, const Options& options) {
    if (options.length < 0)
        throw Error(Errc::invalid_argument, "create", subject_of("array", options), "a negative length");
    return visit(asked_type("array", options), [&](auto zero) {
        (void)context.manager().array<decltype(zero)>(options.name, static_cast<std::size_t>(options.length));
        return exit_done;
    });
}
int get_element(Context& context, const Options& options) {
    return with_array(context, options, [&](const auto& array) {
        print_value(context, array.get(options.index));
        return exit_done;
    });
}
int set_element(Context& context, const Options& options) {
    return with_array(context, options, [&](auto array) {
        using T = typename decltype(array)::value_type;
        array.set(options.index, number_from<T>(options.text, "set", subject_of("array", options)));
        return exit_done;
    });
}
int items(Context& context, const Options& options) {
    print_values(context, numbers_of(context, options.name));
    return exit_done;
}
int len(Context& context, const Options& options) {
    return with_array(context, options, [&](const auto& array) {
        print_value(context, array.size());
        return exit_done;
    });
}

}  // namespace
}  // namespace numbers_verbs

std::optional<ScalarType> scalar_type_from(std::string_view name) {
    for (int type = static_cast<int>(ScalarType::boolean); type <= static_cast<int>(ScalarType::float64); ++type)
        if (to_string(static_cast<ScalarType>(type)) == name) return static_cast<ScalarType>(type);
    return {};
}

std::vector<Value> numbers_of(Context& context, const std::string& name) {
    using namespace numbers_verbs;
    std::vector<Value> values;
    const auto type = context.manager().scalar_type_of_object(name);
    if (!type) throw_no_such_object("array", name);
    visit(*type, [&](auto zero) {
        using T = decltype(zero);
        if (context.manager().kind_of(name) == "value") {
            values.emplace_back(existing<SharedValue<T>>(context, "value", name).get());
        } else {
            for (const T number : existing<Array<T>>(context, "array", name).snapshot()) values.emplace_back(number);
        }
        return 0;
    });
    return values;
}

void add_value(Parser& parser, Context& context) {
    using namespace numbers_verbs;
    auto group = parser.command("value", "read and change a shared number", "Objects");
    group.footer(
        "  musterctl value create runs int64 7\n"
        "  musterctl value add runs -- -1");
    const auto add = [&](const char* name, const char* help, auto&& describe, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the value's name");
        describe(command, *options);
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    const auto nothing = [](Parser&, Options&) {};
    const auto number = [](Parser& command, Options& o) { command.positional(o.text, "NUMBER", "a number of its type"); };
    add("get", "print the number", nothing, get_value);
    add("set", "set the number", number, set_value);
    add("add", "add to the number and print what it is then", number, add_to_value);
    add(
        "create", "make it, if it is not there",
        [](Parser& command, Options& o) {
            command.positional(o.type, "TYPE", "bool, int8 to int64, uint8 to uint64, float32, float64");
            command.positional(o.text, "NUMBER", "what it is in the beginning");
        },
        create_value);
}

void add_array(Parser& parser, Context& context) {
    using namespace numbers_verbs;
    auto group = parser.command("array", "read and change an array of numbers", "Objects");
    group.footer(
        "An index beyond the array gives exit code 1.\n\n"
        "  musterctl array create samples float64 100\n"
        "  musterctl array set samples -- -1 0.5");
    const auto add = [&](const char* name, const char* help, auto&& describe, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the array's name");
        describe(command, *options);
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    const auto nothing = [](Parser&, Options&) {};
    const auto place = [](Parser& command, Options& o) {
        command.positional(o.index, "INDEX", "from 0; negative from the end");
    };
    add("get", "print the number at an index", place, get_element);
    add(
        "set", "set the number at an index",
        [&](Parser& command, Options& o) {
            place(command, o);
            command.positional(o.text, "NUMBER", "a number of its type");
        },
        set_element);
    add("items", "print all numbers", nothing, items);
    add("len", "print how many there are", nothing, len);
    add(
        "create", "make it of zeros, if it is not there",
        [](Parser& command, Options& o) {
            command.positional(o.type, "TYPE", "bool, int8 to int64, uint8 to uint64, float32, float64");
            command.positional(o.length, "LENGTH", "how many");
        },
        create_array);
}

}  // namespace muster::ctl

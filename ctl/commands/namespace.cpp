#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace namespace_verbs {
namespace {

struct Options {
    std::string name, attribute, value;
    bool as_string = false;
};
using Verb = std::function<int(Context&, const Options&)>;

Namespace open(Context& context, const Options& options) {
    return existing<Namespace>(context, "namespace", options.name);
}

int get(Context& context, const Options& options) {
    print_value(context, open(context, options).get(options.attribute));
    return exit_done;
}

int set(Context& context, const Options& options) {
    context.manager().ns(options.name).set(options.attribute, parse_value(options.value, options.as_string));
    return exit_done;
}

int del(Context& context, const Options& options) {
    open(context, options).erase(options.attribute);
    return exit_done;
}

int has(Context& context, const Options& options) {
    return answer(context, open(context, options).has(options.attribute));
}

int attributes(Context& context, const Options& options) {
    std::vector<Value> names;
    for (auto& name : open(context, options).attributes()) names.emplace_back(std::move(name));
    print_values(context, names);
    return exit_done;
}

int create(Context& context, const Options& options) {
    (void)context.manager().ns(options.name);
    return exit_done;
}

enum Takes { nothing, attribute, attribute_and_value };

}  // namespace
}  // namespace namespace_verbs

void add_namespace(Parser& parser, Context& context) {
    using namespace namespace_verbs;
    auto group = parser.command("namespace", "read and change a namespace", "Objects");
    group.footer(
        "`set` and `create` make the namespace where there is none; the others do not.\n"
        "An attribute that is not there gives exit code 1.\n\n"
        "  musterctl namespace set config rate 0.5\n"
        "  musterctl namespace get config rate");
    const auto add = [&](const char* name, const char* help, Takes takes, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the namespace's name");
        if (takes != nothing) command.positional(options->attribute, "ATTRIBUTE", "the attribute's name");
        if (takes == attribute_and_value) {
            command.positional(options->value, "VALUE", "JSON where it is valid JSON, else text");
            command.flag(options->as_string, "-s,--string",
                         "take what is given as text, even where it is valid JSON");
        }
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    add("get", "print an attribute", attribute, get);
    add("set", "set an attribute", attribute_and_value, set);
    add("del", "remove an attribute", attribute, del);
    add("has", "print true or false; exit code 0 or 1", attribute, has);
    add("attributes", "print the attributes' names, in the order in which they were first set", nothing, attributes);
    add("create", "make it, if it is not there", nothing, create);
}

}  // namespace muster::ctl

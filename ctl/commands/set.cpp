#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace set_verbs {
namespace {

struct Options {
    std::string name;
    std::vector<std::string> elements;
    bool as_string = false;

    Value element(std::size_t i = 0) const { return parse_value(elements.at(i), as_string); }
};
using Verb = std::function<int(Context&, const Options&)>;

Set<> open(Context& context, const Options& options) { return existing<Set<>>(context, "set", options.name); }

int add(Context& context, const Options& options) {
    auto set = context.manager().set(options.name);
    std::size_t fresh = 0;
    for (std::size_t i = 0; i < options.elements.size(); ++i) fresh += set.add(options.element(i)) ? 1 : 0;
    print_value(context, fresh);
    return exit_done;
}

int discard(Context& context, const Options& options) {
    auto set = open(context, options);
    bool all = true;
    for (std::size_t i = 0; i < options.elements.size(); ++i) all = set.discard(options.element(i)) && all;
    return all ? exit_done : exit_no;
}

int contains(Context& context, const Options& options) {
    return answer(context, open(context, options).contains(options.element()));
}

int items(Context& context, const Options& options) {
    print_values(context, open(context, options).snapshot());
    return exit_done;
}

int len(Context& context, const Options& options) {
    print_value(context, open(context, options).size());
    return exit_done;
}

int pop(Context& context, const Options& options) {
    print_value(context, open(context, options).pop());
    return exit_done;
}

int clear(Context& context, const Options& options) {
    open(context, options).clear();
    return exit_done;
}

int create(Context& context, const Options& options) {
    (void)context.manager().set(options.name);
    return exit_done;
}

enum class Takes { nothing, one, several };

}  // namespace
}  // namespace set_verbs

void add_set(Parser& parser, Context& context) {
    using namespace set_verbs;
    auto group = parser.command("set", "read and change a set", "Objects");
    group.footer(
        "`add` and `create` make the set where there is none; the others do not.\n\n"
        "  musterctl set add seen 3 four\n"
        "  musterctl set contains seen 3");
    const auto add_verb = [&](const char* name, const char* help, Takes takes, Verb verb) {
        auto options = std::make_shared<Options>();
        auto command = group.command(name, help);
        command.positional(options->name, "NAME", "the set's name");
        if (takes != Takes::nothing) {
            const char* meaning = "the element: JSON where it is valid JSON, else text";
            if (takes == Takes::one) {
                options->elements.resize(1);
                command.positional(options->elements.front(), "ELEMENT", meaning);
            } else {
                command.positionals(options->elements, "ELEMENT", meaning);
            }
            command.flag(options->as_string, "-s,--string",
                         "take what is given as text, even where it is valid JSON");
        }
        command.action([options, verb = std::move(verb), &context] { return verb(context, *options); });
    };
    add_verb("add", "add elements; print how many were new", Takes::several, add);
    add_verb("discard", "remove elements; exit code 1 when one was not there", Takes::several, discard);
    add_verb("contains", "print true or false; exit code 0 or 1", Takes::one, contains);
    add_verb("items", "print the elements, in the order of their insertion", Takes::nothing, items);
    add_verb("len", "print the number of elements", Takes::nothing, len);
    add_verb("pop", "take out the one added last and print it; exit code 1 when there is none", Takes::nothing, pop);
    add_verb("clear", "remove all elements", Takes::nothing, clear);
    add_verb("create", "make it, if it is not there", Takes::nothing, create);
}

}  // namespace muster::ctl

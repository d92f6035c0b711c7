#include <unistd.h>

#include <limits>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/objects.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace watch_verbs {
namespace {

struct Options {
    std::string name;
    std::vector<std::string> key;  // none or one
    std::optional<long> count;
    bool as_string = false;
};

// Told at once: who reads the stream waits for it.
void tell(Context& context, const Value& event, const std::string& text) {
    write_all(STDOUT_FILENO, (context.json ? event.dump() : text) + "\n");
}

// Counts down; zero is the end. Without --count there is none.
bool enough(std::optional<long>& left) { return left && --*left <= 0; }

int nothing_came(const Options& options, const char* what) {
    complain(Error(Errc::timeout, "watch", "'" + options.name + "'", std::string(what) + " has not changed in time"));
    return exit_no;
}

int watch_key(Context& context, const Options& options, base::Deadline deadline) {
    auto watch = existing<Dict<>>(context, "dict", options.name).watch(parse_value(options.key.front(), options.as_string));
    const auto show = [&] {
        const auto value = watch.value();
        const std::string version = std::to_string(watch.version());
        tell(context,
             {{"name", options.name}, {"version", watch.version()}, {"key", watch.key()}, {"present", value.has_value()},
              {"value", value ? readable(context, *value) : Value()}},
             value ? version + "\t" + line_text(readable(context, *value)) : version);
    };
    show();
    bool any = false;
    for (auto left = options.count; watch.wait_for(deadline.left(std::chrono::nanoseconds::max())); any = true) {
        show();
        if (enough(left)) return exit_done;
    }
    return any ? exit_done : nothing_came(options, "the key's value");
}

int watch_object(Context& context, const Options& options, base::Deadline deadline) {
    const auto object = context.manager().watched(options.name);
    if (!object) throw_no_such_object("object", options.name);
    const auto show = [&](std::uint64_t version) {
        tell(context, {{"name", options.name}, {"kind", object->kind()}, {"version", version}}, std::to_string(version));
    };
    std::uint64_t seen = object->version();
    show(seen);
    bool any = false;
    auto left = options.count;
    while (const auto now = object->wait_for_change(seen, deadline.left(std::chrono::nanoseconds::max()))) {
        show(seen = *now);
        any = true;
        if (enough(left)) return exit_done;
    }
    return any ? exit_done : nothing_came(options, "it");
}

int watch(Context& context, const Options& options) {
    if (options.key.size() > 1) {
        complain(Error(Errc::invalid_argument, "watch", "'" + options.name + "'", "one key at a time"));
        return exit_usage;
    }
    const auto deadline = context.timeout ? base::Deadline::after(*context.timeout) : base::Deadline::never();
    return options.key.empty() ? watch_object(context, options, deadline) : watch_key(context, options, deadline);
}

}  // namespace
}  // namespace watch_verbs

void add_watch(Parser& parser, Context& context) {
    using namespace watch_verbs;
    auto verb = parser.command("watch", "print a line at each change of an object, or of a dict's key", "Objects");
    auto options = std::make_shared<Options>();
    verb.positional(options->name, "NAME", "the object's name");
    verb.positionals(options->key, "KEY", "a dict's key: JSON where it is valid JSON, else text", false);
    verb.flag(options->as_string, "-s,--string", "take the key as text, even where it is valid JSON");
    verb.option(options->count, "-n,--count", "N", "end after so many changes", 1, std::numeric_limits<long>::max());
    verb.footer(
        "The first line is what is there now. An object's lines are its versions; a key's are the version, a tab and the\n"
        "value, or the version alone while there is no such key. With --json each line is an object. Changes that follow\n"
        "each other closely are one line; a version may grow without a visible change.\n"
        "It ends after --count changes, when --timeout is over (exit code 1 if nothing has changed by then), and with\n"
        "[destroyed] when the object is erased. It needs no daemon once it has begun.\n\n"
        "  musterctl watch settings rate | while read -r version rate; do apply \"$rate\"; done");
    verb.action([options, &context] { return watch(context, *options); });
}

}  // namespace muster::ctl

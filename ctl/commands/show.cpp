#include <unistd.h>

#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include <muster/detail/deep_copy.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/numbers.hpp"
#include "ctl/objects.hpp"

namespace muster::ctl {
namespace show_verbs {
namespace {

Value lock_value(const detail::BasicLock& lock) {
    const auto owner = lock.owner();
    return {{"locked", owner.has_value()},
            {"owner", owner ? Value{{"pid", owner->pid}, {"tid", owner->tid}} : Value()},
            {"token", lock.token()}};
}

std::vector<std::pair<Value, Value>> items_of(Context& context, const std::string& kind, const std::string& name) {
    std::vector<std::pair<Value, Value>> items;
    if (kind == "dict") {
        items = existing<Dict<>>(context, kind, name).items();
    } else if (kind == "counter") {
        for (auto& [key, count] : existing<Counter<>>(context, kind, name).snapshot())
            items.emplace_back(std::move(key), count);
    } else {
        for (auto& [key, value] : existing<Namespace>(context, kind, name).snapshot())
            items.emplace_back(std::move(key), std::move(value));
    }
    for (auto& [key, value] : items) value = readable(context, value);
    return items;
}

struct Options {
    std::string name;
    std::optional<long> limit;
    bool deep = false;
};

// Leaves the first ones, as many as wanted; how many are gone.
template <typename Entries>
std::size_t cut(Entries& entries, const Options& options) {
    const std::size_t all = entries.size();
    if (options.limit && static_cast<std::size_t>(*options.limit) < all) entries.resize(static_cast<std::size_t>(*options.limit));
    return all - entries.size();
}

std::string more_text(Context& context, std::size_t more) {
    return context.out.styled("... and " + std::to_string(more) + " more", Style::dim);
}

// A value over several lines; where entries were left away, how many they are.
class DeepText {
  public:
    DeepText(Context& context, const std::map<std::string, std::size_t>& more) noexcept : context_(context), more_(more) {}
    std::string of(const Value& value) {
        std::string text;
        add(text, value, "\n");
        return text;
    }

  private:
    void add(std::string& text, const Value& value, const std::string& line) {
        const auto more = more_.find(at_.to_string());
        if (!value.is_structured() || (value.empty() && more == more_.end())) {
            text += to_json_text(value);
            return;
        }
        const std::string inner = line + "  ";
        text += value.is_object() ? "{" : "[";
        std::string_view between = "";
        for (const auto& [key, entry] : value.items()) {
            text.append(between).append(inner);
            between = ",";
            if (value.is_object()) text += to_json_text(key) + ": ";
            at_.push_back(key);
            add(text, entry, inner);
            at_.pop_back();
        }
        if (more != more_.end()) text += inner + more_text(context_, more->second);
        text += line + (value.is_object() ? "}" : "]");
    }

    Context& context_;
    const std::map<std::string, std::size_t>& more_;
    Value::json_pointer at_;
};

// What is in it as plain data, handles followed.
int show_deep(Context& context, const std::string& kind, const Options& options) {
    const std::string& name = options.name;
    detail::FirstEntries first{options.limit ? static_cast<std::size_t>(*options.limit) : std::numeric_limits<std::size_t>::max(), {}};
    const auto copy = [&]() -> Value {
        if (kind == "dict") return detail::deep_copy(existing<Dict<>>(context, kind, name), first);
        if (kind == "list") return detail::deep_copy(existing<List<>>(context, kind, name), first);
        if (kind == "queue") return detail::deep_copy(existing<Queue<>>(context, kind, name), first);
        if (kind == "namespace") return detail::deep_copy(existing<Namespace>(context, kind, name), first);
        throw Error(Errc::wrong_kind, "show", kind + " '" + name + "'", "no handles can be in it: without --deep");
    };
    const Value value = copy();
    if (context.json) return context.out.json(value), exit_done;
    context.out.line(first.more.empty() ? to_json_text(value, 2) : DeepText(context, first.more).of(value));
    return exit_done;
}

bool has_entries(const std::string& kind) {
    static const std::set<std::string> kinds{"dict", "counter", "namespace", "list", "queue", "set", "array"};
    return kinds.contains(kind);
}

int show(Context& context, const Options& options) {
    const std::string& name = options.name;
    const auto kind = context.manager().kind_of(name);
    if (!kind) throw_no_such_object("object", name);
    if (options.limit && !has_entries(*kind))
        throw Error(Errc::wrong_kind, "show", *kind + " '" + name + "'", "it has no entries: without --limit");
    if (options.deep) return show_deep(context, *kind, options);
    const auto title = [&](std::size_t size) {
        if (!context.json)
            context.out.line(context.out.styled(*kind + " '" + printable(name) + "', " + std::to_string(size),
                                                Style::dim));
    };
    const auto entries = [&](const std::string& lines, std::size_t more) {
        write_all(STDOUT_FILENO, lines);
        if (more != 0) context.out.line(more_text(context, more));
    };
    const auto all = [&](std::vector<Value> values) {
        title(values.size());
        const std::size_t more = cut(values, options);
        for (Value& value : values) value = readable(context, value);
        if (context.json) return context.out.json(Value(values));
        std::string lines;
        for (const auto& value : values) lines += to_json_text(value) + "\n";
        entries(lines, more);
    };
    if (*kind == "dict" || *kind == "counter" || *kind == "namespace") {
        auto items = items_of(context, *kind, name);
        title(items.size());
        const std::size_t more = cut(items, options);
        if (context.json) return context.out.json(json_of(items)), exit_done;
        std::string lines;
        for (const auto& [key, value] : items) lines += to_json_text(key) + ": " + to_json_text(value) + "\n";
        entries(lines, more);
    } else if (*kind == "list" || *kind == "queue" || *kind == "set") {
        all(*kind == "list"  ? existing<List<>>(context, *kind, name).snapshot()
            : *kind == "set" ? existing<Set<>>(context, *kind, name).snapshot()
                             : existing<Queue<>>(context, *kind, name).snapshot());
    } else if (*kind == "value") {
        const Value value = numbers_of(context, name).front();
        if (context.json) return context.out.json(value), exit_done;
        context.out.line("value '" + printable(name) + "', " + value_text(value));
    } else if (*kind == "array") {
        all(numbers_of(context, name));
    } else if (*kind == "lock" || *kind == "rlock") {
        const auto value = *kind == "lock" ? lock_value(existing<Lock>(context, *kind, name))
                                           : lock_value(existing<RLock>(context, *kind, name));
        if (context.json) return context.out.json(value), exit_done;
        const bool held = value.at("locked").get<bool>();
        context.out.line(*kind + " '" + printable(name) + "', " +
                         (held ? "held by PID " + value.at("owner").at("pid").dump() : std::string("free")));
    } else if (*kind == "semaphore") {
        const auto of = existing<Semaphore>(context, *kind, name);
        if (context.json) return context.out.json({{"free", of.get_value()}, {"bounded", of.bounded()}}), exit_done;
        context.out.line((of.bounded() ? "bounded semaphore '" : "semaphore '") + printable(name) + "', " +
                         std::to_string(of.get_value()) + " free");
    } else if (*kind == "event") {
        const bool set = existing<Event>(context, *kind, name).is_set();
        if (context.json) return context.out.json({{"set", set}}), exit_done;
        context.out.line("event '" + printable(name) + "', " + (set ? "set" : "not set"));
    } else if (*kind == "barrier") {
        const auto of = existing<Barrier>(context, *kind, name);
        const bool broken = of.broken();
        if (context.json)
            return context.out.json({{"parties", of.parties()}, {"waiting", of.n_waiting()}, {"broken", broken}}), exit_done;
        context.out.line("barrier '" + printable(name) + "', " + std::to_string(of.n_waiting()) + " of " +
                         std::to_string(of.parties()) + " wait" + (broken ? ", broken" : ""));
    } else if (*kind == "condition") {
        const auto of = existing<Condition>(context, *kind, name);
        if (context.json) return context.out.json({{"waiting", of.n_waiting()}, {"locked", of.locked()}}), exit_done;
        context.out.line("condition '" + printable(name) + "', " + std::to_string(of.n_waiting()) + " wait");
    } else {
        throw Error(Errc::wrong_kind, "show", "object '" + name + "'",
                    "this musterctl does not know a " + *kind);
    }
    return exit_done;
}

}  // namespace
}  // namespace show_verbs

void add_show(Parser& parser, Context& context) {
    using namespace show_verbs;
    auto verb = parser.command("show", "print a shared object as a whole, as of one moment", "Objects");
    auto options = std::make_shared<Options>();
    verb.positional(options->name, "NAME", "the object's name");
    verb.option(options->limit, "--limit", "N", "the first N entries and no more; with --deep, of each object", 0, std::numeric_limits<long>::max());
    verb.footer(
        "Entries are printed as JSON, one a line; with --json as one value. A dict's keys that are no "
        "strings\n"
        "become strings there, unless two would become the same: then it is an array of [KEY, VALUE].\n"
        "A handle to another object reads {\"handle\":\"list #12\"}.\n"
        "With --limit the number of the others follows, but in JSON; what has no entries, as a lock, refuses it.");
    verb.flag(options->deep, "--deep", "follow handles: all that can be reached from it, as plain data");
    verb.action([options, &context] { return show(context, *options); });
}

}  // namespace muster::ctl

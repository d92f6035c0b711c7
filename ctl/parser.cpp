#include "ctl/parser.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <stdexcept>

#include "ctl/exit_code.hpp"
#include "ctl/output.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

// CLI11 reads "[a,b]" as a list and has its own mind about what follows `--`. So such words, and all after
// `--`, go in with a mark in front, which makes them plain words, and lose it on the way out.
constexpr char mark = '\x01';

std::string marked(const std::string& word) { return mark + word; }

bool needs_mark(const std::string& word) {
    return word.empty() || word.front() == '[' || word.front() == mark;
}

std::string unmarked(std::string word) {
    if (!word.empty() && word.front() == mark) word.erase(0, 1);
    return word;
}

std::string without_marks(std::string text) {
    std::erase(text, mark);
    return text;
}

std::vector<std::string> words_of(int argc, const char* const* argv) {
    std::vector<std::string> words;
    bool plain = false;
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        if (!plain && word == "--") {
            plain = true;
            continue;
        }
        words.push_back(plain || needs_mark(word) ? marked(word) : std::move(word));
    }
    std::reverse(words.begin(), words.end());  // as CLI::App::parse wants them
    return words;
}

std::string path_of(const CLI::App* app) {
    std::string path = app->get_name();
    for (app = app->get_parent(); app != nullptr; app = app->get_parent())
        path = app->get_name() + " " + path;
    return path;
}

const CLI::App* deepest(const CLI::App* app) {
    for (auto below = app->get_subcommands(); !below.empty(); below = app->get_subcommands())
        app = below.front();
    return app;
}

long whole_number(const std::string& word, const std::string& name) {
    const std::string text = unmarked(word);
    long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
        throw CLI::ValidationError(name, "'" + text + "' is no whole number");
    return number;
}

}  // namespace

Parser Parser::command(const std::string& name, const std::string& help, const std::string& group) {
    CLI::App* made = app_->add_subcommand(name, help);
    made->fallthrough();
    if (!group.empty()) made->group(group);
    app_->require_subcommand(1);
    return Parser(*made, *chosen_);
}

void Parser::alias(const std::string& name) { app_->alias(name); }

void Parser::positional(std::string& target, const std::string& name, const std::string& help) {
    app_->add_option_function<std::string>(
            name, [&target](const std::string& word) { target = unmarked(word); }, help)
        ->required()
        ->type_name("");
}

void Parser::positional(std::optional<std::string>& target, const std::string& name,
                        const std::string& help) {
    app_->add_option_function<std::string>(
            name, [&target](const std::string& word) { target = unmarked(word); }, help)
        ->type_name("");
}

void Parser::positional(long& target, const std::string& name, const std::string& help) {
    app_->add_option_function<std::string>(
            name, [&target, name](const std::string& word) { target = whole_number(word, name); }, help)
        ->required()
        ->type_name("");
}

void Parser::positional(std::optional<long>& target, const std::string& name, const std::string& help) {
    app_->add_option_function<std::string>(
            name, [&target, name](const std::string& word) { target = whole_number(word, name); }, help)
        ->type_name("");
}

void Parser::positionals(std::vector<std::string>& target, const std::string& name, const std::string& help,
                         bool required) {
    auto* option = app_->add_option_function<std::vector<std::string>>(
        name,
        [&target](const std::vector<std::string>& words) {
            for (const auto& word : words) target.push_back(unmarked(word));
        },
        help);
    option->type_name("");
    if (required) option->required();
}

void Parser::option(std::optional<std::string>& target, const std::string& names, const std::string& type,
                    const std::string& help) {
    app_->add_option_function<std::string>(
            names, [&target](const std::string& word) { target = unmarked(word); }, help)
        ->type_name(type);
}

void Parser::option(std::vector<std::string>& target, const std::string& names, const std::string& type,
                    const std::string& help) {
    app_->add_option_function<std::vector<std::string>>(
            names,
            [&target](const std::vector<std::string>& words) {
                for (const auto& word : words) target.push_back(unmarked(word));
            },
            help)
        ->type_name(type)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Parser::option(std::optional<long>& target, const std::string& names, const std::string& type,
                    const std::string& help, long least, long most) {
    app_->add_option_function<long>(
            names, [&target](const long& number) { target = number; }, help)
        ->type_name(type)
        ->check(CLI::Range(least, most).description(""));
}

void Parser::option(std::optional<Duration>& target, const std::string& names, const std::string& help) {
    app_->add_option_function<std::string>(
            names,
            [&target](const std::string& word) {
                try {
                    target = parse_duration(word);
                } catch (const std::invalid_argument& wrong) {
                    throw CLI::ValidationError(wrong.what());
                }
            },
            help)
        ->type_name("TIME");
}

void Parser::flag(bool& target, const std::string& names, const std::string& help) {
    app_->add_flag_function(
        names, [&target](std::int64_t count) { target = count > 0; }, help);
}

void Parser::footer(const std::string& text) { app_->footer(text); }

void Parser::version(const std::string& text) {
    app_->set_version_flag("--version", text, "print the version");
}

void Parser::action(Action action) {
    app_->callback([chosen = chosen_, action = std::move(action)] { *chosen = action; });
}

int parse_and_run(int argc, const char* const* argv, const std::string& description,
                  const std::function<void(Parser&)>& describe) {
    CLI::App app(description, "musterctl");
    app.get_formatter()->column_width(34);
    Parser::Action chosen;
    Parser parser(app, chosen);
    describe(parser);
    try {
        app.parse(words_of(argc, argv));
    } catch (const CLI::CallForVersion& version) {
        write_all(STDOUT_FILENO, std::string(version.what()) + "\n");
        return exit_done;
    } catch (const CLI::Success&) {  // --help
        const auto* at = deepest(&app);
        write_all(STDOUT_FILENO, at->help(at == &app ? "" : path_of(at->get_parent())));
        return exit_done;
    } catch (const CLI::ParseError& wrong) {
        const auto* at = deepest(&app);
        complain(one_line(without_marks(wrong.what())) + ": see `" + path_of(at) + " --help`");
        return exit_usage;
    }
    return chosen ? chosen() : exit_usage;
}

}  // namespace muster::ctl

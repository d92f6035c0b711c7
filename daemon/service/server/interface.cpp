#include "service/server/interface.hpp"

#include <cctype>
#include <set>

#include <muster/error.hpp>

namespace muster::service {
namespace {

// Recursive descent over the text; the nesting of our own files is shallow.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Interface run() {
        Interface result;
        result.description = std::string(text_);
        expect_word("interface");
        result.name = interface_name();
        for (;;) {
            skip_space();
            if (at_end()) break;
            member(result);
        }
        check_names(result);
        return result;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(Errc::invalid_argument, "parse", "interface definition",
                    "line " + std::to_string(line_) + ": " + what);
    }

    bool at_end() const { return position_ == text_.size(); }
    char peek() const { return at_end() ? '\0' : text_[position_]; }
    void advance() {
        if (text_[position_] == '\n') ++line_;
        ++position_;
    }
    void skip_space() {
        while (!at_end()) {
            if (std::isspace(static_cast<unsigned char>(peek()))) {
                advance();
            } else if (peek() == '#') {
                while (!at_end() && peek() != '\n') advance();
            } else {
                return;
            }
        }
    }
    bool take(char symbol) {
        skip_space();
        if (peek() != symbol) return false;
        advance();
        return true;
    }
    void expect(char symbol) {
        if (!take(symbol)) fail(std::string("'") + symbol + "' expected");
    }
    std::string word() {
        skip_space();
        std::string result;
        while (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '_') {
            result += peek();
            advance();
        }
        if (result.empty()) fail("a name expected");
        return result;
    }
    void expect_word(std::string_view wanted) {
        if (word() != wanted) fail("'" + std::string(wanted) + "' expected");
    }
    std::string interface_name() {
        std::string result = word();
        while (peek() == '.' || peek() == '-') {
            result += peek();
            advance();
            result += word();
        }
        return result;
    }
    std::string type_name() {
        std::string result = word();
        if (!std::isupper(static_cast<unsigned char>(result[0]))) fail("'" + result + "' must start with a capital");
        return result;
    }

    void member(Interface& into) {
        const std::string what = word();
        const std::string name = type_name();
        if (into.types.contains(name) || into.methods.contains(name) || into.errors.contains(name))
            fail("'" + name + "' is defined twice");
        if (what == "type") {
            into.types.emplace(name, parenthesized());
        } else if (what == "method") {
            Method method;
            method.input = structure();
            expect('-');
            expect('>');
            method.output = structure();
            into.methods.emplace(name, std::move(method));
        } else if (what == "error") {
            into.errors.emplace(name, structure());
        } else {
            fail("'type', 'method' or 'error' expected, not '" + what + "'");
        }
    }

    Type structure() {
        Type result = parenthesized();
        if (result.kind != Type::Kind::structure) fail("a structure expected, not an enumeration");
        return result;
    }

    // "(a: int, b: string)" or "(one, two)"; "()" is an empty structure.
    Type parenthesized() {
        Type result;
        result.kind = Type::Kind::structure;
        expect('(');
        if (take(')')) return result;
        std::set<std::string> seen;
        for (bool first = true;; first = false) {
            std::string name = word();
            if (!seen.insert(name).second) fail("'" + name + "' appears twice");
            const bool typed = take(':');
            if (first && !typed) result.kind = Type::Kind::enumeration;
            if (typed != (result.kind == Type::Kind::structure)) fail("a structure and an enumeration mixed");
            if (typed)
                result.fields.push_back(Field{std::move(name), type()});
            else
                result.values.push_back(std::move(name));
            if (take(')')) return result;
            expect(',');
        }
    }

    Type wrap(Type::Kind kind) {
        Type result;
        result.kind = kind;
        result.element = std::make_shared<const Type>(type());
        return result;
    }

    Type type() {
        if (take('?')) {
            skip_space();
            if (peek() == '?') fail("a type cannot be optional twice");
            return wrap(Type::Kind::optional);
        }
        if (take('[')) {
            if (take(']')) return wrap(Type::Kind::array);
            expect_word("string");
            expect(']');
            return wrap(Type::Kind::map);
        }
        skip_space();
        if (peek() == '(') return parenthesized();
        Type result;
        const std::string name = word();
        if (name == "bool") {
            result.kind = Type::Kind::boolean;
        } else if (name == "int") {
            result.kind = Type::Kind::integer;
        } else if (name == "float") {
            result.kind = Type::Kind::floating;
        } else if (name == "string") {
            result.kind = Type::Kind::string;
        } else if (name == "object") {
            result.kind = Type::Kind::object;
        } else {
            result.kind = Type::Kind::named;
            result.name = name;
        }
        return result;
    }

    void check_names(const Interface& all) {
        for (const auto& [name, type] : all.types) check_type(all, type);
        for (const auto& [name, method] : all.methods) {
            check_type(all, method.input);
            check_type(all, method.output);
        }
        for (const auto& [name, type] : all.errors) check_type(all, type);
    }
    void check_type(const Interface& all, const Type& type) {
        if (type.kind == Type::Kind::named && !all.types.contains(type.name)) fail("no type '" + type.name + "'");
        if (type.element) check_type(all, *type.element);
        for (const Field& field : type.fields) check_type(all, field.type);
    }

    std::string_view text_;
    std::size_t position_ = 0;
    int line_ = 1;
};

}  // namespace

Interface Interface::parse(std::string_view text) { return Parser(text).run(); }

}  // namespace muster::service

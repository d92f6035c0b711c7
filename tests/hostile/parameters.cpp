// Every parameter of every method, with every wrong type: generated from the interface files.
#include <algorithm>
#include <map>

#include "hostile/hostile.hpp"
#include "service/server/interface.hpp"
#include "service/server/interfaces.hpp"

using namespace muster::test;
using muster::service::Field;
using muster::service::Interface;
using muster::service::Type;
using Kind = Type::Kind;

namespace {

const Type& resolved(const Interface& interface, const Type& type) {
    if (type.kind == Kind::optional) return resolved(interface, *type.element);
    if (type.kind == Kind::named) return resolved(interface, interface.types.find(type.name)->second);
    return type;
}

// A value of that type which means nothing that exists.
json harmless(const Interface& interface, const Type& type) {
    const Type& plain = resolved(interface, type);
    switch (plain.kind) {
        case Kind::boolean: return false;
        case Kind::integer: return 999'999;
        case Kind::floating: return 0.5;
        case Kind::string: return "no-such-thing";
        case Kind::enumeration: return plain.values.front();
        case Kind::array: return json::array({harmless(interface, *plain.element)});
        case Kind::structure: {
            json result = json::object();
            for (const Field& field : plain.fields)
                if (field.type.kind != Kind::optional) result[field.name] = harmless(interface, field.type);
            return result;
        }
        default: return json::object();
    }
}

bool fits(const Type& plain, const json& value) {
    switch (plain.kind) {
        case Kind::boolean: return value.is_boolean();
        case Kind::integer: return value.is_number_integer() && !(value.is_number_unsigned() && value > INT64_MAX);
        case Kind::floating: return value.is_number();
        case Kind::string: return value.is_string();
        case Kind::array: return value == json::array();
        case Kind::structure:
            return value == json::object() && std::none_of(plain.fields.begin(), plain.fields.end(), [](const Field& field) {
                       return field.type.kind != Kind::optional;
                   });
        case Kind::map:
        case Kind::object: return value.is_object();
        default: return false;
    }
}

struct Wrong {
    std::string path;
    json parameters;
};

// One message for each place where something else could stand, and each thing that could stand there.
void spoil(const Interface& interface, const Type& type, const json& whole, const json::json_pointer& at,
           const std::string& path, std::vector<Wrong>& out) {
    const std::vector<json> values{nullptr, true, 7, -1, 1.5, UINT64_MAX, "text", "", json::array(), json::array({json()}),
                                   json::object(), json{{"x", 1}}};
    for (const json& value : values) {
        const bool absent = type.kind == Kind::optional && value.is_null();
        if (absent || fits(resolved(interface, type), value)) continue;
        json changed = whole;
        changed[at] = value;
        out.push_back({path, std::move(changed)});
    }
    const Type& plain = resolved(interface, type);
    if (plain.kind == Kind::array) {
        json changed = whole;
        changed[at] = json::array({harmless(interface, *plain.element)});
        spoil(interface, *plain.element, changed, at / 0, path + "[0]", out);
    }
    if (plain.kind != Kind::structure) return;
    json with_more = whole;
    with_more[at] = harmless(interface, plain);
    for (const Field& field : plain.fields) {
        const std::string inner = path.empty() ? field.name : path + "." + field.name;
        json changed = with_more;
        if (field.type.kind != Kind::optional) {
            changed[at].erase(field.name);
            out.push_back({inner, changed});
        }
        changed[at][field.name] = harmless(interface, field.type);
        spoil(interface, field.type, changed, at / field.name, inner, out);
    }
    with_more[at]["no_such_member"] = 1;
    out.push_back({path.empty() ? "no_such_member" : path + ".no_such_member", with_more});
}

}  // namespace

TEST_CASE("every wrong parameter of every method is refused by its path, and nothing is done") {
    Target target;
    std::size_t methods = 0, sent = 0;
    for (const auto text : muster::service::embedded_interfaces()) {
        const Interface interface = Interface::parse(text);
        for (const auto& [name, method] : interface.methods) {
            const std::string full = interface.name + "." + name;
            const json good = harmless(interface, method.input);
            std::vector<Wrong> all;
            spoil(interface, method.input, good, json::json_pointer(), "", all);
            for (const Wrong& wrong : all) {
                if (!wrong.parameters.is_object()) continue;  // a message of its own kind: messages.cpp
                INFO(full << " " << wrong.parameters.dump());
                const json reply = target.witness().call(full, wrong.parameters);
                REQUIRE(reply.value("error", "no error") == "org.varlink.service.InvalidParameter");
                // A structure in place of another is refused for its first member.
                const auto told = reply.at("parameters").at("parameter").get<std::string>();
                if (told != wrong.path) CHECK(told.starts_with(wrong.path));
                ++sent;
            }
            ++methods;
        }
    }
    CHECK(methods >= 19);
    CHECK(sent > 400);
    CHECK(target.witness().call("io.muster.processes.List", {{"all", true}}).at("parameters").at("processes").empty());
    target.check_served();
}

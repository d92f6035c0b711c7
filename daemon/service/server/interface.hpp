// A Varlink interface definition, parsed: what methods there are and what their parameters look like.
//
// The text is ours (daemon/interfaces/*.varlink, embedded at build time), so a mistake in it is a programming
// error and parse() throws Error(invalid_argument) naming the line. Thread safety: values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace muster::service {

struct Field;

struct Type {
    enum class Kind { boolean, integer, floating, string, object, named, array, map, optional, structure, enumeration };
    Kind kind = Kind::object;
    std::string name;                     // named: which type of the interface
    std::shared_ptr<const Type> element;  // array, map, optional
    std::vector<Field> fields;            // structure, in the order of the text
    std::vector<std::string> values;      // enumeration
};

struct Field {
    std::string name;
    Type type;
};

struct Method {
    Type input, output;  // structures
};

struct Interface {
    std::string name;
    std::string description;  // the text as it stands in the file
    std::map<std::string, Type, std::less<>> types;
    std::map<std::string, Method, std::less<>> methods;
    std::map<std::string, Type, std::less<>> errors;

    static Interface parse(std::string_view text);
};

}  // namespace muster::service

// What a client can send. However the bytes are cut into pieces, the same calls come out, or the same refusal; what comes
// out holds to the limits that varlink_parser.hpp states.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "input.hpp"
#include "service/server/varlink_parser.hpp"

namespace {

using namespace muster::service;
using nlohmann::json;

[[noreturn]] void broken(const char* what) {
    std::fprintf(stderr, "varlink: %s\n", what);
    std::abort();
}

int depth_of(const json& value) {
    int deepest = 0;
    if (value.is_structured())
        for (const auto& element : value) deepest = std::max(deepest, depth_of(element));
    return value.is_structured() ? deepest + 1 : 0;
}

std::string text_of(const Message& message) {
    // dump() is strict: invalid UTF-8 that got through throws here.
    return json{{"method", message.method}, {"parameters", *message.parameters}, {"more", message.more},
                {"oneway", message.oneway}, {"upgrade", message.upgrade}}.dump();
}

// The calls, then the refusal if there is one, then what is left over; fed in pieces of the sizes that `next_size` says.
template <typename NextSize>
std::vector<std::string> outcome(std::string_view bytes, NextSize&& next_size) {
    std::vector<std::string> result;
    VarlinkParser parser;
    try {
        while (!bytes.empty()) {
            const std::size_t size = std::min({bytes.size(), parser.room(), next_size()});
            parser.feed(bytes.substr(0, size));
            bytes.remove_prefix(size);
            while (const auto message = parser.next()) {
                if (!message->parameters->is_object()) broken("parameters that are no object");
                if (depth_of(*message->parameters) >= max_depth) broken("deeper than the limit");
                result.push_back(text_of(*message));
            }
            if (parser.pending() > max_message) broken("more kept than the limit");
        }
        result.push_back(std::to_string(parser.pending()) + " pending");
    } catch (const ProtocolError& error) {
        const std::string reason = error.what();
        if (reason.size() > 400 || reason.find('\n') != reason.npos) broken("a reason of more than a line");
        result.push_back("refused: " + reason);
    }
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    muster::fuzz::Input input(data, size);
    const std::uint8_t how = input.byte();
    const std::string_view bytes = input.text();
    const auto whole = outcome(bytes, [] { return ~std::size_t{0}; });
    std::size_t piece = how % 7;
    const auto cut = outcome(bytes, [&] { return 1 + (piece = piece * 5 + 3) % 11; });
    if (whole != cut) broken("cut into pieces it is something else");
    return 0;
}

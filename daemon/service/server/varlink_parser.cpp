#include "service/server/varlink_parser.hpp"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "printable.hpp"

namespace muster::service {
namespace {

using nlohmann::json;

// What a client sent, in a reason: one short line.
std::string shortened(std::string_view sent) {
    constexpr std::size_t longest = 120;
    std::string text = printable(sent.substr(0, longest + 4));
    if (text.size() > longest) {
        std::size_t end = longest;
        while (end > 0 && inside_character(text[end])) --end;  // not inside a character
        text.replace(end, std::string::npos, "...");
    }
    return text;
}

// Builds the value and stops at the first thing that we do not take.
class StrictBuilder : public nlohmann::json_sax<json> {
  public:
    json take() { return std::move(root_); }

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(json::object()); }
    bool key(string_t& value) override {
        if (stack_.back()->contains(value)) throw ProtocolError("malformed JSON: key '" + shortened(value) + "' appears twice");
        key_ = std::move(value);
        return true;
    }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(json::array()); }
    bool end_array() override { return close(); }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        // nlohmann quotes what it last read; a client's garbage does not belong into one clear line.
        std::string text = error.what();
        if (const auto colon = text.find("column "); colon != std::string::npos)
            if (const auto start = text.find(": ", colon); start != std::string::npos) text.erase(0, start + 2);
        if (const auto quote = text.find("; last read"); quote != std::string::npos) text.resize(quote);
        throw ProtocolError("malformed JSON at byte " + std::to_string(position) + ": " + shortened(text));
    }

  private:
    template <typename Value>
    json* insert(Value&& value) {
        if (++values_ > max_values)
            throw ProtocolError("a message has more than " + std::to_string(max_values) + " values");
        if (stack_.empty()) return &(root_ = std::forward<Value>(value));
        json& parent = *stack_.back();
        if (parent.is_array()) return &parent.emplace_back(std::forward<Value>(value));
        return &(parent[key_] = std::forward<Value>(value));
    }
    template <typename Value>
    bool put(Value&& value) {
        insert(std::forward<Value>(value));
        return true;
    }
    bool open(json container) {
        if (stack_.size() >= std::size_t(max_depth))
            throw ProtocolError("malformed JSON: nested deeper than " + std::to_string(max_depth) + " levels");
        stack_.push_back(insert(std::move(container)));
        return true;
    }
    bool close() {
        stack_.pop_back();
        return true;
    }

    json root_;
    // Pointers stay good: a container that is open is the last element of its parent, and nothing is added to the
    // parent before it is closed.
    std::vector<json*> stack_;
    std::string key_;
    std::size_t values_ = 0;
};

bool flag(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return false;
    if (!found->is_boolean()) throw ProtocolError(std::string("'") + name + "' must be true or false");
    return found->get<bool>();
}

}  // namespace

json parse_json(std::string_view text) {
    StrictBuilder builder;
    json::sax_parse(text.begin(), text.end(), &builder);
    return builder.take();
}

Message Message::parse(std::string_view text) {
    json object = parse_json(text);
    if (!object.is_object()) throw ProtocolError("a call must be a JSON object");
    for (const auto& [name, value] : object.items())
        if (name != "method" && name != "parameters" && name != "more" && name != "oneway" && name != "upgrade")
            throw ProtocolError("a call has no member '" + shortened(name) + "'");
    Message result;
    result.size = text.size();
    const auto method = object.find("method");
    if (method == object.end()) throw ProtocolError("'method' is missing");
    if (!method->is_string()) throw ProtocolError("'method' must be a string");
    result.method = method->get<std::string>();
    result.more = flag(object, "more");
    result.oneway = flag(object, "oneway");
    result.upgrade = flag(object, "upgrade");
    auto parameters = json::object();
    if (const auto found = object.find("parameters"); found != object.end() && !found->is_null()) {
        if (!found->is_object()) throw ProtocolError("'parameters' must be an object");
        parameters = std::move(*found);
    }
    result.parameters = std::make_shared<const json>(std::move(parameters));
    return result;
}

std::size_t VarlinkParser::room() const noexcept {
    return std::max<std::size_t>(1, max_message + 1 - std::min(max_message, pending()));
}

void VarlinkParser::feed(std::string_view bytes) {
    if (start_ > 0) {
        buffer_.erase(0, start_);
        scanned_ -= start_;
        start_ = 0;
    }
    buffer_.append(bytes);
}

std::optional<Message> VarlinkParser::next() {
    const auto text = next_text();
    if (!text) return std::nullopt;
    return Message::parse(*text);
}

std::optional<std::string> VarlinkParser::next_text() {
    const std::size_t end = buffer_.find('\0', scanned_);
    if (end == std::string::npos) {
        scanned_ = buffer_.size();
        if (pending() > max_message)
            throw ProtocolError("a message has more than " + std::to_string(max_message) + " bytes");
        let_go();
        return std::nullopt;
    }
    std::string text(buffer_, start_, end - start_);
    start_ = scanned_ = end + 1;
    if (text.size() > max_message)
        throw ProtocolError("a message has more than " + std::to_string(max_message) + " bytes");
    let_go();
    return text;
}

// One big message must not cost memory for ever, nor while its call is worked on.
void VarlinkParser::let_go() {
    constexpr std::size_t worth_it = 64 * 1024, little = 8 * 1024;
    if (buffer_.capacity() <= worth_it || pending() > little) return;
    buffer_ = std::string(buffer_, start_);
    scanned_ -= start_;
    start_ = 0;
}

}  // namespace muster::service

#include "service/server/call.hpp"

#include <nlohmann/json.hpp>

namespace muster::service {

using nlohmann::json;

namespace {

// Texts from outside (argv, names from /proc) may be no UTF-8: replaced rather than refused.
std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

CallError::CallError(std::string name, const json& parameters)
    : name_(std::move(name)), parameters_(std::make_shared<const json>(parameters)) {}

CallError invalid_parameter(const std::string& path, const std::string& reason) {
    return CallError("org.varlink.service.InvalidParameter", {{"parameter", path}, {"reason", reason}});
}

CallError limit_exceeded(const std::string& interface, const std::string& what, std::size_t limit,
                         const std::string& key) {
    return CallError(interface + ".LimitExceeded",
                     {{"what", what}, {"limit", limit}, {"key", key.empty() ? json(nullptr) : json(key)}});
}

Call::Call(Message message, std::shared_ptr<const Peer> peer, std::weak_ptr<ReplySink> sink)
    : message_(std::move(message)), peer_(std::move(peer)), sink_(std::move(sink)) {}

Call::~Call() {
    if (finished_ || abandoned_) return;
    try {
        fail("io.muster.service.Internal", {{"reason", "the call was not answered"}});
    } catch (...) {  // no memory even for this: the connection closes at its own limits
    }
}

void Call::reply(const json& parameters, base::UniqueFd fd) {
    send(R"({"parameters":)", parameters, std::move(fd), true);
}

void Call::reply_more(const json& parameters) { send(R"({"continues":true,"parameters":)", parameters, {}, false); }

void Call::fail(const std::string& error, const json& parameters) {
    // What a client sent is named to it, but not sent back by the megabyte.
    json said = parameters;
    if (said.is_object())
        for (auto& value : said)
            if (auto* text = value.get_ptr<std::string*>(); text && text->size() > max_echo) {
                text->resize(max_echo);
                while (!text->empty() && (static_cast<unsigned char>(text->back()) & 0xc0) == 0x80) text->pop_back();
                if (!text->empty() && (static_cast<unsigned char>(text->back()) & 0x80)) text->pop_back();
                *text += "...";
            }
    send("{\"error\":" + text_of(error) + ",\"parameters\":", said, {}, true);
}

void Call::send(std::string frame, const json& parameters, base::UniqueFd fd, bool last) {
    if (finished_) return;
    if (!message_.oneway && !abandoned_) {
        const std::string text = text_of(parameters);
        frame.reserve(frame.size() + text.size() + 2);  // the NUL behind it, too
        frame += text;
        frame += '}';
    }
    send_text(std::move(frame), std::move(fd), last);
}

std::string Call::empty_reply() {
    std::string frame;
    frame.reserve(32);  // the NUL behind it, too
    frame = "{\"parameters\":{}}";
    return frame;
}

void Call::send_text(std::string text, base::UniqueFd fd, bool last) {
    if (finished_) return;
    if (message_.oneway || abandoned_) text.clear();
    if (last) {
        finished_ = true;
        abandoned_action_ = nullptr;
    }
    if (auto sink = sink_.lock()) sink->send(std::move(text), std::move(fd), last);
}

void Call::abandon() noexcept {
    if (finished_ || abandoned_) return;
    abandoned_ = true;
    auto action = std::move(abandoned_action_);
    abandoned_action_ = nullptr;
    if (action) action();
}

}  // namespace muster::service

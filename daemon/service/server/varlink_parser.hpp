// Bytes of a connection to Varlink calls: frames ended by NUL, each one JSON object.
//
// A client can send anything. A violation is a ProtocolError with one clear reason, after which the connection is
// of no more use and nothing else is harmed. Limits: a message has at most `max_message` bytes (1 MiB) and
// `max_depth` (32) nested arrays and objects, and `max_values` (32768) values in all; feed() never keeps more than one unfinished message.
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace muster::service {

inline constexpr std::size_t max_message = 1 << 20;
inline constexpr int max_depth = 32;
inline constexpr std::size_t max_values = 32 * 1024;

class ProtocolError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Strict JSON: depth and number of values limited, duplicate keys, invalid UTF-8 and trailing text refused.
nlohmann::json parse_json(std::string_view text);

struct Message {
    std::string method;  // "io.muster.service.Attach"
    std::shared_ptr<const nlohmann::json> parameters;  // an object, empty when absent
    bool more = false, oneway = false, upgrade = false;
    std::size_t size = 0;  // bytes of its text

    static Message parse(std::string_view text);
};

class VarlinkParser {
  public:
    // How many bytes may be fed now without going over the limit; at least 1.
    std::size_t room() const noexcept;
    void feed(std::string_view bytes);
    // The next complete message, or nothing yet. Throws ProtocolError for one that is malformed, and when an
    // unfinished one is over the limit.
    std::optional<Message> next();
    // The same in two steps: its text, for Message::parse().
    std::optional<std::string> next_text();
    // Bytes of an unfinished message: a peer that closes now has cut it off.
    std::size_t pending() const noexcept { return buffer_.size() - start_; }
    std::size_t held() const noexcept { return buffer_.capacity(); }  // bytes of memory


  private:
    void let_go();

    std::string buffer_;
    std::size_t start_ = 0;    // of the first message not taken yet
    std::size_t scanned_ = 0;  // no NUL between start_ and here
};

}  // namespace muster::service

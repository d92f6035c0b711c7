#include "link/codec.hpp"

#include <boost/pfr/core.hpp>

#include <bit>
#include <concepts>
#include <type_traits>
#include <utility>

#include <muster/error.hpp>

namespace muster::link {
namespace {

static_assert(std::endian::native == std::endian::little, "the link copies integers as they are");

template <typename T>
concept Scalar = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

[[noreturn]] void malformed(const char* what) { throw Error(Errc::protocol, "decode", "link message", what); }

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    template <Scalar T>
    void put(T value) {
        out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void put(bool value) { put(static_cast<std::uint8_t>(value)); }
    void put(Output::Kind kind) { put(static_cast<std::uint8_t>(kind)); }
    void put(const std::string& text) {
        length(text.size());
        out_ += text;
    }
    template <typename T>
    void put(const std::vector<T>& list) {
        length(list.size());
        for (const T& item : list) put(item);
    }
    template <typename T>
    void put(const std::optional<T>& value) {
        put(value.has_value());
        if (value) put(*value);
    }
    template <typename T>
        requires std::is_aggregate_v<T>
    void put(const T& record) {
        boost::pfr::for_each_field(record, [this](const auto& field) { this->put(field); });
    }

  private:
    void length(std::size_t size) {
        if (size > max_message_bytes || out_.size() + size > max_message_bytes)
            throw Error(Errc::limit_exceeded, "encode", "link message", "larger than 32 MiB");
        put(static_cast<std::uint32_t>(size));
    }
    std::string& out_;
};

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <Scalar T>
    void get(T& value) {
        const auto bytes = take(sizeof value);
        std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(&value));
    }
    void get(bool& value) {
        std::uint8_t byte = 0;
        get(byte);
        if (byte > 1) malformed("a flag that is neither 0 nor 1");
        value = byte == 1;
    }
    void get(Output::Kind& kind) {
        std::uint8_t byte = 0;
        get(byte);
        if (byte > static_cast<std::uint8_t>(Output::Kind::file)) malformed("unknown kind of output");
        kind = static_cast<Output::Kind>(byte);
    }
    void get(std::string& text) {
        const auto bytes = take(length());
        text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    template <typename T>
    void get(std::vector<T>& list) {
        const std::size_t size = length();
        if (size > rest_.size()) malformed("list longer than the message");  // an item has at least one byte
        list.clear();
        list.reserve(std::min<std::size_t>(size, 4096));
        for (std::size_t i = 0; i < size; ++i) get(list.emplace_back());
    }
    template <typename T>
    void get(std::optional<T>& value) {
        bool present = false;
        get(present);
        if (present)
            get(value.emplace());
        else
            value.reset();
    }
    template <typename T>
        requires std::is_aggregate_v<T>
    void get(T& record) {
        boost::pfr::for_each_field(record, [this](auto& field) { this->get(field); });
    }
    void finish() const {
        if (!rest_.empty()) malformed("bytes after the end");
    }

  private:
    std::size_t length() {
        std::uint32_t size = 0;
        get(size);
        return size;
    }
    std::span<const std::byte> take(std::size_t size) {
        if (size > rest_.size()) malformed("cut short");
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    std::span<const std::byte> rest_;
};

template <typename Variant>
std::string encode_variant(const Variant& message) {
    static_assert(std::variant_size_v<Variant> < 256);
    std::string out;
    Writer writer(out);
    writer.put(static_cast<std::uint8_t>(message.index()));
    std::visit([&](const auto& alternative) { writer.put(alternative); }, message);
    return out;
}

template <typename Variant, std::size_t... I>
Variant decode_variant(std::span<const std::byte> bytes, std::index_sequence<I...>) {
    Reader reader(bytes);
    std::uint8_t index = 0;
    reader.get(index);
    std::optional<Variant> message;
    const auto read = [&]<std::size_t N>(std::integral_constant<std::size_t, N>) {
        reader.get(std::get<N>(message.emplace(std::in_place_index<N>)));
        return true;
    };
    const bool known = ((index == I && read(std::integral_constant<std::size_t, I>{})) || ...);
    if (!known) malformed("unknown message");
    reader.finish();
    return std::move(*message);
}

template <typename Variant>
Variant decode_variant(std::span<const std::byte> bytes) {
    return decode_variant<Variant>(bytes, std::make_index_sequence<std::variant_size_v<Variant>>{});
}

}  // namespace

std::string encode(const ToKeeper& message) { return encode_variant(message); }
std::string encode(const ToService& message) { return encode_variant(message); }
ToKeeper decode_to_keeper(std::span<const std::byte> bytes) { return decode_variant<ToKeeper>(bytes); }
ToService decode_to_service(std::span<const std::byte> bytes) { return decode_variant<ToService>(bytes); }

}  // namespace muster::link

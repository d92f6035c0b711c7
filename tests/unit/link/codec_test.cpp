#include <catch2/catch.hpp>

#include <boost/pfr/core.hpp>
#include <muster/error.hpp>

#include <cstring>
#include <random>
#include <span>
#include <type_traits>

#include "link/codec.hpp"

using namespace muster;
using namespace muster::link;

namespace {

// The fields are counted by the compiler; these would tell if it miscounted.
static_assert(boost::pfr::tuple_size_v<SpawnSpec> == 7 && boost::pfr::tuple_size_v<Ending> == 7);
static_assert(boost::pfr::tuple_size_v<Child> == 7 && boost::pfr::tuple_size_v<Stop> == 0);

// Fills messages with random content, field by field.
class Filler {
  public:
    explicit Filler(unsigned seed) : random_(seed) {}

    template <typename T>
    void fill(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            value = below(2) == 1;
        } else if constexpr (std::is_same_v<T, Output::Kind>) {
            value = static_cast<Output::Kind>(below(4));
        } else if constexpr (std::is_floating_point_v<T>) {
            value = static_cast<T>(below(1u << 30)) / 7;
        } else if constexpr (std::is_integral_v<T>) {
            value = static_cast<T>((std::uint64_t{random_()} << 32) | random_());
        } else {
            boost::pfr::for_each_field(value, [this](auto& field) { this->fill(field); });
        }
    }
    void fill(std::string& text) {
        text.clear();
        for (auto n = below(below(20) == 0 ? 5000 : 30); n > 0; --n) text += static_cast<char>(below(256));
    }
    template <typename T>
    void fill(std::vector<T>& list) {
        list.resize(below(8));
        for (T& item : list) fill(item);
    }
    template <typename T>
    void fill(std::optional<T>& value) {
        value.reset();
        if (below(2)) fill(value.emplace());
    }
    std::uint32_t below(std::uint32_t limit) { return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_); }

  private:
    std::mt19937 random_;
};

struct Equal {
    template <typename T>
    bool operator()(const T& a, const T& b) const {
        if constexpr (std::is_aggregate_v<T>) {
            return fields(a, b, std::make_index_sequence<boost::pfr::tuple_size_v<T>>{});
        } else {
            return a == b;
        }
    }
    template <typename T>
    bool operator()(const std::optional<T>& a, const std::optional<T>& b) const {
        return a.has_value() == b.has_value() && (!a || (*this)(*a, *b));
    }
    template <typename T, std::size_t... I>
    bool fields(const T& a, const T& b, std::index_sequence<I...>) const {
        return ((*this)(boost::pfr::get<I>(a), boost::pfr::get<I>(b)) && ...);
    }
};

ToKeeper decode(const std::string& bytes, const ToKeeper*) { return decode_to_keeper(std::as_bytes(std::span(bytes))); }
ToService decode(const std::string& bytes, const ToService*) { return decode_to_service(std::as_bytes(std::span(bytes))); }

template <typename Variant, std::size_t I = 0, typename Check>
void for_each_kind(Filler& filler, Check&& check) {
    if constexpr (I < std::variant_size_v<Variant>) {
        Variant message(std::in_place_index<I>);
        filler.fill(std::get<I>(message));
        check(message);
        for_each_kind<Variant, I + 1>(filler, check);
    }
}

template <typename Variant>
void round_trips(unsigned seed) {
    Filler filler(seed);
    for (int round = 0; round < 200; ++round) {
        for_each_kind<Variant>(filler, [&](const Variant& message) {
            const std::string bytes = encode(message);
            const Variant back = decode(bytes, &message);
            REQUIRE(back.index() == message.index());
            REQUIRE(std::visit(
                [&](const auto& sent) { return Equal{}(sent, std::get<std::decay_t<decltype(sent)>>(back)); }, message));
        });
    }
}

template <typename Variant>
void refuses_damage(unsigned seed) {
    Filler filler(seed);
    const auto survives = [](const std::string& bytes, const Variant* kind) {
        try {
            decode(bytes, kind);
            return true;
        } catch (const Error& error) {
            REQUIRE(error.errc() == Errc::protocol);
            return false;
        }
    };
    for (int round = 0; round < 20; ++round) {
        for_each_kind<Variant>(filler, [&](const Variant& message) {
            const std::string bytes = encode(message);
            const std::size_t step = bytes.size() > 300 ? 97 : 1;
            for (std::size_t cut = 0; cut < bytes.size(); cut += step)
                REQUIRE_FALSE(survives(bytes.substr(0, cut), &message));
            REQUIRE_FALSE(survives(bytes + 'x', &message));
            for (int flip = 0; flip < 50; ++flip) {  // anything but a crash or another kind of error
                std::string damaged = bytes;
                damaged[filler.below(static_cast<std::uint32_t>(damaged.size()))] = static_cast<char>(filler.below(256));
                survives(damaged, &message);
            }
        });
    }
}

}  // namespace

TEST_CASE("every message survives encoding and decoding") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    round_trips<ToKeeper>(seed);
    round_trips<ToService>(seed);
}

TEST_CASE("bytes that are not exactly one message are refused as a protocol error") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    refuses_damage<ToKeeper>(seed);
    refuses_damage<ToService>(seed);
    CHECK_THROWS_AS(decode_to_keeper({}), Error);
}

TEST_CASE("a list said to be huge costs no memory") {
    std::string bytes = encode(ToKeeper(Spawn{1, {}, {}}));
    const std::uint32_t huge = 0xffff'ffff;
    std::memcpy(bytes.data() + 1 + sizeof(std::uint64_t), &huge, sizeof huge);
    CHECK_THROWS_AS(decode_to_keeper(std::as_bytes(std::span(bytes))), Error);
}

TEST_CASE("a message above the limit is refused when it is encoded") {
    CHECK_THROWS_AS(encode(ToKeeper(SetNote{1, std::string(max_message_bytes, 'n')})), Error);
    CHECK_NOTHROW(encode(ToKeeper(SetNote{1, std::string(max_message_bytes / 2, 'n')})));
}

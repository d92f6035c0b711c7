// codec<T> for the standard library's containers and vocabulary types. Part of <muster/codec.hpp>; do not
// include alone.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <muster/codec.hpp>

namespace muster {
namespace detail {

template <typename T>
concept ByteLike = std::same_as<T, std::byte> || std::same_as<T, std::uint8_t>;

// Types whose own encoding can be nil: an optional of one could not be told from an empty one.
template <typename T>
inline constexpr bool may_be_nil =
    std::same_as<T, Value> || std::same_as<T, std::monostate> || std::same_as<T, std::nullptr_t>;
template <typename T>
inline constexpr bool may_be_nil<std::optional<T>> = true;

// Their order, equality and hash are the standard's.
template <typename T>
inline constexpr bool is_ordinary_key = std::is_arithmetic_v<T> || std::same_as<T, std::string>;
template <typename T, typename Allocator, typename... Outer>
inline constexpr bool is_ordinary = decoded_by_library<T, Outer...> && std::same_as<Allocator, std::allocator<T>>;
template <typename K, typename Compare, typename Allocator>
inline constexpr bool is_ordinary_tree =
    is_ordinary_key<K> && std::same_as<Compare, std::less<K>> &&
    std::same_as<Allocator, std::allocator<typename std::allocator_traits<Allocator>::value_type>>;
template <typename K, typename Hash, typename Equal, typename Allocator>
inline constexpr bool is_ordinary_hashed =
    is_ordinary_key<K> && std::same_as<Hash, std::hash<K>> && std::same_as<Equal, std::equal_to<K>> &&
    std::same_as<Allocator, std::allocator<typename std::allocator_traits<Allocator>::value_type>>;

template <typename Container>
struct Sequence {
    using Item = typename Container::value_type;
    static void encode(Writer& out, const Container& items) {
        out.begin_array(items.size());
        for (const auto& item : items) codec<Item>::encode(out, item);
        out.end();
    }
    static Container decode(Reader& in) {
        Container items;
        std::size_t count = in.begin_array();
        if constexpr (requires { items.reserve(count); }) items.reserve(count);
        for (; count > 0; --count) items.insert(items.end(), codec<Item>::decode(in));
        in.end();
        return items;
    }
};

template <typename Container>
struct HashedSet : Sequence<Container> {
    using Item = typename Container::value_type;
    static Container decode(Reader& in) {
        Container items;
        for (std::size_t count = in.begin_array(); count > 0; --count) items.insert(codec<Item>::decode(in));
        in.end();
        return items;
    }
};

template <typename Container>
struct Mapping {
    using Key = typename Container::key_type;
    using Mapped = typename Container::mapped_type;
    static void encode(Writer& out, const Container& entries) {
        if constexpr (std::same_as<Key, std::string>)
            out.begin_map(entries.size());
        else
            out.begin_array(entries.size());
        for (const auto& [key, mapped] : entries) {
            if constexpr (!std::same_as<Key, std::string>) out.begin_array(2);
            codec<Key>::encode(out, key);
            codec<Mapped>::encode(out, mapped);
            if constexpr (!std::same_as<Key, std::string>) out.end();
        }
        out.end();
    }
    // Of equal keys the last one counts.
    static Container decode(Reader& in) {
        Container entries;
        const Kind kind = in.peek();
        if (kind != Kind::map && kind != Kind::array) throw_mismatch("map", kind);
        std::size_t count = kind == Kind::map ? in.begin_map() : in.begin_array();
        for (; count > 0; --count) {
            if (kind == Kind::array) in.begin_array_of(2);
            Key key = codec<Key>::decode(in);
            entries.insert_or_assign(std::move(key), codec<Mapped>::decode(in));
            if (kind == Kind::array) in.end();
        }
        in.end();
        return entries;
    }
};

}  // namespace detail

template <Storable T, typename Allocator>
struct codec<std::vector<T, Allocator>> : detail::Sequence<std::vector<T, Allocator>> {
    template <typename... Outer>
    static constexpr bool of_library = detail::is_ordinary<T, Allocator, Outer...>;
};
template <Storable T, typename Allocator>
struct codec<std::deque<T, Allocator>> : detail::Sequence<std::deque<T, Allocator>> {
    template <typename... Outer>
    static constexpr bool of_library = detail::is_ordinary<T, Allocator, Outer...>;
};
template <Storable T, typename Allocator>
struct codec<std::list<T, Allocator>> : detail::Sequence<std::list<T, Allocator>> {
    template <typename... Outer>
    static constexpr bool of_library = detail::is_ordinary<T, Allocator, Outer...>;
};
template <Storable T, typename Compare, typename Allocator>
struct codec<std::set<T, Compare, Allocator>> : detail::Sequence<std::set<T, Compare, Allocator>> {
    template <typename...>
    static constexpr bool of_library = detail::is_ordinary_tree<T, Compare, Allocator>;
};
template <Storable T, typename Hash, typename Equal, typename Allocator>
struct codec<std::unordered_set<T, Hash, Equal, Allocator>>
    : detail::HashedSet<std::unordered_set<T, Hash, Equal, Allocator>> {
    template <typename...>
    static constexpr bool of_library = detail::is_ordinary_hashed<T, Hash, Equal, Allocator>;
};

template <Storable K, Storable T, typename Compare, typename Allocator>
struct codec<std::map<K, T, Compare, Allocator>> : detail::Mapping<std::map<K, T, Compare, Allocator>> {
    template <typename... Outer>
    static constexpr bool of_library =
        detail::decoded_by_library<T, Outer...> && detail::is_ordinary_tree<K, Compare, Allocator>;
};
template <Storable K, Storable T, typename Hash, typename Equal, typename Allocator>
struct codec<std::unordered_map<K, T, Hash, Equal, Allocator>>
    : detail::Mapping<std::unordered_map<K, T, Hash, Equal, Allocator>> {
    template <typename... Outer>
    static constexpr bool of_library =
        detail::decoded_by_library<T, Outer...> && detail::is_ordinary_hashed<K, Hash, Equal, Allocator>;
};

template <detail::ByteLike Byte, typename Allocator>
requires Storable<Byte>
struct codec<std::vector<Byte, Allocator>> {
    template <typename...>
    static constexpr bool of_library = std::same_as<Allocator, std::allocator<Byte>>;
    static void encode(Writer& out, const std::vector<Byte, Allocator>& data) {
        out.binary(std::as_bytes(std::span(data)));
    }
    static std::vector<Byte, Allocator> decode(Reader& in) {
        const std::span<const std::byte> data = in.binary();
        std::vector<Byte, Allocator> bytes(data.size());
        if (!data.empty()) std::memcpy(bytes.data(), data.data(), data.size());
        return bytes;
    }
};

template <detail::ByteLike Byte, std::size_t size>
requires Storable<Byte>
struct codec<std::array<Byte, size>> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, const std::array<Byte, size>& data) {
        out.binary(std::as_bytes(std::span(data)));
    }
    static std::array<Byte, size> decode(Reader& in) {
        const std::span<const std::byte> data = in.binary();
        if (data.size() != size) detail::throw_wrong_length(size, data.size());
        std::array<Byte, size> bytes;
        if constexpr (size != 0) std::memcpy(bytes.data(), data.data(), size);
        return bytes;
    }
};

template <Storable T, std::size_t size>
struct codec<std::array<T, size>> {
    template <typename... Outer>
    static constexpr bool of_library = detail::decoded_by_library<T, Outer...>;
    static void encode(Writer& out, const std::array<T, size>& items) {
        out.begin_array(size);
        for (const T& item : items) codec<T>::encode(out, item);
        out.end();
    }
    static std::array<T, size> decode(Reader& in) {
        in.begin_array_of(size);
        auto items = [&]<std::size_t... index>(std::index_sequence<index...>) {
            return std::array<T, size>{(static_cast<void>(index), codec<T>::decode(in))...};
        }
        (std::make_index_sequence<size>{});
        in.end();
        return items;
    }
};

template <Storable First, Storable Second>
struct codec<std::pair<First, Second>> {
    template <typename... Outer>
    static constexpr bool of_library =
        detail::decoded_by_library<First, Outer...> && detail::decoded_by_library<Second, Outer...>;
    static void encode(Writer& out, const std::pair<First, Second>& both) {
        out.begin_array(2);
        codec<First>::encode(out, both.first);
        codec<Second>::encode(out, both.second);
        out.end();
    }
    static std::pair<First, Second> decode(Reader& in) {
        in.begin_array_of(2);
        std::pair<First, Second> both{codec<First>::decode(in), codec<Second>::decode(in)};
        in.end();
        return both;
    }
};

template <Storable... T>
struct codec<std::tuple<T...>> {
    template <typename... Outer>
    static constexpr bool of_library = (detail::decoded_by_library<T, Outer...> && ...);
    static void encode(Writer& out, const std::tuple<T...>& items) {
        out.begin_array(sizeof...(T));
        std::apply([&](const T&... item) { (codec<T>::encode(out, item), ...); }, items);
        out.end();
    }
    static std::tuple<T...> decode(Reader& in) {
        in.begin_array_of(sizeof...(T));
        std::tuple<T...> items{codec<T>::decode(in)...};  // braces: in this order
        in.end();
        return items;
    }
};

template <Storable T>
struct codec<std::optional<T>> {
    template <typename... Outer>
    static constexpr bool of_library = detail::decoded_by_library<T, Outer...>;
    static_assert(!detail::may_be_nil<T>,
                  "an optional of a type that can itself be nil could not be read back");
    static void encode(Writer& out, const std::optional<T>& value) {
        if (value)
            codec<T>::encode(out, *value);
        else
            out.nil();
    }
    static std::optional<T> decode(Reader& in) {
        if (in.peek() != Kind::nil) return codec<T>::decode(in);
        in.nil();
        return std::nullopt;
    }
};

template <Storable... T>
struct codec<std::variant<T...>> {
    using Variant = std::variant<T...>;
    template <typename... Outer>
    static constexpr bool of_library = (detail::decoded_by_library<T, Outer...> && ...);
    static void encode(Writer& out, const Variant& value) {
        out.begin_array(2);
        out.integer(value.index());
        std::visit([&]<typename Held>(const Held& held) { codec<Held>::encode(out, held); }, value);
        out.end();
    }
    static Variant decode(Reader& in) {
        in.begin_array_of(2);
        const auto index = in.integer<std::size_t>();
        if (index >= sizeof...(T)) detail::throw_out_of_range();
        Variant value = alternative<0>(in, index);
        in.end();
        return value;
    }

  private:
    template <std::size_t here>
    static Variant alternative(Reader& in, std::size_t index) {
        if constexpr (here + 1 < sizeof...(T))
            if (index != here) return alternative<here + 1>(in, index);
        return Variant(std::in_place_index<here>,
                       codec<std::variant_alternative_t<here, Variant>>::decode(in));
    }
};

}  // namespace muster

// codec<T> for plain structs: the array of their fields, found by Boost.PFR. Part of <muster/codec.hpp>; do
// not include alone.
#pragma once

#include <boost/pfr/core.hpp>

#include <muster/codec.hpp>

namespace muster {
namespace detail {

template <typename T>
concept Aggregate = std::is_class_v<T> && std::is_aggregate_v<T>;

// Of its own: that might do anything. It would do away with the move, so that the fields' copies are what may throw.
template <typename T, typename... Field>
inline constexpr bool has_no_destructor =
    std::is_trivially_destructible_v<T> ||
    (std::is_nothrow_move_constructible_v<T> && !(std::is_nothrow_copy_constructible_v<Field> && ...));

}  // namespace detail

template <detail::Aggregate T>
struct codec<T> {
    template <typename... Outer>
    static constexpr bool of_library = [] {
        if constexpr ((std::same_as<T, Outer> || ...))
            return true;  // as far as the outer one is
        else
            return []<std::size_t... field>(std::index_sequence<field...>) {
                return (detail::decoded_by_library<boost::pfr::tuple_element_t<field, T>, Outer..., T> && ...) &&
                       detail::has_no_destructor<T, boost::pfr::tuple_element_t<field, T>...>;
            }
            (std::make_index_sequence<boost::pfr::tuple_size_v<T>>{});
    }();
    static void encode(Writer& out, const T& value) {
        [&]<std::size_t... field>(std::index_sequence<field...>) {
            static_assert((Storable<boost::pfr::tuple_element_t<field, T>> && ...),
                          "a field's type has no muster::codec");
            out.begin_array(sizeof...(field));
            (codec<boost::pfr::tuple_element_t<field, T>>::encode(out, boost::pfr::get<field>(value)), ...);
            out.end();
        }
        (fields());
    }
    static T decode(Reader& in) {
        return [&]<std::size_t... field>(std::index_sequence<field...>) {
            static_assert((Storable<boost::pfr::tuple_element_t<field, T>> && ...),
                          "a field's type has no muster::codec");
            in.begin_array_of(sizeof...(field));
            T value{codec<boost::pfr::tuple_element_t<field, T>>::decode(in)...};  // braces: in this order
            in.end();
            return value;
        }
        (fields());
    }

  private:
    static constexpr auto fields() { return std::make_index_sequence<boost::pfr::tuple_size_v<T>>{}; }
};

}  // namespace muster

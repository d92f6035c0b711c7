#include <muster/array.hpp>

#include "containers/containers.hpp"
#include "handles/object_state.hpp"

namespace muster {

std::string_view to_string(ScalarType type) noexcept {
    switch (type) {
        case ScalarType::boolean: return "bool";
        case ScalarType::int8: return "int8";
        case ScalarType::int16: return "int16";
        case ScalarType::int32: return "int32";
        case ScalarType::int64: return "int64";
        case ScalarType::uint8: return "uint8";
        case ScalarType::uint16: return "uint16";
        case ScalarType::uint32: return "uint32";
        case ScalarType::uint64: return "uint64";
        case ScalarType::float32: return "float32";
        case ScalarType::float64: return "float64";
    }
    return "unknown";
}

namespace detail {
namespace {

containers::Scalars scalars_of(const ObjectState& state) { return {state.segment(), state.ref}; }

}  // namespace

ScalarsBase::ScalarsBase(std::shared_ptr<ObjectState> state, ScalarType type) : Handle(std::move(state)) {
    const ScalarType held = guarded(*state_, "open", [&] { return scalars_of(*state_).type(); });
    if (held != type)
        throw Error(Errc::type_mismatch, "open", state_->subject(),
                    "it holds " + std::string(to_string(held)) + ", not " + std::string(to_string(type)));
}

std::uint64_t ScalarsBase::load_bits(std::uint64_t index) const {
    return guarded(*state_, "get", [&] { return scalars_of(*state_).load(index); });
}

std::uint64_t ScalarsBase::exchange_bits(std::uint64_t index, std::uint64_t bits) {
    return guarded(*state_, "set", [&] { return scalars_of(*state_).exchange(index, bits); });
}

bool ScalarsBase::compare_exchange_bits(std::uint64_t index, std::uint64_t& expected, std::uint64_t bits) {
    return guarded(*state_, "compare_exchange",
                   [&] { return scalars_of(*state_).compare_exchange(index, expected, bits); });
}

std::size_t ScalarsBase::length() const {
    return guarded(*state_, "size", [&] { return static_cast<std::size_t>(scalars_of(*state_).length()); });
}

void ScalarsBase::read(std::uint64_t first, std::span<std::byte> out, std::uint64_t* version) const {
    guarded(*state_, "read", [&] { scalars_of(*state_).read(first, out, version); });
}

bool ScalarsBase::write(std::uint64_t first, std::span<const std::byte> values, const std::uint64_t* version) {
    return guarded(*state_, "write", [&] { return scalars_of(*state_).write(first, values, version); });
}

std::uint64_t ScalarsBase::position(const char* operation, std::ptrdiff_t index) const {
    return array_position(*state_, operation, index, length());
}

std::uint64_t array_position(const ObjectState& state, const char* operation, std::ptrdiff_t index, std::size_t length) {
    const auto size = static_cast<std::ptrdiff_t>(length);
    if (index < -size || index >= size)
        throw Error(Errc::index_error, operation, state.subject(),
                    "index " + std::to_string(index) + ", the length is " + std::to_string(size));
    return static_cast<std::uint64_t>(index < 0 ? index + size : index);
}

void ScalarsBase::check_range(const char* operation, std::size_t first, std::size_t count) const {
    const std::size_t size = length();
    if (first > size || count > size - first)
        throw Error(Errc::index_error, operation, state_->subject(),
                    std::to_string(count) + " elements from " + std::to_string(first) + " on, the length is " +
                        std::to_string(size));
}

}  // namespace detail
}  // namespace muster

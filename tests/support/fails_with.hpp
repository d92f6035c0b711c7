// Catch's matcher for a muster::Error of a code.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include <muster/error.hpp>

namespace muster::test {

inline auto fails_with(Errc code) {
    return Catch::Predicate<Error>([code](const Error& error) { return error.errc() == code; }, std::string(to_string(code)));
}

}  // namespace muster::test

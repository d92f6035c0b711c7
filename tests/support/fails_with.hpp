// What a muster::Error is looked at for: Catch's matcher for a code, and for words of the text; the code by itself.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include <muster/error.hpp>

namespace muster::test {

inline auto fails_with(Errc code, const std::string& words = {}) {
    return Catch::Predicate<Error>(
        [=](const Error& error) {
            return error.errc() == code && std::string(error.what()).find(words) != std::string::npos;
        },
        std::string(to_string(code)) + " " + words);
}

// What `call` throws; Errc{} when it throws no Error.
template <typename Call>
Errc code_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.errc();
    }
    return Errc{};
}

}  // namespace muster::test

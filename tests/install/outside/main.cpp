// Uses what the library compiles (not only headers), so that a library that does not link is found out.
#include <iostream>
#include <muster/error.hpp>

int main() {
    try {
        throw muster::Error(muster::Errc::wrong_kind, "open", "dict 'totals'", "it is a list");
    } catch (const muster::Error& error) {
        std::cout << error.what() << '\n';
        return error.code() == muster::Errc::wrong_kind ? 0 : 1;
    }
}

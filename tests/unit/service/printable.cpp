#include "printable.hpp"

#include <catch2/catch.hpp>

using muster::printable;

TEST_CASE("what is not printable is escaped") {
    CHECK(printable("a\tb \xc3\xa9 \xf0\x9f\x98\x80 c:\\x") == "a\tb \xc3\xa9 \xf0\x9f\x98\x80 c:\\x");
    CHECK(printable("\x1b[31m") == "\\x1b[31m");
    CHECK(printable(std::string_view("\0\x7f", 2)) == "\\x00\\x7f");
    CHECK(printable("\xff\xc3") == "\\xff\\xc3");
    CHECK(printable("\xc0\x80") == "\\xc0\\x80");          // overlong
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
    CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");          // C1: a terminal's control
    CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
}

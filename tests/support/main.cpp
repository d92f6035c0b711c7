// Catch2's main for every test program. Debian's has assertions, and one of them ends a program that is to report the
// failure of a test case with a long name.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

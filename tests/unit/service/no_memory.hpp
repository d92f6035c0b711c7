// Allocations of this test program that fail.
#pragma once

namespace muster::test {

extern int left, failing;  // after so many allocations, less one, so many fail

}  // namespace muster::test

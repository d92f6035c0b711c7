// The layer `process`: children forked by this program, and who is told about them. Uses `base` alone.
#pragma once

#include "process/announcer.hpp"

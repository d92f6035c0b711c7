// The layer `base`: descriptors, deadlines, errno translation, always-on checks. No shared memory.
#pragma once

#include "base/check.hpp"
#include "base/deadline.hpp"
#include "base/futex.hpp"
#include "base/system_error.hpp"
#include "base/unique_fd.hpp"

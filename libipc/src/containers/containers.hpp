// The layer `containers`: byte-level structures in the segment, and the directory of objects.
#pragma once

#include "containers/audit.hpp"
#include "containers/directory.hpp"
#include "containers/handle_bytes.hpp"
#include "containers/inspection.hpp"
#include "containers/pipe.hpp"
#include "containers/queue.hpp"
#include "containers/scalars.hpp"
#include "containers/sequence.hpp"
#include "containers/table.hpp"

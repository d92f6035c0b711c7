// The layer `heap`: extents, objects, per-object heaps.
#pragma once

#include "heap/extents.hpp"
#include "heap/heap_of.hpp"
#include "heap/joint_mutation.hpp"
#include "heap/object.hpp"
#include "heap/object_lock.hpp"

// The layer `sync`: who is there, waiting for each other.
#pragma once

#include "sync/barrier.hpp"
#include "sync/condition.hpp"
#include "sync/event.hpp"
#include "sync/leftovers.hpp"
#include "sync/line.hpp"
#include "sync/lock.hpp"
#include "sync/occupant.hpp"
#include "sync/recursive_lock.hpp"
#include "sync/semaphore.hpp"
#include "sync/sessions.hpp"
#include "sync/wait_graph.hpp"
#include "sync/wait_point.hpp"

// Everything a worker program needs.
#pragma once

#include <muster/array.hpp>
#include <muster/barrier.hpp>
#include <muster/condition.hpp>
#include <muster/counter.hpp>
#include <muster/dict.hpp>
#include <muster/error.hpp>
#include <muster/event.hpp>
#include <muster/executor.hpp>
#include <muster/list.hpp>
#include <muster/lock.hpp>
#include <muster/manager.hpp>
#include <muster/namespace.hpp>
#include <muster/pipe.hpp>
#include <muster/pool.hpp>
#include <muster/process.hpp>
#include <muster/queue.hpp>
#include <muster/semaphore.hpp>
#include <muster/set.hpp>
#include <muster/shared_value.hpp>
#include <muster/spawn.hpp>
#include <muster/transaction.hpp>
#include <muster/value.hpp>
#include <muster/wait_any.hpp>
#include <muster/watch.hpp>

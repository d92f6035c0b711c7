// The layer `tx`: crash-safe mutation. See domain.hpp for the invariants.
#pragma once

#include "tx/cell.hpp"
#include "tx/domain.hpp"
#include "tx/joint.hpp"
#include "tx/patience.hpp"
#include "tx/quiet.hpp"
#include "tx/transaction.hpp"

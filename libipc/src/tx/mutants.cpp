#include "tx/order.hpp"

#ifdef MUSTER_MUTANTS
namespace muster::tx {
Mutant active_mutant = Mutant::none;
}
#endif

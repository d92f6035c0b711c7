#include "keeper/keeper.hpp"

#include "keeper/loop.hpp"

namespace muster::keeper {

Keeper::Keeper(Options options, base::UniqueFd listening)
    : loop_(std::make_unique<Loop>(std::move(options), std::move(listening))) {}
Keeper::~Keeper() = default;
int Keeper::run() noexcept { return loop_->run(); }

}  // namespace muster::keeper

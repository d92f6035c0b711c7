// Permits, rounds, credits: whose they are, that none is lost, and that nobody waits in vain.
#include "soak/controller.hpp"

namespace muster::soak {

// Lets those go on who wait for others of their kind. Only so far: who was to be woken by what is there already is not
// helped, and is noticed by watch().
void Controller::stand_in_for_sync() {
    const bool quiet = block_->pause.load();
    if (quiet || random_.below(8) == 0) world_->flag.set();
    if (quiet || random_.below(32) == 0) world_->gate.reset();
    if ((!quiet && random_.below(8) != 0) || !world_->news.try_lock()) return;
    tell_for_the_dead(*world_);
    const auto waiting = static_cast<std::int64_t>(world_->news.n_waiting());
    if (waiting != 0 && world_->credits.get() <= 0) {
        Page& page = block_->pages[controller];
        page.made.meant += static_cast<std::uint64_t>(waiting);
        world_->credits.set(world_->credits.get() + waiting);
        page.made.done += static_cast<std::uint64_t>(waiting);
        world_->news.notify(waiting);
    }
    world_->news.unlock();
}

void Controller::check_sync() {
    const auto sum = [&](Tally Page::*member) {
        Bounds bounds;
        for (const Page& page : block_->pages) {
            bounds.least += (page.*member).done;
            bounds.most += (page.*member).meant;
        }
        return bounds;
    };
    law_in_time("permits free + held by the living = permits there were", [&]() -> std::string {
        std::int64_t held = 0;
        for (const Page& page : block_->pages) held += page.permits.load();
        const std::int64_t free = world_->permits.get_value(), slots = world_->slots.get_value();
        if (free + held == permit_count && slots == slot_count) return {};
        return std::to_string(free) + " permits are free, " + std::to_string(held) + " held, " +
               std::to_string(slots) + " slots are free";
    });
    const Bounds passes = sum(&Page::passes), rounds = sum(&Page::rounds);
    law("a barrier lets on whole rounds",
        passes.least <= gate_parties * rounds.most && gate_parties * rounds.least <= passes.most
            ? std::string()
            : std::to_string(passes.least) + " to " + std::to_string(passes.most) + " passed in " +
                  std::to_string(rounds.least) + " to " + std::to_string(rounds.most) + " rounds");
    const Bounds made = sum(&Page::made), used = sum(&Page::used);
    const std::int64_t grown = world_->credits.get() - bases_.credits;
    const auto signed_of = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
    law("credits = made - used",
        grown >= signed_of(made.least) - signed_of(used.most) && grown <= signed_of(made.most) - signed_of(used.least) &&
                world_->credits.get() >= 0
            ? std::string()
            : std::to_string(world_->credits.get()) + ", grown by " + std::to_string(grown) + "; made " +
                  std::to_string(made.least) + " to " + std::to_string(made.most) + ", used " +
                  std::to_string(used.least) + " to " + std::to_string(used.most));
    law_in_time("nobody is in line who does not wait any more", [&]() -> std::string {
        const std::size_t news = world_->news.n_waiting(), gate = world_->gate.n_waiting();
        return news == 0 && gate == 0 ? "" : std::to_string(news) + " for news, " + std::to_string(gate) + " at the gate";
    });
}

}  // namespace muster::soak

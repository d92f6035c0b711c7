// Many worlds side by side, one of each kill's own: nobody is helped on by what happens to a neighbour, and all of a
// batch's sleepers wait for the ends of their slices at once.
#pragma once

#include <memory>
#include <vector>

#include "wakes/world.hpp"

namespace muster::test {

inline const std::string the_object = "object";  // as every lane's is named

class Lanes {
  public:
    // More wait at the same time; but a process that maps more segments takes longer to fork, which each kill does.
    static constexpr std::size_t count = 64;

    explicit Lanes(const Scene& scene);

    World& operator[](std::size_t lane) { return *worlds_[lane]; }
    Sleepers& sleepers() noexcept { return *sleepers_; }

    // In batches of as many as there are lanes; afterwards the lanes are as before.
    void for_each_batch(std::size_t total, const std::function<void(std::size_t first, std::size_t count)>& batch);
    // The sleeper that was started sleeps on one of the image's words (if it names some, or else on any of its lane's
    // segment). False, if it may be: it is done. REQUIREs one of them.
    bool await_sleep(const Image& image, std::size_t lane, bool may_be_done);
    // Erases what is there, as a service cleans up after the dead.
    void clean(std::size_t lane);
    // REQUIREs of every lane: no violation, no object, no memory more than in the beginning.
    void check();

  private:
    std::vector<std::unique_ptr<World>> worlds_;
    std::vector<std::uint64_t> used_;
    std::unique_ptr<Sleepers> sleepers_;
};

}  // namespace muster::test

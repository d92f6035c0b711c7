#include "wakes/world.hpp"

#include <stdexcept>

namespace muster::test {

heap::ObjectRef World::ref(const std::string& name) const {
    const auto found = realm.session().directory().find_any(name);
    if (!found) throw std::runtime_error("there is no '" + name + "'");
    return found->ref;
}

bool World::has(const void* word) const {
    const auto* at = static_cast<const std::byte*>(word);
    return at >= segment().base() && at < segment().base() + segment().capacity();
}

bool at_rest(const heap::ObjectRep& object) {
    return __atomic_load_n(&object.domain.log_count, __ATOMIC_ACQUIRE) == 0 && object.domain.mutex.owner() == 0 &&
           !object.domain.mutex.owner_died();
}

void expect(Errc code, const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        if (error.errc() == code) return;
        throw;
    }
    throw std::runtime_error("it went on as if nothing had happened");
}

void erase_image(World& world, const std::string& name, Image& image) {
    image.operation = [&world, name] { world.manager.erase(name); };
    image.may_sleep = [&object = world.object(name)] {
        return heap::Ident::unpack(object.ident).life == heap::Life::live && (object.flags & heap::flag_doomed) == 0;
    };
    image.let_on = [&world, name] { world.manager.erase(name); };
}

std::vector<std::size_t> choose(const Path& path, std::size_t most, std::size_t last) {
    static constexpr std::uint32_t common = 4, thinned = 61;  // 61 is no multiple of a short loop's length
    std::vector<std::size_t> rare, chosen;
    for (std::size_t i = 0; i < path.size(); ++i)
        if (path.earlier(i) < common || i % thinned == 0 || i + last >= path.size()) rare.push_back(i);
    const std::size_t stride = rare.size() <= most ? 1 : (rare.size() + most - 1) / most;
    for (std::size_t n = 0; n < rare.size(); ++n)
        if (n % stride == 0 || rare[n] + last >= path.size()) chosen.push_back(rare[n]);
    return chosen;
}

}  // namespace muster::test

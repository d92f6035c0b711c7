#include <muster/namespace.hpp>

#include <muster/value.hpp>

namespace muster {

std::vector<std::string> Namespace::attributes() const {
    detail::Strings all;
    read_all(What::keys, all);
    std::vector<std::string> names;
    names.reserve(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) names.push_back(decode<std::string>(all[i]));
    return names;
}

std::vector<std::pair<std::string, Value>> Namespace::snapshot() const {
    detail::Strings all;
    read_all(What::items, all);
    std::vector<std::pair<std::string, Value>> out;
    out.reserve(all.size() / 2);
    for (std::size_t i = 0; i + 1 < all.size(); i += 2)
        out.emplace_back(decode<std::string>(all[i]), decode<Value>(all[i + 1]));
    return out;
}

}  // namespace muster

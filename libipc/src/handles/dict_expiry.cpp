// The time to live of a dict's keys.
#include <muster/dict.hpp>

#include "handles/nesting.hpp"
#include "handles/table.hpp"

namespace muster::detail {

using containers::Table;

bool DictBase::store_for(const Key& key, Bytes value, std::chrono::nanoseconds ttl, If condition) {
    check_size(*state_, "set", "a key", key.canonical.size(), max_key);
    check_size(*state_, "set", "a value", value.size(), max_value);
    const Entering entering(*state_, "set", value);
    const Table::If when = condition == If::absent ? Table::If::absent : Table::If::always;
    return guarded(*state_, "set", [&] {
        return table_of(*state_)
            .store(key.canonical, key.original, value, when, {}, {}, containers::expires_after(ttl))
            .done;
    });
}

bool DictBase::expire(const Key& key, std::chrono::nanoseconds ttl) {
    return guarded(*state_, "expire", [&] {
        if (ttl <= ttl.zero()) return table_of(*state_).remove(key.canonical);
        return table_of(*state_).expire(key.canonical, containers::expires_after(ttl));
    });
}

bool DictBase::persist(const Key& key) {
    return guarded(*state_, "persist", [&] { return table_of(*state_).persist(key.canonical); });
}

std::optional<std::chrono::nanoseconds> DictBase::ttl(const Key& key) const {
    return guarded(*state_, "ttl", [&]() -> std::optional<std::chrono::nanoseconds> {
        const auto expiry = table_of(*state_).expiry(key.canonical);
        if (!expiry || *expiry == containers::never) return {};
        const std::uint64_t now = containers::expiry_clock();  // a little later than the look was
        return std::chrono::nanoseconds(*expiry > now ? *expiry - now : 0);
    });
}

}  // namespace muster::detail

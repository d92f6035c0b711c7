#include <muster/dict.hpp>

#include "handles/departing.hpp"
#include "handles/table.hpp"

namespace muster::detail {
namespace {

// A key as people read it, shortened.
std::string key_text(Bytes key) {
    if (key.empty()) return {};
    std::string text;
    try {
        text = to_json_text(decode_key<Value>(key));
    } catch (const Error&) {
        text = std::to_string(key.size()) + " bytes";
    }
    return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

}  // namespace

std::size_t DictBase::size() const {
    return guarded(*state_, "size", [&] { return static_cast<std::size_t>(table_of(*state_).size()); });
}

std::uint64_t DictBase::changes() const {
    return guarded(*state_, "iterate", [&] { return table_of(*state_).changes(); });
}

void DictBase::clear() {
    guarded(*state_, "clear", [&] { table_of(*state_).clear(); });
}

bool DictBase::get(const Key& key, Buffer& value) const {
    return guarded(*state_, "get", [&] {
        return reading(*state_, value, [&] { return table_of(*state_).get(key.canonical, value); });
    });
}

bool DictBase::contains(const Key& key) const {
    return guarded(*state_, "contains", [&] { return table_of(*state_).contains(key.canonical); });
}

bool DictBase::store(const Key& key, Bytes value, If condition, Bytes expected, Buffer* present) {
    check_size(*state_, "set", "a key", key.canonical.size(), max_key);
    check_size(*state_, "set", "a value", value.size(), max_value);
    using Condition = containers::Table::If;
    const Condition when = condition == If::always   ? Condition::always
                           : condition == If::absent ? Condition::absent
                                                     : Condition::equal;
    const Entering entering(*state_, "set", value);
    return guarded(*state_, "set", [&] {
        if (condition == If::always) {
            table_of(*state_).set(key.canonical, key.original, value);
            return true;
        }
        if (present == nullptr)
            return table_of(*state_).store(key.canonical, key.original, value, when, expected).done;
        return reading(*state_, *present, [&] {
            return table_of(*state_)
                .store(key.canonical, key.original, value, when, expected, [&](Bytes there) { copy(there, *present); })
                .done;
        });
    });
}

void DictBase::store_many(const Strings& canonical, const Strings& original, const Strings& values) {
    for (std::size_t i = 0; i < canonical.size(); ++i) {
        check_size(*state_, "update", "a key", canonical[i].size(), max_key);
        check_size(*state_, "update", "a value", values[i].size(), max_value);
    }
    const Entering entering(*state_, "update", values);
    guarded(*state_, "update", [&] {
        containers::Table table = table_of(*state_);
        for (std::size_t i = 0; i < canonical.size(); ++i) table.set(canonical[i], original[i], values[i]);
    });
}

bool DictBase::remove(const Key& key, const char* operation) {
    return guarded(*state_, operation, [&] { return table_of(*state_).remove(key.canonical); });
}

bool DictBase::take(const Key& key, const Taker& taker) {
    return guarded(*state_, "pop", [&] {
        Departing entry(*state_, taker);
        for (;; entry.decode()) {
            const bool gone = table_of(*state_).remove(key.canonical, [&entry](Bytes value) { return entry.goes(value, {}); });
            if (gone || !entry.kept()) return gone;
        }
    });
}

bool DictBase::take_last(const Taker& taker) {
    return guarded(*state_, state_->kind == heap::Kind::set ? "pop" : "popitem", [&] {
        Departing entry(*state_, taker);
        for (;; entry.decode()) {
            const bool gone =
                table_of(*state_).remove_last([&entry](Bytes key, Bytes value) { return entry.goes(key, value); });
            if (gone || !entry.kept()) return gone;
        }
    });
}

void DictBase::read_all(What what, Strings& out) const {
    guarded(*state_, "read", [&] {
        reading(*state_, out, [&] {
            table_of(*state_).for_each([&](std::uint64_t) { out.clear(); },
                                       [&](Bytes key, Bytes value) {
                                           if (what != What::values) out.add(key);
                                           if (what != What::keys) out.add(value);
                                       });
        });
    });
}

void throw_absent_key(const ObjectState& state, const char* operation, Bytes key) {
    throw Error(state.kind == heap::Kind::name_space ? Errc::no_attribute : Errc::key_error, operation, state.subject(),
                key.empty() ? "the " + std::string(kind_text(state.kind)) + " is empty" : key_text(key));
}

void throw_count_overflow(const ObjectState& state, const char* operation) {
    throw Error(Errc::value_error, operation, state.subject(), "the count would not fit 64 bits");
}

void DictBase::throw_absent(const char* operation, Bytes key) const { throw_absent_key(*state_, operation, key); }

void DictBase::throw_overflow(const char* operation) const { throw_count_overflow(*state_, operation); }

void DictBase::throw_beyond(const char* operation, Bytes key, std::size_t bits) const {
    throw Error(Errc::value_error, operation, state_->subject(),
                "the sum at " + key_text(key) + " would not fit its " + std::to_string(bits) + " bits");
}

void DictBase::throw_size_changed() const {
    throw Error(Errc::size_changed, "iterate", state_->subject(), "a key came or went; snapshot() is safe from that");
}

}  // namespace muster::detail

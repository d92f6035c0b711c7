// Counter<K>: shared counts of keys, as collections.Counter behind a Manager, but exact: increment() is atomic. An absent
// key counts zero. Counts are 64-bit and may be negative.
//
// Every call is atomic; readers lock nothing. Throws Error: value_error (a count would overflow; nothing changed),
// destroyed, out_of_memory (nothing changed), limit_exceeded (a key over 64 KiB), unhashable, type_mismatch.
#pragma once

#include <algorithm>
#include <cstdint>

#include <muster/dict.hpp>

namespace muster {

template <Storable K = Value>
class Counter : public detail::DictBase {
  public:
    using key_type = K;
    using Count = std::int64_t;
    using value_type = std::pair<K, Count>;
    using DictBase::DictBase;

    Count get(const K& key) const {
        const detail::EncodedKey<K> k(key);
        detail::Buffer value;
        return DictBase::get({k.canonical(), k.original()}, value) ? decode<Count>(value.bytes()) : 0;
    }
    bool contains(const K& key) const {
        const detail::EncodedKey<K> k(key);
        return DictBase::contains({k.canonical(), k.original()});
    }
    // In the order in which the keys were first counted, as of one moment.
    std::vector<value_type> snapshot() const {
        detail::Strings all;
        read_all(What::items, all);
        std::vector<value_type> out;
        out.reserve(all.size() / 2);
        for (std::size_t i = 0; i + 1 < all.size(); i += 2) out.emplace_back(decode<K>(all[i]), decode<Count>(all[i + 1]));
        return out;
    }
    // The `n` largest counts, largest first; equal ones in the order of insertion.
    std::vector<value_type> most_common(std::size_t n = static_cast<std::size_t>(-1)) const {
        auto all = snapshot();
        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
        if (all.size() > n) all.erase(all.begin() + static_cast<std::ptrdiff_t>(n), all.end());
        return all;
    }
    // The sum of all counts, as of one moment. Throws value_error when it overflows.
    Count total() const {
        Count sum = 0;
        for (const auto& [key, count] : snapshot()) sum = add(sum, count, "total");
        return sum;
    }

    // Returns the new count.
    Count increment(const K& key, Count by = 1) {
        const detail::EncodedKey<K> k(key);
        const Key bytes{k.canonical(), k.original()};
        detail::Buffer seen[2];
        bool there = DictBase::get(bytes, seen[0]);
        for (int turn = 0;; turn ^= 1) {
            const detail::Bytes before = seen[turn].bytes();
            const Count next = add(there ? decode<Count>(before) : 0, by, "increment");
            Writer v;
            encode(v, next);
            detail::Buffer& now = seen[turn ^ 1];
            now.resize(0);
            if (store(bytes, v.bytes(), there ? If::equal : If::absent, before, &now)) return next;
            there = now.size() != 0;  // no count is empty: nothing stands there
        }
    }
    // Counts each once, one after the other.
    template <std::ranges::input_range Keys>
    void update(Keys&& keys) {
        for (const auto& key : keys) increment(static_cast<const K&>(key));
    }
    void set(const K& key, Count count) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, count);
        store({k.canonical(), k.original()}, v.bytes());
    }
    // Was it there?
    bool erase(const K& key) {
        const detail::EncodedKey<K> k(key);
        return remove({k.canonical(), k.original()}, "erase");
    }

  private:
    Count add(Count a, Count b, const char* operation) const {
        Count sum = 0;
        if (__builtin_add_overflow(a, b, &sum)) throw_overflow(operation);
        return sum;
    }
};

}  // namespace muster

// Set<T>: a shared set in the order of insertion, crash-safe and read without locks as Dict is. Elements compare as
// Python's (1, 1.0 and true are one).
//
// Every call is atomic unless it says otherwise. Throws Error as Dict does: destroyed, out_of_memory (nothing changed),
// limit_exceeded (an element over 64 KiB), unhashable, type_mismatch.
#pragma once

#include <muster/dict.hpp>

namespace muster {

template <Storable T = Value>
class Set : public detail::DictBase {
  public:
    using value_type = T;
    using DictBase::DictBase;

    bool contains(const T& element) const {
        const detail::EncodedKey<T> k(element);
        return DictBase::contains({k.canonical(), k.original()});
    }
    // In the order of insertion, as of one moment.
    std::vector<T> snapshot() const {
        detail::Strings all;
        read_all(What::keys, all);
        std::vector<T> out;
        out.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) out.push_back(decode<T>(all[i]));
        return out;
    }

    // Was it new? One that was there stays as it is.
    bool add(const T& element) {
        const detail::EncodedKey<T> k(element);
        return store({k.canonical(), k.original()}, {}, If::absent);
    }
    // All of them, one after the other; atomic one by one.
    template <std::ranges::input_range Elements>
    void update(Elements&& elements) {
        for (const auto& element : elements) add(static_cast<const T&>(element));
    }
    void update(std::initializer_list<T> elements) { update(std::vector<T>(elements)); }
    // Was it there?
    bool discard(const T& element) {
        const detail::EncodedKey<T> k(element);
        return DictBase::remove({k.canonical(), k.original()}, "discard");
    }
    // Throws key_error.
    void remove(const T& element) {
        const detail::EncodedKey<T> k(element);
        if (!DictBase::remove({k.canonical(), k.original()}, "remove")) throw_absent("remove", k.canonical());
    }
    // Takes one out, the last that was added; what cannot be decoded stays. Throws key_error when the set is empty.
    T pop() {
        return detail::take_value<T>([&](const detail::Taker& taker) {
            if (!take_last(taker)) throw_absent("pop", {});
            return true;
        });
    }
};

}  // namespace muster

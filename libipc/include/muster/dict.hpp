// Dict<K, V>: a shared dictionary in insertion order, as Python's dict behind a Manager, at the speed of memory.
//
// Every call is atomic: it happened wholly or not at all, whoever is killed when. Readers lock nothing. Keys compare as
// Python's (1, 1.0 and true are one key). Calls block only for another call on the same dict, for ever only if its
// process is stopped inside one.
//
// Throws Error: destroyed (the dict was erased), out_of_memory (nothing changed), limit_exceeded (a key over 64 KiB, a
// value over 1 GiB), unhashable (a key that holds an object), type_mismatch (a stored value is no V; pop and popitem, too,
// then leave it where it is, as when there is no memory to decode it), and what the functions say: key_error, value_error,
// size_changed.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/codec.hpp>
#include <muster/detail/key.hpp>
#include <muster/detail/object.hpp>
#include <muster/detail/take.hpp>
#include <muster/detail/timeout.hpp>
#include <muster/value.hpp>
#include <muster/watch.hpp>

namespace muster {

namespace detail {

// The bytes under Dict. Keys come canonical, with the bytes they had before when these differ.
class DictBase : public Handle {
  public:
    using Handle::Handle;
    static constexpr std::size_t max_key = 64 * 1024;
    static constexpr std::size_t max_value = std::size_t{1} << 30;

    std::size_t size() const;
    [[nodiscard]] bool empty() const { return size() == 0; }
    void clear();
    using Handle::version;  // watch.hpp
    using Handle::wait_for_change;

  protected:
    struct Key {
        Bytes canonical, original;  // original: empty when the same
    };
    enum class If { always, absent, equal };  // equal: the present value is `expected`

    bool get(const Key& key, Buffer& value) const;
    bool contains(const Key& key) const;
    // Was it stored? `present` gets the value that stands there when it was not.
    bool store(const Key& key, Bytes value, If condition = If::always, Bytes expected = {}, Buffer* present = nullptr);
    void store_many(const Strings& canonical, const Strings& original, const Strings& values);
    bool remove(const Key& key, const char* operation);
    bool take(const Key& key, const Taker& taker);
    // The entry inserted last: its key and its value. False: there is none.
    bool take_last(const Taker& taker);
    // With a time to live; zero and less: it has expired at once.
    bool store_for(const Key& key, Bytes value, std::chrono::nanoseconds ttl, If condition);
    bool expire(const Key& key, std::chrono::nanoseconds ttl);
    bool persist(const Key& key);
    std::optional<std::chrono::nanoseconds> ttl(const Key& key) const;
    void look_at(const Key& key, SeenValue& seen) const;
    bool await_other(const Key& key, SeenValue& seen, Timeout timeout) const;
    enum class What { keys, values, items };
    void read_all(What what, Strings& out) const;  // items: key, value, key, value ...
    std::uint64_t changes() const;  // other than before when a key has come or gone
    // No such key; empty: there is nothing at all.
    [[noreturn]] void throw_absent(const char* operation, Bytes key) const;
    [[noreturn]] void throw_overflow(const char* operation) const;
    [[noreturn]] void throw_beyond(const char* operation, Bytes key, std::size_t bits) const;
    [[noreturn]] void throw_size_changed() const;
};

// A key, encoded and made canonical; without any copy for types that always are.
template <typename K>
class EncodedKey {
  public:
    explicit EncodedKey(const K& key) {
        encode(writer_, key);
        if constexpr (!is_canonical_by_type<K>) canonical_.emplace(writer_.bytes());
    }
    Bytes canonical() const noexcept {
        if constexpr (is_canonical_by_type<K>)
            return writer_.bytes();
        else
            return canonical_->bytes();
    }
    // Empty when it is the canonical form.
    Bytes original() const noexcept {
        if constexpr (is_canonical_by_type<K>)
            return {};
        else
            return canonical_->bytes().data() == writer_.bytes().data() ? Bytes{} : writer_.bytes();
    }

  private:
    Writer writer_;
    struct None {};
    [[no_unique_address]] std::conditional_t<is_canonical_by_type<K>, std::optional<None>, std::optional<CanonicalKey>>
        canonical_;
};

}  // namespace detail

template <Storable K = Value, Storable V = Value>
class Dict : public detail::DictBase {
  public:
    using key_type = K;
    using mapped_type = V;
    using value_type = std::pair<K, V>;
    using DictBase::DictBase;

    // --- reading ---
    std::optional<V> get(const K& key) const {
        const detail::EncodedKey<K> k(key);
        detail::Buffer value;
        if (!DictBase::get(as_key(k), value)) return {};
        return decode<V>(value.bytes());
    }
    V get(const K& key, V otherwise) const {
        auto found = get(key);
        return found ? std::move(*found) : std::move(otherwise);
    }
    // Throws key_error.
    V at(const K& key) const {
        auto found = get(key);
        if (!found) throw_absent("at", detail::EncodedKey<K>(key).canonical());
        return std::move(*found);
    }
    bool contains(const K& key) const { return DictBase::contains(as_key(detail::EncodedKey<K>(key))); }
    // In insertion order, as of one moment.
    std::vector<K> keys() const { return read<K>(What::keys); }
    std::vector<V> values() const { return read<V>(What::values); }
    std::vector<value_type> items() const {
        detail::Strings all;
        read_all(What::items, all);
        std::vector<value_type> out;
        out.reserve(all.size() / 2);
        for (std::size_t i = 0; i + 1 < all.size(); i += 2) out.emplace_back(decode<K>(all[i]), decode<V>(all[i + 1]));
        return out;
    }
    std::vector<value_type> snapshot() const { return items(); }
    // Plain data, as Python's dict.copy() behind a Manager.
    std::vector<value_type> copy() const { return items(); }
    // The keys, the last inserted first, as Python's reversed(dict).
    std::vector<K> reversed() const {
        std::vector<K> all = keys();
        std::reverse(all.begin(), all.end());
        return all;
    }
    // for (const auto& [key, value] : dict.items_live()) ...: as Python iterates a dict. The keys are those of begin(), each
    // value is what stands there when the iteration comes to it. If any key has come or gone since begin() (the removal of
    // an expired key counts, a new value of a present key does not), the next step throws size_changed, the last one, too.
    // Who is not to be disturbed by others takes snapshot(). One pass; the range must outlive its iterator.
    class Live;
    Live items_live() const { return Live(*this); }

    // --- changing ---
    void set(const K& key, const V& value) { insert_or_assign(key, value); }
    // The key keeps its place if it is there.
    void insert_or_assign(const K& key, const V& value) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, value);
        store(as_key(k), v.bytes());
    }
    // False and nothing done if the key is there.
    bool insert(const K& key, const V& value) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, value);
        return store(as_key(k), v.bytes(), If::absent);
    }
    // The value that stands there afterwards.
    V setdefault(const K& key, const V& value) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, value);
        detail::Buffer present;
        if (store(as_key(k), v.bytes(), If::absent, {}, &present)) return value;
        return decode<V>(present.bytes());
    }
    // All pairs, one after the other; atomic pair by pair.
    template <std::ranges::input_range Pairs>
    void update(Pairs&& pairs) {
        detail::Strings canonical, original, values;
        for (const auto& [key, value] : pairs) {
            const detail::EncodedKey<K> k(key);
            Writer v;
            encode(v, static_cast<const V&>(value));
            canonical.add(k.canonical());
            original.add(k.original());
            values.add(v.bytes());
        }
        store_many(canonical, original, values);
    }
    void update(std::initializer_list<value_type> pairs) { update(std::vector<value_type>(pairs)); }
    // Atomically value = change(value): `change` gets std::optional<V> (none: the key is absent), runs without any
    // lock, and again if somebody else was faster, so it must have no other effect. Returns the new value.
    template <typename Change>
        requires std::invocable<Change&, std::optional<V>>
    V update(const K& key, Change&& change) {
        const detail::EncodedKey<K> k(key);
        detail::Buffer seen[2];
        bool there = DictBase::get(as_key(k), seen[0]);
        for (int turn = 0;; turn ^= 1) {
            const detail::Encoded before = seen[turn].bytes();
            V next = change(there ? std::optional<V>(decode<V>(before)) : std::nullopt);
            Writer v;
            encode(v, next);
            detail::Buffer& now = seen[turn ^ 1];
            now.resize(0);
            if (store(as_key(k), v.bytes(), there ? If::equal : If::absent, before, &now)) return next;
            there = now.size() != 0;  // no value is empty: nothing stands there
        }
    }
    // Stores `value` only if `expected` stands there (none: only if the key is absent).
    bool compare_and_set(const K& key, const std::optional<V>& expected, const V& value) {
        const detail::EncodedKey<K> k(key);
        Writer v, e;
        encode(v, value);
        if (!expected) return store(as_key(k), v.bytes(), If::absent);
        encode(e, *expected);
        return store(as_key(k), v.bytes(), If::equal, e.bytes());
    }
    // Atomically value += by; an absent key counts as 0. Returns the new value. A sum that V cannot hold: value_error, and
    // nothing has changed.
    V increment(const K& key, V by = 1)
        requires(std::integral<V> && !std::same_as<V, bool>)
    {
        return update(key, [&](std::optional<V> value) {
            V sum = 0;
            if (__builtin_add_overflow(value.value_or(0), by, &sum))
                throw_beyond("increment", detail::EncodedKey<K>(key).canonical(), 8 * sizeof(V));
            return sum;
        });
    }
    bool erase(const K& key) { return DictBase::remove(as_key(detail::EncodedKey<K>(key)), "erase"); }
    // As Python's del dict[key]: throws key_error when the key is absent.
    void remove(const K& key) {
        const detail::EncodedKey<K> k(key);
        if (!DictBase::remove(as_key(k), "remove")) throw_absent("remove", k.canonical());
    }
    // None when the key is absent, where Python's pop(key) raises KeyError.
    std::optional<V> pop(const K& key) {
        const detail::EncodedKey<K> k(key);
        return detail::take_one<V>([&](const detail::Taker& taker) { return take(as_key(k), taker); });
    }
    V pop(const K& key, V otherwise) {
        auto found = pop(key);
        return found ? std::move(*found) : std::move(otherwise);
    }
    // The pair inserted last. Throws key_error when the dict is empty.
    value_type popitem() {
        const auto take_it = [&](const detail::Taker& taker) {
            if (!take_last(taker)) throw_absent("popitem", {});
            return true;
        };
        constexpr bool of_library = detail::DecodedByLibrary<K> && detail::DecodedByLibrary<V>;
        return detail::take_value<value_type, of_library>(take_it, [](const detail::Encoded& key, const detail::Encoded& value) {
            return value_type(decode<K>(key), decode<V>(value));
        });
    }

    // --- watching, see watch.hpp ---
    KeyWatch<Dict> watch(const K& key) const { return {*this, key}; }

    // --- time to live ---
    // A key may expire: from then on it is there for nobody, as if it had been erased at that instant. The time is the
    // machine's since its start (CLOCK_BOOTTIME), the same for all processes; it goes on while the machine sleeps. A
    // process in a time namespace that shifts this clock sees keys expire earlier or later by as much.
    // insert_or_assign without a time lets the key stay, as Redis' SET does; update, increment and compare_and_set, which
    // change what is there, leave it its time.
    // What has expired occupies memory until somebody touches the key, the dict would grow, or the daemon sweeps, once a
    // second; its removal then counts as a change of the dict's size.
    template <typename Rep, typename Period>
    void insert_or_assign(const K& key, const V& value, std::chrono::duration<Rep, Period> ttl) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, value);
        (void)store_for(as_key(k), v.bytes(), detail::saturated(ttl), If::always);
    }
    template <typename Rep, typename Period>
    void set(const K& key, const V& value, std::chrono::duration<Rep, Period> ttl) {
        insert_or_assign(key, value, ttl);
    }
    // False and nothing done if the key is there.
    template <typename Rep, typename Period>
    bool insert(const K& key, const V& value, std::chrono::duration<Rep, Period> ttl) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, value);
        return store_for(as_key(k), v.bytes(), detail::saturated(ttl), If::absent);
    }
    // From now on the key has so long to live; zero and less: it is erased. False: it is not there.
    template <typename Rep, typename Period>
    bool expire(const K& key, std::chrono::duration<Rep, Period> ttl) {
        return DictBase::expire(as_key(detail::EncodedKey<K>(key)), detail::saturated(ttl));
    }
    // It stays. False: it is not there, or it would have stayed.
    bool persist(const K& key) { return DictBase::persist(as_key(detail::EncodedKey<K>(key))); }
    // How long it has left. None: it is not there, or it stays.
    std::optional<std::chrono::nanoseconds> ttl(const K& key) const {
        return DictBase::ttl(as_key(detail::EncodedKey<K>(key)));
    }

  private:
    friend class KeyWatch<Dict>;
    void look_at(const K& key, detail::SeenValue& seen) const {
        DictBase::look_at(as_key(detail::EncodedKey<K>(key)), seen);
    }
    bool await_other(const K& key, detail::SeenValue& seen, detail::Timeout timeout) const {
        return DictBase::await_other(as_key(detail::EncodedKey<K>(key)), seen, timeout);
    }
    static Key as_key(const detail::EncodedKey<K>& key) noexcept { return {key.canonical(), key.original()}; }
    template <typename T>
    std::vector<T> read(What what) const {
        detail::Strings all;
        read_all(what, all);
        std::vector<T> out;
        out.reserve(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) out.push_back(decode<T>(all[i]));
        return out;
    }
};

template <Storable K, Storable V>
class Dict<K, V>::Live {
  public:
    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = std::pair<K, V>;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = const value_type&;

        explicit Iterator(Live* of) : of_(of) { ++*this; }
        const value_type& operator*() const { return *of_->item_; }
        const value_type* operator->() const { return &*of_->item_; }
        Iterator& operator++() {
            if (!of_->step()) of_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return of_ == nullptr; }

      private:
        Live* of_;
    };
    explicit Live(Dict dict) : dict_(std::move(dict)) {}
    // Starts anew.
    Iterator begin() {
        next_ = 0;
        changes_ = dict_.changes();  // before the keys: what comes in between is noticed by the first step
        dict_.read_all(What::keys, keys_);
        return Iterator(this);
    }
    std::default_sentinel_t end() const noexcept { return {}; }

  private:
    bool step() {
        item_.reset();
        if (next_ == keys_.size()) {
            if (dict_.changes() != changes_) dict_.throw_size_changed();
            return false;
        }
        const detail::Bytes stored = keys_[next_];
        const CanonicalKey key(stored);
        detail::Buffer value;
        // The count after the value: what it says holds for the value as well.
        const bool there = dict_.DictBase::get({key.bytes(), {}}, value);
        if (!there || dict_.changes() != changes_) dict_.throw_size_changed();
        item_.emplace(decode<K>(stored), decode<V>(value.bytes()));
        ++next_;
        return true;
    }

    Dict dict_;
    std::uint64_t changes_ = 0;
    detail::Strings keys_;
    std::size_t next_ = 0;
    std::optional<value_type> item_;
};

}  // namespace muster

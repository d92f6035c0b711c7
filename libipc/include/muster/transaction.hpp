// Transaction: several changes of several objects of one realm, all of them or none.
//
//     manager.transact([&](muster::Transaction& t) {
//         auto from = t(checking), to = t(savings);            // Dict<std::string, int>
//         const int sum = from.at("ann");
//         from.set("ann", sum - 10);
//         to.set("ann", to.get("ann", 0) + 10);
//         t(journal).push_back("ann saved 10");                // List<std::string>
//         t(letters).put("ann");                               // Queue<std::string>, in whatever order
//     });
//
// The function sees the objects as of one moment, with its own changes; what it changes is kept back until it returns, and
// then happens at once: wholly or not at all, whoever is killed when. No lock is held while it runs. If somebody has changed
// by then what it has read, it runs again, from the beginning, as often as that takes: so it must have no other effect, and
// must not keep what it was given (`t`, and what t(...) gives). Of those that get in each other's way one always gets on;
// a pause after a few attempts lets others do, too. Changes of other keys or elements than were read are in nobody's way.
//
// An exception of the function ends the transaction: nothing has changed, and it is passed on. (One of our own goes through the
// function when it has to run again; catching it, with catch (...), does no harm.) Calls on the handles themselves inside the
// function are no part of the transaction and happen at once.
//
// Handles that are read (a List<int> that is a dict's value) name live objects, which can take part themselves:
// t(t(table).at("primes")).push_back(2). What a transaction has read or is going to write is kept alive until it has ended,
// whatever becomes meanwhile of the object it was read from; a handle to an object that was erased reads as destroyed.
//
// Throws Error, with nothing changed anywhere: destroyed; closed, full and empty of a queue; value_error (what does not
// compare with a priority queue's items); index_error; key_error; out_of_memory; type_mismatch; invalid_argument (an object
// of another realm);
// limit_exceeded: over 16 objects, or more changes of one object than its log holds (about 60 keys of a dict, 40 elements set
// in a list, 80 items taken from a queue, 40 put into a priority queue, 200 numbers of an array; elements at the end of a list
// and items put into other queues do not count). Split it then.
// A SharedValue cannot take part: all that changes it is one store, so it has no log from which it could be undone. An Array
// of one number can.
// It does not wait for items or room. It waits for calls on the same objects, as these do for each other; while it waits for
// one object it keeps no other for longer than a moment.
// Thread safety: a Transaction belongs to the function it was made for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <muster/array.hpp>
#include <muster/codec.hpp>
#include <muster/counter.hpp>
#include <muster/detail/transaction.hpp>
#include <muster/dict.hpp>
#include <muster/list.hpp>
#include <muster/namespace.hpp>
#include <muster/queue.hpp>
#include <muster/set.hpp>

namespace muster {

// A dict within a transaction. As Dict's functions of these names; what is stored stays, also where what was there would have
// expired.
template <Storable K, Storable V>
class TransactionDict : public detail::TablePart {
  public:
    using TablePart::TablePart;

    std::optional<V> get(const K& key) {
        const detail::EncodedKey<K> k(key);
        detail::Buffer value;
        if (!read(k.canonical(), value)) return {};
        return decode<V>(value.bytes());
    }
    V get(const K& key, V otherwise) {
        auto found = get(key);
        return found ? std::move(*found) : std::move(otherwise);
    }
    // Throws key_error.
    V at(const K& key) {
        auto found = get(key);
        if (!found) throw_absent("at", detail::EncodedKey<K>(key).canonical());
        return std::move(*found);
    }
    bool contains(const K& key) { return has(detail::EncodedKey<K>(key).canonical()); }

    void set(const K& key, const V& value) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, value);
        write(k.canonical(), k.original(), v.bytes());
    }
    void insert_or_assign(const K& key, const V& value) { set(key, value); }
    // False and nothing done if the key is there.
    bool insert(const K& key, const V& value) {
        if (contains(key)) return false;
        set(key, value);
        return true;
    }
    V setdefault(const K& key, const V& value) {
        if (auto found = get(key)) return std::move(*found);
        set(key, value);
        return value;
    }
    // value = change(value), which gets std::optional<V>. Returns the new value.
    template <std::invocable<std::optional<V>> Change>
    V update(const K& key, Change&& change) {
        V next = change(get(key));
        set(key, next);
        return next;
    }
    bool erase(const K& key) { return remove(detail::EncodedKey<K>(key).canonical()); }
    std::optional<V> pop(const K& key) {
        auto found = get(key);
        if (found) erase(key);
        return found;
    }
};

// A counter within a transaction.
template <Storable K>
class TransactionCounter : public detail::TablePart {
  public:
    using TablePart::TablePart;
    using Count = std::int64_t;

    Count get(const K& key) {
        detail::Buffer value;
        return read(detail::EncodedKey<K>(key).canonical(), value) ? decode<Count>(value.bytes()) : 0;
    }
    bool contains(const K& key) { return has(detail::EncodedKey<K>(key).canonical()); }
    void set(const K& key, Count count) {
        const detail::EncodedKey<K> k(key);
        Writer v;
        encode(v, count);
        write(k.canonical(), k.original(), v.bytes());
    }
    // Returns the new count. Throws value_error when it does not fit.
    Count increment(const K& key, Count by = 1) {
        Count sum = 0;
        if (__builtin_add_overflow(get(key), by, &sum)) throw_overflow("increment");
        set(key, sum);
        return sum;
    }
    bool erase(const K& key) { return remove(detail::EncodedKey<K>(key).canonical()); }
};

// A set within a transaction.
template <Storable T>
class TransactionSet : public detail::TablePart {
  public:
    using TablePart::TablePart;

    bool contains(const T& element) { return has(detail::EncodedKey<T>(element).canonical()); }
    // Was it new?
    bool add(const T& element) {
        const detail::EncodedKey<T> k(element);
        if (has(k.canonical())) return false;
        write(k.canonical(), k.original(), {});
        return true;
    }
    // Was it there?
    bool discard(const T& element) { return TablePart::remove(detail::EncodedKey<T>(element).canonical()); }
    // Throws key_error.
    void remove(const T& element) {
        const detail::EncodedKey<T> k(element);
        if (!TablePart::remove(k.canonical())) throw_absent("remove", k.canonical());
    }
};

// A namespace within a transaction.
class TransactionNamespace : public detail::TablePart {
  public:
    using TablePart::TablePart;

    template <Storable T = Value>
    std::optional<T> find(std::string_view name) {
        detail::Buffer value;
        if (!read(Name(name).bytes(), value)) return {};
        return decode<T>(value.bytes());
    }
    // Throws no_attribute.
    template <Storable T = Value>
    T get(std::string_view name) {
        auto found = find<T>(name);
        if (!found) throw_absent("get", Name(name).bytes());
        return std::move(*found);
    }
    bool contains(std::string_view name) { return has(Name(name).bytes()); }
    template <Encodable T>
    void set(std::string_view name, const T& value) {
        Writer v;
        encode(v, value);
        write(Name(name).bytes(), {}, v.bytes());
    }
    void erase(std::string_view name) {
        if (!remove(Name(name).bytes())) throw_absent("erase", Name(name).bytes());
    }

  private:
    class Name {
      public:
        explicit Name(std::string_view name) { encode(writer_, name); }
        detail::Bytes bytes() const noexcept { return writer_.bytes(); }

      private:
        Writer writer_;
    };
};

// A list within a transaction: what is there, and its end. (Who inserts in the middle changes all that follows.)
template <Storable T>
class TransactionList : public detail::ListPart {
  public:
    using ListPart::ListPart;

    // Negative from the end. Throws index_error.
    T at(Index index) {
        detail::Buffer out;
        read(index, out);
        return decode<T>(out.bytes());
    }
    T operator[](Index index) { return at(index); }
    void set(Index index, const T& value) {
        Writer v;
        encode(v, value);
        write(index, v.bytes());
    }
    void push_back(const T& value) {
        Writer v;
        encode(v, value);
        append(v.bytes());
    }
    void append(const T& value) { push_back(value); }
    // The last one. Throws index_error when there is none.
    T pop() {
        detail::Buffer out;
        take(out);
        return decode<T>(out.bytes());
    }

  private:
    using ListPart::append;
};

// A queue within a transaction, without waiting: as at one moment at its end, in the queue's own order. So of a last in first out
// one the transaction's own items come out first, of a priority queue the lowest of both, one that was there before its equal.
template <Storable T>
class TransactionQueue : public detail::QueuePart {
  public:
    using QueuePart::QueuePart;

    // The transaction fails with `full` when there is no room for it at its end, with `closed` when the queue is. Into a priority
    // queue: throws value_error when it does not compare with what the transaction has put; the transaction fails with it when
    // it does not with what is in the queue at its end.
    void put(const T& value) {
        Writer v;
        encode(v, value);
        QueuePart::put(v.bytes());
    }
    // Throws empty, or closed.
    T get() {
        auto item = try_get();
        if (!item) throw_empty();
        return std::move(*item);
    }
    // None: it is empty.
    std::optional<T> try_get() {
        detail::Buffer out;
        if (!QueuePart::get(out)) return {};
        return decode<T>(out.bytes());
    }
};

// An array of numbers within a transaction. Indices are Python's. Throws index_error.
template <Scalar T>
class TransactionArray : public detail::ArrayPart {
  public:
    using ArrayPart::ArrayPart;

    std::size_t size() { return length(); }
    T get(std::ptrdiff_t index) { return detail::from_bits<T>(read(position("get", index))); }
    T operator[](std::ptrdiff_t index) { return get(index); }
    void set(std::ptrdiff_t index, T value) { write(position("set", index), detail::to_bits(value)); }
    template <std::invocable<T> Change>
    T update(std::ptrdiff_t index, Change&& change) {
        const T next = change(get(index));
        set(index, next);
        return next;
    }
};

class Transaction {
  public:
    template <typename K, typename V>
    TransactionDict<K, V> operator()(const Dict<K, V>& dict) { return TransactionDict<K, V>(base_.part(dict)); }
    template <typename K>
    TransactionCounter<K> operator()(const Counter<K>& counter) { return TransactionCounter<K>(base_.part(counter)); }
    template <typename T>
    TransactionSet<T> operator()(const Set<T>& set) { return TransactionSet<T>(base_.part(set)); }
    TransactionNamespace operator()(const Namespace& space) { return TransactionNamespace(base_.part(space)); }
    template <typename T>
    TransactionList<T> operator()(const List<T>& list) { return TransactionList<T>(base_.part(list)); }
    template <typename T>
    TransactionQueue<T> operator()(const Queue<T>& queue) { return TransactionQueue<T>(base_.part(queue)); }

    template <Scalar T>
    TransactionArray<T> operator()(const Array<T>& array) { return TransactionArray<T>(base_.part(array)); }

    // Which run of the function this is, from 1.
    unsigned attempt() const noexcept { return base_.attempt(); }

    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

  private:
    friend class Manager;
    explicit Transaction(const detail::Realm& realm) : base_(realm) {}
    template <typename Fn>
    auto run(Fn& fn) {
        for (;; base_.again()) {
            try {
                if constexpr (std::is_void_v<std::invoke_result_t<Fn&, Transaction&>>) {
                    fn(*this);
                    if (base_.commit()) return;
                } else {
                    auto result = fn(*this);
                    if (base_.commit()) return result;
                }
            } catch (const detail::Conflict&) {
            }
        }
    }
    detail::TransactionBase base_;
};

}  // namespace muster

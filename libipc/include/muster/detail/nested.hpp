// Shared objects as values of others: a handle that is stored stays the shared object, and keeps it alive.
//
//     auto table = manager.dict<std::string, muster::List<int>>("table");
//     table.set("primes", manager.list<int>());      // the handle here goes; the list stays, in the dict
//     table.at("primes").push_back(2);                // seen by everybody
//
// As in multiprocessing: a plain container that is stored is a copy, a handle is not. An object without a name lives as
// long as a process has a handle to it or it can be reached through the values of an object that lives; cycles are
// allowed. What nobody reaches any more is freed by the daemon, soon while there is much of it, and with the realm at the
// latest. A handle is an element, a value or a message, not a key (unhashable); two compare equal when
// they name the same object. A handle to an object that was erased by name reads, and throws `destroyed` when it is used.
//
// Storing throws Error: invalid_argument (a handle of another realm), destroyed (the object is gone). Reading a handle of
// another kind: type_mismatch. The ends of a pipe cannot be stored: who has one is seen by its death.
#pragma once

#include <concepts>
#include <string>

#include <muster/codec.hpp>
#include <muster/detail/object.hpp>

namespace muster {

namespace detail {

enum class ObjectKind : unsigned char;  // <muster/manager.hpp>
template <typename Handle>
struct KindOf;
// The next value, a handle to an object of this kind.
std::shared_ptr<ObjectState> read_handle(Reader& in, ObjectKind kind);

}  // namespace detail

template <std::derived_from<detail::Handle> H>
struct codec<H> {
    static void encode(Writer& out, const H& handle) { out.object_ref(handle.ref()); }
    static H decode(Reader& in) { return H(detail::read_handle(in, detail::KindOf<H>::value)); }
};

// The handle as a dynamic Value, to be stored as one. It names the object and does not keep it.
Value to_value(const detail::Handle& handle);

// What is in the object as plain data, handles followed: a list, a queue, an array and a set give an array, a dict, a
// counter and a namespace an object (an array of pairs where a key is no string), a value its number. Each object is read
// as of one moment. Throws value_error when an object contains itself, naming the way; type_mismatch when there is a
// lock or the like in it; limit_exceeded beyond 128 levels or a million objects; destroyed.
Value deep_copy(const detail::Handle& handle);

// A handle to an object of whatever kind, as Manager::open gives it.
class Object : public detail::Handle {
  public:
    using Handle::Handle;
    // "dict", "list", "queue", "lock", "set", "counter", "namespace", "value", "array" …
    std::string kind() const;
    // The same object through a handle of its own kind: object.as<muster::List<int>>(). Throws type_mismatch.
    template <std::derived_from<detail::Handle> H>
    H as() const {
        return H(as_kind(detail::KindOf<H>::value));
    }

  private:
    std::shared_ptr<detail::ObjectState> as_kind(detail::ObjectKind kind) const;
};

// Any handle reads as an Object.
template <>
struct codec<Object> {
    static void encode(Writer& out, const Object& handle) { out.object_ref(handle.ref()); }
    static Object decode(Reader& in) { return Object(detail::read_handle(in, detail::ObjectKind{})); }
};

}  // namespace muster

// Namespace: shared attributes of any type under names, as multiprocessing.Manager().Namespace().
//
//     auto config = manager.ns("config");
//     config["rate"] = 0.5;
//     const double rate = config["rate"];
//     config["runs"] += 1;            // atomic, unlike in Python
//
// Every call is atomic; readers lock nothing. Throws Error: no_attribute, type_mismatch (the attribute is of another
// type), destroyed, out_of_memory (nothing changed), limit_exceeded (a name over 64 KiB, a value over 1 GiB).
#pragma once

#include <string>
#include <string_view>

#include <muster/dict.hpp>

namespace muster {

class Namespace : public detail::DictBase {
    class NameKey {
      public:
        explicit NameKey(std::string_view name) { encode(writer_, name); }
        detail::Bytes bytes() const noexcept { return writer_.bytes(); }

      private:
        Writer writer_;
    };

  public:
    using DictBase::DictBase;
    class Attribute;

    template <Storable T = Value>
    T get(std::string_view name) const {
        auto found = find<T>(name);
        if (!found) throw_absent("get", NameKey(name).bytes());
        return std::move(*found);
    }
    template <Storable T = Value>
    std::optional<T> find(std::string_view name) const {
        const NameKey key(name);
        detail::Buffer value;
        if (!DictBase::get({key.bytes(), {}}, value)) return {};
        return decode<T>(value.bytes());
    }
    bool has(std::string_view name) const { return DictBase::contains({NameKey(name).bytes(), {}}); }
    // In the order in which they were first set, as of one moment.
    std::vector<std::string> attributes() const;
    std::vector<std::pair<std::string, Value>> snapshot() const;

    template <Encodable T>
    void set(std::string_view name, const T& value) {
        const NameKey key(name);
        Writer v;
        encode(v, value);
        store({key.bytes(), {}}, v.bytes());
    }
    void erase(std::string_view name) {
        const NameKey key(name);
        if (!DictBase::remove({key.bytes(), {}}, "erase")) throw_absent("erase", key.bytes());
    }
    // Atomically attribute = change(attribute); `change` runs without any lock, and again if somebody else was faster.
    // Returns the new value.
    template <Storable T, std::invocable<T> Change>
    T update(std::string_view name, Change&& change) {
        const NameKey key(name);
        detail::Buffer seen[2];
        if (!DictBase::get({key.bytes(), {}}, seen[0])) throw_absent("update", key.bytes());
        for (int turn = 0;; turn ^= 1) {
            T next = change(decode<T>(seen[turn].bytes()));
            Writer v;
            encode(v, next);
            detail::Buffer& now = seen[turn ^ 1];
            now.resize(0);
            if (store({key.bytes(), {}}, v.bytes(), If::equal, seen[turn].bytes(), &now)) return next;
            if (now.size() == 0) throw_absent("update", key.bytes());  // no value is empty: it was erased
        }
    }

    Attribute operator[](std::string_view name) const;
};

// What namespace["name"] stands for. Not to be kept longer than the namespace's handle.
class Namespace::Attribute {
  public:
    template <Storable T>
    operator T() const {  // implicit: it reads as the attribute itself
        return space_.get<T>(name_);
    }
    template <Encodable T>
    const Attribute& operator=(const T& value) const {
        Namespace(space_).set(name_, value);
        return *this;
    }
    template <Storable T>
    T operator+=(const T& by) const {
        return Namespace(space_).update<T>(name_, [&](T now) { return static_cast<T>(std::move(now) + by); });
    }
    template <Storable T>
    T operator-=(const T& by) const {
        return Namespace(space_).update<T>(name_, [&](T now) { return static_cast<T>(std::move(now) - by); });
    }

  private:
    friend class Namespace;
    Attribute(const Namespace& space, std::string_view name) : space_(space), name_(name) {}
    const Namespace& space_;
    std::string name_;
};

inline Namespace::Attribute Namespace::operator[](std::string_view name) const { return {*this, name}; }

}  // namespace muster

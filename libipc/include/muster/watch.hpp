// Watching: waiting for a change of an object, or of the value under one key.
//
// Every dict, list, queue, set, counter, namespace, value and array has a version, which grows with each change of it:
//
//   auto seen = totals.version();                    // first the version, then what is to be looked at
//   auto items = totals.items();
//   seen = totals.wait_for_change(seen);             // until it is no longer the one that was seen
//   auto now = totals.wait_for_change(seen, 5s);     // none: nothing has changed
//
// and a dict's key can be watched by its value:
//
//   auto rate = settings.watch("rate");              // looks
//   while (rate.wait_for(1h)) use(rate.value());     // until it is another value, or there, or gone
//
// A version says that something has changed, not what, and now and then it grows without anything that can be seen: when an
// object's memory grew, or a change was undone because its process died. Changes that follow each other closely are seen
// as one; a value that was changed and changed back between two looks was not changed. A key that expires is seen by those
// who watch the key; an object's version grows when it is removed. Versions begin anew with another object of the name.
//
// Writers pay nothing while nobody watches, and one wake-up for all who do. A writer that dies between its change and the
// wake-up leaves the watchers to themselves: they look every 100 ms.
// Thread safety: as Handle; a KeyWatch is one thread's. Throws Error: destroyed (the object was erased), type_mismatch.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <muster/codec.hpp>
#include <muster/detail/buffer.hpp>
#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

// The value under a key of a dict, as it was last seen. Made by Dict::watch, which is the first look.
template <typename Dict>
class KeyWatch {
  public:
    using key_type = typename Dict::key_type;
    using mapped_type = typename Dict::mapped_type;

    KeyWatch(Dict dict, key_type key) : dict_(std::move(dict)), key_(std::move(key)) { dict_.look_at(key_, seen_); }

    const key_type& key() const noexcept { return key_; }
    // None: the key was not there.
    std::optional<mapped_type> value() const {
        if (!seen_.there) return {};
        return decode<mapped_type>(detail::Bytes(seen_.value));
    }
    // Of the dict, at the look.
    std::uint64_t version() const noexcept { return seen_.version; }

    // Until it is another value than the last look's; that of now is the last look's then.
    void wait() { (void)dict_.await_other(key_, seen_, {}); }
    // False: it has not changed in time. Zero and less: looks.
    template <typename Rep, typename Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> timeout) {
        return dict_.await_other(key_, seen_, detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool wait_until(std::chrono::time_point<Clock, Duration> when) {
        return dict_.await_other(key_, seen_, detail::left_until(when));
    }

  private:
    Dict dict_;
    key_type key_;
    detail::SeenValue seen_;
};

// An object of any kind that has versions, to be watched: Manager::watched.
class WatchedObject : public detail::Handle {
  public:
    using Handle::Handle;
    using Handle::version;
    using Handle::wait_for_change;
    std::string kind() const;  // "dict"
};

}  // namespace muster

// Where the bytes of a value came from, when there are handles in them: a shared object of some realm. Internal.
//
// It holds what the handles name, so that nothing of it is freed before somebody has opened them.
// Thread safety: any thread may call anything.
#pragma once

#include <memory>

#include <muster/detail/msgpack.hpp>

namespace muster::detail {

struct ObjectState;

class Origin {
  public:
    // The object that `ref` names. When it has been destroyed the handle says so when it is used. Throws
    // invalid_argument for an object of another realm.
    virtual std::shared_ptr<ObjectState> open(const ObjectRef& ref) const = 0;
    // A handle was read that keeps nothing (a Value): what is held here stays held for the calling thread until it
    // calls this again, here or elsewhere.
    virtual void linger() const = 0;

  protected:
    ~Origin() = default;
};

}  // namespace muster::detail

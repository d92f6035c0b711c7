#include <muster/detail/deep_copy.hpp>

#include <algorithm>
#include <cstring>
#include <map>

#include <muster/manager.hpp>
#include <muster/value.hpp>

#include "handles/nesting.hpp"
#include "handles/realm.hpp"

namespace muster {

using detail::ObjectState;
using StatePtr = std::shared_ptr<ObjectState>;

Value to_value(const detail::Handle& handle) { return to_value(handle.ref()); }

std::string Object::kind() const { return std::string(detail::kind_text(state_->kind)); }

StatePtr Object::as_kind(detail::ObjectKind kind) const {
    if (static_cast<heap::Kind>(kind) != state_->kind)
        throw Error(Errc::type_mismatch, "open", state_->subject(),
                    "it is no " + std::string(detail::kind_text(static_cast<heap::Kind>(kind))));
    return state_;
}

Object Manager::open(const Value& handle) const {
    const auto& session = realm_->session();
    const auto ref = object_ref_of(handle);
    if (!ref)
        throw Error(Errc::type_mismatch, "open", "value", "a " + std::string(handle.type_name()) + " is no handle to an object");
    if (ref->realm != session->realm())
        throw Error(Errc::invalid_argument, "open", "value", "the handle is of another realm");
    const auto named = std::string(detail::kind_text(static_cast<heap::Kind>(ref->kind))) + " #" + std::to_string(ref->id);
    try {
        if (auto state = detail::open_ref(session, *ref)) return Object(std::move(state));
    } catch (const segment::Damage& damage) {
        detail::throw_damaged("open", named, damage.what);
    } catch (const tx::Busy& busy) {
        detail::throw_busy(*session, "open", named, busy);
    }
    throw Error(Errc::destroyed, "open", named, "nobody keeps it; a Value does not");
}

namespace {

// Follows handles from object to object; what is on the way down is remembered.
class DeepCopy {
  public:
    // `first`: null where all of them are copied.
    DeepCopy(StatePtr root, detail::FirstEntries* first) : first_(first) { way_.push_back(std::move(root)); }

    Value copy() {
        const StatePtr state = way_.back();
        if (++objects_ > most_objects)
            throw Error(Errc::limit_exceeded, "deep_copy", way_.front()->subject(), "more than a million objects in it");
        switch (state->kind) {
            case heap::Kind::dict: return pairs(Dict<>(state).items());
            case heap::Kind::counter: {
                std::vector<std::pair<Value, Value>> all;
                for (auto& [key, count] : Counter<>(state).snapshot()) all.emplace_back(std::move(key), count);
                return pairs(std::move(all));
            }
            case heap::Kind::name_space: {
                std::vector<std::pair<Value, Value>> all;
                for (auto& [name, value] : Namespace(state).snapshot()) all.emplace_back(std::move(name), std::move(value));
                return pairs(std::move(all));
            }
            case heap::Kind::list: return sequence(List<>(state).snapshot());
            case heap::Kind::set: return sequence(Set<>(state).snapshot());
            case heap::Kind::queue: return sequence(Queue<>(state).snapshot());
            case heap::Kind::value: return numbers(state).front();
            case heap::Kind::array: return sequence(numbers(state).get<std::vector<Value>>());
            default:
                throw Error(Errc::type_mismatch, "deep_copy", way_.front()->subject(),
                            "there is a " + std::string(detail::kind_text(state->kind)) + " in it, which is no data: " + way_text());
        }
    }

  private:
    static constexpr std::size_t most_objects = 1'000'000;

    std::string way_text() const {
        std::string text;
        for (const StatePtr& state : way_) text += (text.empty() ? "" : " > ") + state->subject();
        return text;
    }
    Value numbers(const StatePtr& state) const {
        Value all = Value::array();
        detail::guarded(*state, "deep_copy", [&] {
            const containers::Scalars scalars(state->segment(), state->ref);
            const auto read = [&]<typename T>(T) {
                std::vector<std::byte> bytes(scalars.length() * sizeof(T));
                scalars.read(0, bytes);
                for (std::size_t at = 0; at < bytes.size(); at += sizeof(T)) {
                    T number;
                    std::memcpy(&number, bytes.data() + at, sizeof number);
                    all.push_back(number);
                }
            };
            switch (scalars.type()) {
                case ScalarType::boolean: return read(bool{});
                case ScalarType::int8: return read(std::int8_t{});
                case ScalarType::int16: return read(std::int16_t{});
                case ScalarType::int32: return read(std::int32_t{});
                case ScalarType::int64: return read(std::int64_t{});
                case ScalarType::uint8: return read(std::uint8_t{});
                case ScalarType::uint16: return read(std::uint16_t{});
                case ScalarType::uint32: return read(std::uint32_t{});
                case ScalarType::uint64: return read(std::uint64_t{});
                case ScalarType::float32: return read(float{});
                case ScalarType::float64: return read(double{});
            }
        });
        if (all.empty() && state->kind == heap::Kind::value) all.push_back(nullptr);
        return all;
    }
    // A Value names an object and keeps it only until the next ones are read. So everything that the values of one object
    // name is opened before any of it is looked at.
    using Opened = std::map<std::pair<std::uint32_t, std::uint32_t>, StatePtr>;
    void open_all(const Value& value, Opened& opened) const {
        if (const auto ref = object_ref_of(value)) {
            auto state = detail::open_ref(way_.front()->session, *ref);
            if (state == nullptr)
                throw Error(Errc::destroyed, "deep_copy", way_.front()->subject(), "an object in it is gone: " + way_text());
            opened.emplace(std::pair(ref->id, ref->generation), std::move(state));
        } else if (value.is_structured()) {
            for (const Value& inner : value) open_all(inner, opened);
        }
    }
    Value plain(const Value& value, const Opened& opened) {
        if (const auto ref = object_ref_of(value)) return inside(opened.at({ref->id, ref->generation}));
        if (!value.is_structured()) return value;
        Value all = value;
        for (auto inner = all.begin(); inner != all.end(); ++inner) {
            const Below below(*this, all.is_object() ? inner.key() : std::to_string(inner - all.begin()));
            *inner = plain(Value(*inner), opened);
        }
        return all;
    }
    Value inside(const StatePtr& state) {
        const bool again = std::any_of(way_.begin(), way_.end(), [&](const StatePtr& other) { return other->ref == state->ref; });
        way_.push_back(state);
        if (again) throw Error(Errc::value_error, "deep_copy", way_.front()->subject(), "it contains itself: " + way_text());
        if (way_.size() > max_depth)
            throw Error(Errc::limit_exceeded, "deep_copy", way_.front()->subject(), "objects in objects, more than 128 levels deep");
        Value copied = copy();
        way_.pop_back();
        return copied;
    }
    // Of the entries of the object that is copied now.
    template <typename Entry>
    void cut(std::vector<Entry>& entries) {
        if (first_ == nullptr || entries.size() <= first_->most) return;
        first_->more.emplace(at_.to_string(), entries.size() - first_->most);
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(first_->most), entries.end());
    }
    // Where in the copy the next value comes to stand.
    class Below {
      public:
        Below(DeepCopy& copy, const std::string& key) : copy_(copy) { copy_.at_.push_back(key); }
        Below(const Below&) = delete;
        Below& operator=(const Below&) = delete;
        ~Below() { copy_.at_.pop_back(); }

      private:
        DeepCopy& copy_;
    };
    template <typename Entries>
    Value pairs(Entries entries) {
        const bool names = std::all_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.first.is_string(); });
        cut(entries);
        Opened opened;
        for (const auto& [key, value] : entries) open_all(value, opened);
        Value all = names ? Value::object() : Value::array();
        for (const auto& [key, value] : entries) {
            if (names) {
                const std::string& name = key.template get_ref<const std::string&>();
                const Below below(*this, name);
                all[name] = plain(value, opened);
            } else {
                const Below pair(*this, std::to_string(all.size())), below(*this, "1");
                all.push_back(Value(Value::array_t{key, plain(value, opened)}));
            }
        }
        return all;
    }
    Value sequence(std::vector<Value> items) {
        cut(items);
        Opened opened;
        for (const Value& item : items) open_all(item, opened);
        Value all = Value::array();
        for (const Value& item : items) {
            const Below below(*this, std::to_string(all.size()));
            all.push_back(plain(item, opened));
        }
        return all;
    }

    detail::FirstEntries* first_;
    Value::json_pointer at_;  // in the copy
    std::vector<StatePtr> way_;
    std::size_t objects_ = 0;
};

// The handle's state, which is its own.
struct Inside : detail::Handle {
    explicit Inside(const detail::Handle& handle) : Handle(handle) {}
    const StatePtr& state() const noexcept { return state_; }
};

Value copy_of(const detail::Handle& handle, detail::FirstEntries* first) {
    struct Read {
        ~Read() { detail::Kept::let_go(); }
    } const read;
    return DeepCopy(Inside(handle).state(), first).copy();
}

}  // namespace

Value deep_copy(const detail::Handle& handle) { return copy_of(handle, nullptr); }
Value detail::deep_copy(const Handle& handle, FirstEntries& first) { return copy_of(handle, &first); }

}  // namespace muster

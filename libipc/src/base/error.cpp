#include <muster/error.hpp>

#include <array>
#include <utility>

namespace muster {
namespace {

struct Name {
    Errc code;
    std::string_view name, message;
};
constexpr std::array names{
    Name{Errc::key_error, "key_error", "no such key"},
    Name{Errc::index_error, "index_error", "index out of range"},
    Name{Errc::value_error, "value_error", "value not usable here"},
    Name{Errc::wrong_kind, "wrong_kind", "object of another kind"},
    Name{Errc::type_mismatch, "type_mismatch", "stored value of another type"},
    Name{Errc::no_such_object, "no_such_object", "no such object"},
    Name{Errc::destroyed, "destroyed", "the object was erased"},
    Name{Errc::empty, "empty", "empty"},
    Name{Errc::full, "full", "full"},
    Name{Errc::closed, "closed", "closed"},
    Name{Errc::timeout, "timeout", "timed out"},
    Name{Errc::not_locked, "not_locked", "not locked"},
    Name{Errc::not_owner, "not_owner", "not held by the caller"},
    Name{Errc::released_too_often, "released_too_often", "released too often"},
    Name{Errc::size_changed, "size_changed", "size changed during iteration"},
    Name{Errc::unhashable, "unhashable", "not usable as a key"},
    Name{Errc::out_of_memory, "out_of_memory", "out of memory"},
    Name{Errc::limit_exceeded, "limit_exceeded", "over the limit"},
    Name{Errc::invalid_argument, "invalid_argument", "invalid argument"},
    Name{Errc::unreachable, "unreachable", "daemon not reachable"},
    Name{Errc::refused, "refused", "permission denied"},
    Name{Errc::protocol, "protocol", "protocol error"},
    Name{Errc::no_such_process, "no_such_process", "no such process"},
    Name{Errc::start_failed, "start_failed", "could not be started"},
    Name{Errc::already_running, "already_running", "already running"},
    Name{Errc::not_running, "not_running", "not running"},
    Name{Errc::damaged, "damaged", "damaged"},
    Name{Errc::system, "system", "system error"},
    Name{Errc::deadlock, "deadlock", "deadlock"},
    Name{Errc::broken_barrier, "broken_barrier", "barrier is broken"},
    Name{Errc::no_attribute, "no_attribute", "no such attribute"},
    Name{Errc::end_of_file, "end_of_file", "end of file"},
    Name{Errc::broken_pipe, "broken_pipe", "broken pipe"},
    Name{Errc::cancelled, "cancelled", "cancelled"},
    Name{Errc::task_failed, "task_failed", "the task failed"},
    Name{Errc::worker_died, "worker_died", "its worker died"},
};

const Name* find(Errc code) noexcept {
    for (const Name& name : names)
        if (name.code == code) return &name;
    return nullptr;
}

class Category final : public std::error_category {
  public:
    const char* name() const noexcept override { return "muster"; }
    std::string message(int value) const override {
        const Name* found = find(static_cast<Errc>(value));
        return found ? std::string(found->message) : "unknown error " + std::to_string(value);
    }
};

}  // namespace

std::string_view to_string(Errc code) noexcept {
    const Name* found = find(code);
    return found ? found->name : std::string_view("system");
}

Errc errc_from_name(std::string_view text) noexcept {
    for (const Name& name : names)
        if (name.name == text) return name.code;
    return Errc::system;
}

const std::error_category& error_category() noexcept {
    static const Category& category = *new Category;  // threads may fail while the program's statics are destroyed
    return category;
}

Error::Error(Errc code, std::string operation, std::string subject, std::string detail)
    : std::system_error(make_error_code(code)),
      operation_(std::move(operation)),
      subject_(std::move(subject)),
      detail_(std::move(detail)) {
    if (!subject_.empty()) what_ += subject_ + ": ";
    if (!operation_.empty()) what_ += operation_ + ": ";
    what_ += error_category().message(static_cast<int>(code));
    if (!detail_.empty()) what_ += ": " + detail_;
}

}  // namespace muster

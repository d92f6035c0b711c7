// How every failure of the library and of the daemon is told.
//
// Absence is std::optional, a timeout is `false` or std::nullopt; everything else that goes wrong is a
// muster::Error: what was being done (operation), on what (subject), why (code) and what helps (detail).
// Outputs are untouched when one is thrown. Thread safety: values; safe to copy between threads.
#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace muster {

// Stored in replies of the control protocol by name (to_string); never renumber, only append.
enum class Errc {
    key_error = 1,       // no such key in a dict, no such value in a list
    index_error,         // outside a list or an array
    value_error,         // a value that the operation cannot take
    wrong_kind,          // the name belongs to an object of another kind
    type_mismatch,       // the stored value is not of the type asked for
    no_such_object,      // no object of that name
    destroyed,           // the object was erased while this handle was held
    empty,               // nothing in the queue
    full,                // no room in the queue
    closed,              // the queue or the manager is shut
    timeout,             // the time ran out, where that is an error
    not_locked,          // release of a lock that nobody holds
    not_owner,           // release of a lock that somebody else holds
    released_too_often,  // a bounded semaphore's or a queue's count would exceed its start
    size_changed,        // a dict changed its size while it was iterated
    unhashable,          // a key of a kind that cannot be a key
    out_of_memory,       // the realm's memory is used up; nothing was changed
    limit_exceeded,      // a documented limit: key, value, name, sessions, objects
    invalid_argument,    // a call that makes no sense
    unreachable,         // no daemon answers at the address
    refused,             // the daemon does not let this user do this
    protocol,            // the other side does not speak our protocol
    no_such_process,     // no process of that id or name
    start_failed,        // a process could not be started; the detail names the step
    already_running,     // a daemon serves this address, or a process was started twice
    not_running,         // the process is not (or no longer) there
    damaged,             // a broken invariant was found in the realm
    system,              // an errno that has no better name
    deadlock,            // the acquisition would close a cycle
    broken_barrier,
    no_attribute,
    end_of_file,
    broken_pipe,
    cancelled,           // the work was cancelled before it began
    task_failed,         // a task threw what is no muster::Error
    worker_died,         // the process that had the task ended in the midst of it
};

// The stable name, as in "wrong_kind".
std::string_view to_string(Errc code) noexcept;
// The other way; Errc::system for a name that is not ours.
Errc errc_from_name(std::string_view name) noexcept;

const std::error_category& error_category() noexcept;
inline std::error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), error_category()}; }

class Error : public std::system_error {
  public:
    // `operation` as "get", `subject` as "dict 'totals'", `detail` why and what to do, may be empty.
    // what() is "SUBJECT: OPERATION: REASON: DETAIL" on one line.
    Error(Errc code, std::string operation, std::string subject, std::string detail = {});

    Errc errc() const noexcept { return static_cast<Errc>(code().value()); }
    const std::string& operation() const noexcept { return operation_; }
    const std::string& subject() const noexcept { return subject_; }
    const std::string& detail() const noexcept { return detail_; }
    const char* what() const noexcept override { return what_.c_str(); }

  private:
    std::string operation_, subject_, detail_, what_;
};

}  // namespace muster

template <>
struct std::is_error_code_enum<muster::Errc> : std::true_type {};

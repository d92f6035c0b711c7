// Which processes a client means, and which it may mean.
//
// A selection is "#N" (the id), all digits (a pid) or a name, which several processes may share; the name that several
// were started together under (NAME of NAME-1 to NAME-N) selects all of them.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "service/supervisor/process.hpp"

namespace muster::service {

using Table = std::map<std::uint64_t, ProcessPtr>;  // by id, so in the order of their start

// uid 0 may see and act on everything, others on their own.
bool may_act(uid_t caller, const Process& process) noexcept;

enum class Choose {
    all,             // every match
    live,            // matches that have not ended
    live_or_ended,   // live ones if there are any, else the ended ones: for waiting and stopping
};

// The caller's own matches. Throws CallError: NoSuchProcess when nothing matches, NotPermitted(operation) when only
// processes of others do, InvalidParameter for an empty selection.
std::vector<ProcessPtr> select(const Table& table, std::string_view selection, uid_t caller, Choose choose,
                               const std::string& operation);
// The same without the errors.
std::vector<ProcessPtr> select_quietly(const Table& table, std::string_view selection, uid_t caller, Choose choose);

// Names are 1 to 64 bytes without control characters, do not start with '#' and are not all digits, so that a
// selection is never ambiguous. Throws InvalidParameter(path).
void check_name(const std::string& name, const std::string& path);
// The base name of a program made into a valid name.
std::string default_name(const std::string& program);

}  // namespace muster::service

#include "keeper/prepare.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lookup.hpp"

namespace muster::keeper {
namespace {

using base::UniqueFd;
using Stream = LaunchPlan::Stream;

constexpr std::string_view default_path = "/usr/local/bin:/usr/bin:/bin";

bool make_log_pipe(UniqueFd& read_end, UniqueFd& write_end) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return false;
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

std::optional<LaunchFailure> prepare_stream(const link::Output& output, int standard, const std::optional<uid_t>& uid,
                                            Stream& stream, UniqueFd& read_end, UniqueFd& write_end) {
    switch (output.kind) {
        case link::Output::Kind::null: break;
        case link::Output::Kind::inherit: stream = {Stream::Kind::descriptor, standard, {}}; break;
        case link::Output::Kind::file: stream = {Stream::Kind::file, -1, output.path}; break;
        case link::Output::Kind::log:
            if (!make_log_pipe(read_end, write_end)) return LaunchFailure{"pipe", "", errno};
            // So that the child may open /dev/stdout and /dev/stderr. Without the right to give it away it is its own.
            if (uid && ::fchown(write_end.get(), *uid, static_cast<gid_t>(-1)) < 0) errno = 0;
            stream = {Stream::Kind::descriptor, write_end.get(), {}};
            break;
    }
    return std::nullopt;
}

std::optional<LaunchFailure> prepare_credentials(uid_t uid, std::optional<gid_t> gid, LaunchPlan& plan) {
    // Somebody who is not root can only stay what he is.
    if (::geteuid() != 0 && uid == ::geteuid() && (!gid || *gid == ::getegid())) return std::nullopt;
    LaunchPlan::Credentials who{uid, 0, {}};
    std::vector<char> buffer(4096);
    passwd entry{};
    passwd* found = nullptr;
    int error = 0;
    while ((error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < (1u << 20))
        buffer.resize(buffer.size() * 2);
    if (found == nullptr && (!gid || could_not_look(error)))
        return LaunchFailure{"user", std::to_string(uid), error != 0 ? error : ENOENT};
    who.gid = gid ? *gid : entry.pw_gid;
    if (found == nullptr) {
        who.groups = {who.gid};
    } else {
        int count = 32;
        do {
            who.groups.resize(static_cast<std::size_t>(count));
            errno = 0;
        } while (::getgrouplist(entry.pw_name, who.gid, who.groups.data(), &count) < 0 && count <= 65536);
        // It has no way to fail: without a look at the groups it gives the first one alone.
        if (could_not_look(errno)) return LaunchFailure{"user", std::to_string(uid), errno};
        who.groups.resize(static_cast<std::size_t>(count));
    }
    plan.credentials = std::move(who);
    return std::nullopt;
}

}  // namespace

std::vector<std::string> program_candidates(const std::string& program, const std::vector<std::string>& environment) {
    if (program.empty() || program.find('/') != std::string::npos) return {program};
    std::string_view path = default_path;
    for (const std::string& entry : environment)
        if (entry.starts_with("PATH=")) {
            path = std::string_view(entry).substr(5);
            break;
        }
    std::vector<std::string> candidates;
    for (;;) {
        const auto colon = path.find(':');
        const std::string_view folder = path.substr(0, colon);
        candidates.push_back((folder.empty() ? "." : std::string(folder)) + '/' + program);
        if (colon == std::string_view::npos) return candidates;
        path.remove_prefix(colon + 1);
    }
}

std::variant<Prepared, LaunchFailure> prepare(const link::SpawnSpec& spec, const std::string& mark) {
    if (spec.argv.empty()) return LaunchFailure{"exec", "", EINVAL};
    Prepared prepared;
    LaunchPlan& plan = prepared.plan;
    plan.programs = program_candidates(spec.argv.front(), spec.environment);
    plan.argv = spec.argv;
    const std::string name = mark.substr(0, mark.find('=') + 1);
    std::copy_if(spec.environment.begin(), spec.environment.end(), std::back_inserter(plan.environment),
                 [&](const std::string& entry) { return !entry.starts_with(name); });
    plan.environment.push_back(mark);
    plan.directory = spec.directory;
    if (spec.uid)
        if (auto failure = prepare_credentials(*spec.uid, spec.gid, plan)) return std::move(*failure);
    if (auto failure = prepare_stream(spec.out, 1, spec.uid, plan.out, prepared.out_log, prepared.out_write))
        return std::move(*failure);
    if (auto failure = prepare_stream(spec.err, 2, spec.uid, plan.err, prepared.err_log, prepared.err_write))
        return std::move(*failure);
    return prepared;
}

}  // namespace muster::keeper

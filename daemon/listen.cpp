#include "listen.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>

#include "start_error.hpp"

namespace muster {
namespace {

using base::UniqueFd;
using service::Mode;

constexpr int backlog = 1024;
constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;

[[noreturn]] void refuse(const std::string& what, const std::string& why, const std::string& help,
                         ExitCode code = ExitCode::address) {
    throw StartError(code, what + ": " + why + ": " + help);
}

[[noreturn]] void already_running(const std::string& path) {
    refuse("socket " + path, "a daemon is already running there",
           "use it, stop it, or give another --address", ExitCode::already_running);
}

sockaddr_un checked_address(const std::string& path) {
    if (path.size() > longest_path)
        refuse("socket " + path, "the path has " + std::to_string(path.size()) + " bytes",
               "a socket's path may have " + std::to_string(longest_path) +
                   ", give a shorter --address");
    sockaddr_un result{};
    result.sun_family = AF_UNIX;
    std::memcpy(result.sun_path, path.data(), path.size());
    return result;
}

std::string absolute(const std::string& path) {
    if (path.starts_with('/')) return path;
    char* here = ::getcwd(nullptr, 0);
    if (!here) refuse("socket " + path, "no working directory", "give an absolute path");
    std::string result = std::string(here) + "/" + path;
    std::free(here);
    return result;
}

// The default directory belongs to us or to root and nobody else may put a socket into it.
void prepare_directory(const std::string& directory, Mode mode, bool may_make) {
    struct stat info {};
    if (may_make && ::mkdir(directory.c_str(), mode == Mode::system ? 0755 : 0700) != 0 && errno != EEXIST)
        refuse("directory " + directory, base::errno_text(errno), "make it, or give another --address");
    if (::stat(directory.c_str(), &info) != 0)
        refuse("directory " + directory, base::errno_text(errno), "make it, or give another --address");
    if (!S_ISDIR(info.st_mode)) refuse("directory " + directory, "it is none", "give another --address");
    if (!may_make) return;
    if (::lstat(directory.c_str(), &info) != 0 || S_ISLNK(info.st_mode) ||
        (info.st_uid != ::geteuid() && info.st_uid != 0) || (info.st_mode & 0022) != 0)
        refuse("directory " + directory, "others may change it", "remove it, or give another --address");
}

// The one who holds the lock of a path serves it. A lock file that was removed meanwhile counts for nothing.
UniqueFd take_lock(const std::string& lock_path, const std::string& path) {
    for (int attempt = 0; attempt < 100; ++attempt) {
        UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!lock) refuse("lock " + lock_path, base::errno_text(errno), "give another --address");
        if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) already_running(path);
            refuse("lock " + lock_path, base::errno_text(errno), "give another --address");
        }
        struct stat held {
        }, there{};
        if (::fstat(lock.get(), &held) == 0 && ::lstat(lock_path.c_str(), &there) == 0 &&
            held.st_ino == there.st_ino && held.st_dev == there.st_dev)
            return lock;
    }
    refuse("lock " + lock_path, "it changes all the time", "give another --address");
}

// With the lock held: makes the path free, unless something is there that is not ours to remove.
void clear_path(const std::string& path, const sockaddr_un& address) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) return;
        refuse("socket " + path, base::errno_text(errno), "give another --address");
    }
    if (S_ISLNK(info.st_mode))
        refuse("socket " + path, "it is a symbolic link", "give the path it points to");
    if (!S_ISSOCK(info.st_mode))
        refuse("socket " + path, "a file that is no socket is there", "remove it, or give another --address");
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) refuse("socket " + path, base::errno_text(errno), "try again");
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
        errno == EAGAIN)
        already_running(path);
    if (errno != ECONNREFUSED)
        refuse("socket " + path, base::errno_text(errno), "remove it, or give another --address");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        refuse("socket " + path, base::errno_text(errno), "remove it, or give another --address");
}

}  // namespace

std::string default_address(Mode mode) {
    if (mode == Mode::system) return "unix:/run/muster/muster.sock";
    if (mode == Mode::private_)
        refuse("private daemon", "it has no default address", "give --address", ExitCode::usage);
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    if (!runtime || *runtime != '/')
        refuse("socket", "XDG_RUNTIME_DIR is not set", "set it, or give --address", ExitCode::usage);
    return "unix:" + std::string(runtime) + "/muster/muster.sock";
}

Listening listen_at(const std::string& address, Mode mode, bool is_default) {
    constexpr std::string_view scheme = "unix:";
    std::string path = address.starts_with(scheme) ? address.substr(scheme.size()) : address;
    if (path.empty() || path.find('\0') != std::string::npos || (path == address && !path.starts_with('/')))
        refuse("address '" + address + "'", "it is none", "write unix:PATH", ExitCode::usage);
    path = absolute(path);
    const sockaddr_un name = checked_address(path);
    prepare_directory(path.substr(0, std::max<std::size_t>(1, path.rfind('/'))), mode, is_default);

    Listening result;
    result.address = "unix:" + path;
    // A symbolic link is refused before anything is made beside it.
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) clear_path(path, name);
    result.lock = take_lock(path + ".lock", path);
    result.lock_path = path + ".lock";
    try {
        clear_path(path, name);
        result.socket.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!result.socket) refuse("socket " + path, base::errno_text(errno), "try again");
        const mode_t before = ::umask(mode == Mode::system ? 0111 : 0177);
        const int bound = ::bind(result.socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
        const int error = errno;
        ::umask(before);
        if (bound != 0) refuse("socket " + path, base::errno_text(error), "give another --address");
        result.unlink_path = path;
        if (::listen(result.socket.get(), backlog) != 0)
            refuse("socket " + path, base::errno_text(errno), "give another --address");
    } catch (...) {
        ::unlink(result.lock_path->c_str());
        throw;
    }
    return result;
}

std::optional<Listening> listening_from_activation() {
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    const bool ours = pid && count && std::to_string(::getpid()) == pid;
    const std::string number = count ? count : "";
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
    if (!ours || number == "0") return std::nullopt;
    constexpr int first = 3;  // as sd_listen_fds(3) says
    const auto bad = [](const std::string& why) {
        refuse("socket activation", why, "correct the socket unit");
    };
    if (number != "1") bad(number + " descriptors were passed");

    Listening result;
    if (::fcntl(first, F_SETFD, FD_CLOEXEC) != 0) bad("descriptor 3 is not open");
    result.socket.reset(first);
    int listening = 0, type = 0;
    socklen_t size = sizeof listening;
    sockaddr_un name{};
    socklen_t name_size = sizeof name;
    if (::getsockopt(first, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening ||
        ::getsockopt(first, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM ||
        ::getsockname(first, reinterpret_cast<sockaddr*>(&name), &name_size) != 0 ||
        name.sun_family != AF_UNIX)
        bad("descriptor 3 is no listening Unix stream socket");
    const int flags = ::fcntl(first, F_GETFL);
    if (flags < 0 || ::fcntl(first, F_SETFL, flags | O_NONBLOCK) != 0) bad(base::errno_text(errno));
    result.address = "unix:" + std::string(name.sun_path, ::strnlen(name.sun_path, sizeof name.sun_path));
    return result;
}

}  // namespace muster

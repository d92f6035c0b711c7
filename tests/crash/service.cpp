#include "crash/service.hpp"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <list>

#include "base/futex.hpp"

namespace muster::test {
namespace {

using session::Realm;

constexpr std::size_t kept = 8;

bool asleep(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');
    return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

}  // namespace

void settle(const segment::Segment& segment) {
    sync::Sessions sessions(segment);
    sessions.format();
    const sync::ProcessIdentity self = sync::ProcessIdentity::self();
    sessions.claim_slot(sessions.claim(self), self.pid);
    // The same number, another start: a process that has ended.
    sessions.claim_slot(sessions.claim({self.pid, self.start_time + 1, self.pid_namespace}), self.pid);
}

Realm& service_of(const segment::Segment& segment) {
    struct Known {
        ino_t file;
        std::unique_ptr<Realm> realm;
    };
    static std::list<Known> known;
    struct stat status {};
    if (::fstat(segment.memfd(), &status) != 0) base::throw_errno(errno, "examine", "segment", "fstat");
    for (const Known& one : known)
        if (one.file == status.st_ino) return *one.realm;
    if (known.size() >= kept) known.pop_front();
    base::UniqueFd file{::dup(segment.memfd())};
    known.push_back({status.st_ino, std::make_unique<Realm>(Realm::adopt(std::move(file), "service"))});
    return *known.back().realm;
}

Sleeper::Sleeper(std::uint32_t& word)
    : child_([this, &word] {
          const std::uint32_t seen = __atomic_load_n(&word, __ATOMIC_SEQ_CST);
          __atomic_store_n(&*going_, true, __ATOMIC_SEQ_CST);
          return base::futex_wait(&word, seen, base::Deadline::never()) == base::Woken::yes ? 0 : 1;
      }) {
    const bool sleeps = eventually([&] { return __atomic_load_n(&*going_, __ATOMIC_SEQ_CST) && asleep(child_.pid()); });
    if (!sleeps) throw std::runtime_error("the sleeper does not go to sleep");
}

bool Sleeper::proceeds(std::chrono::milliseconds patience) {
    const auto ended = [&] {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(child_.pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
    };
    return eventually(ended, patience) && child_.join() == 0;
}

}  // namespace muster::test

// The daemon as its administrator sees it: through the installed musterctl, and by signals to its service.
#pragma once

#include <sys/types.h>

#include <string>

namespace outside {

struct Status {
    pid_t service = 0;
    long memory_used = -1, objects = -1, sessions = -1;
};

class Service {
  public:
    explicit Service(std::string musterctl) : musterctl_(std::move(musterctl)) {}

    // Throws when no daemon answers.
    Status status() const;
    // What `musterctl check` says; "0 violations" is as it should be.
    std::string check() const;

    void stop() const;       // SIGSTOP
    void go_on() const;      // SIGCONT
    void kill_once() const;  // SIGKILL; the keeper starts another one, which is not waited for
    // Until it answers, and nobody but the caller and his children that live is attached. False: the patience ran out.
    bool cleaned_up(long sessions) const;

  private:
    std::string run(const std::string& arguments) const;
    std::string musterctl_;
    mutable pid_t last_ = 0;  // as it was when it last answered
};

}  // namespace outside

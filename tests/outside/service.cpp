#include "outside/service.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "outside/rows.hpp"

namespace outside {
namespace {

// The number behind "NAME": in a JSON text; names are distinct, in what is asked here.
long number(const std::string& json, const std::string& name) {
    const std::size_t at = json.find("\"" + name + "\":");
    if (at == std::string::npos) throw std::runtime_error("musterctl's status has no " + name + ": " + json);
    return std::strtol(json.c_str() + at + name.size() + 3, nullptr, 10);
}

}  // namespace

std::string Service::run(const std::string& arguments) const {
    std::string out;
    std::FILE* pipe = ::popen(("'" + musterctl_ + "' " + arguments + " 2>&1").c_str(), "re");
    if (pipe == nullptr) throw std::runtime_error("popen failed");
    char text[4096];
    while (const std::size_t size = std::fread(text, 1, sizeof text, pipe)) out.append(text, size);
    if (const int code = ::pclose(pipe); code != 0) out += " (status " + std::to_string(code) + ")";
    return out;
}

Status Service::status() const {
    const std::string json = run("--json status");
    Status status;
    // "sessions", "objects" and "used" of the daemon stand before those of its realms, by the order of the letters.
    status.memory_used = number(json, "used");
    status.objects = number(json, "objects");
    status.sessions = number(json.substr(json.find("\"service_starts\"")), "sessions");
    status.service = last_ = static_cast<pid_t>(number(json, "service_pid"));
    return status;
}

std::string Service::check() const { return run("check"); }

void Service::stop() const { ::kill(status().service, SIGSTOP); }
void Service::go_on() const { ::kill(last_, SIGCONT); }
void Service::kill_once() const { ::kill(status().service, SIGKILL); }

bool Service::cleaned_up(long sessions) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    do {
        try {
            if (status().sessions <= sessions) return true;
        } catch (const std::runtime_error&) {  // it is being replaced
        }
        ::usleep(20'000);
    } while (std::chrono::steady_clock::now() < until);
    return false;
}

}  // namespace outside

#include "pool/crew.hpp"

#include <csignal>
#include <cstring>
#include <utility>

namespace muster::pool {
namespace {

constexpr std::chrono::seconds grace{1};  // from SIGTERM to SIGKILL

std::string signal_name(int number) {
    const char* const known = ::sigabbrev_np(number);
    return known != nullptr ? "SIG" + std::string(known) : "signal " + std::to_string(number);
}

std::string ending_text(const Process& process) {
    std::string text = "worker " + process.name() + " (pid " + std::to_string(process.pid().value_or(0)) + ") ";
    const std::optional<int> code = process.exitcode();
    if (!code) return text + "has ended";  // somebody else has reaped it
    if (*code < 0) return text + "was ended by " + signal_name(-*code);
    return text + "ended with exit code " + std::to_string(*code);
}

}  // namespace

Crew::Crew(std::size_t size, WorkerTask prototype) : prototype_(std::move(prototype)), board_(size), processes_(size) {}

std::size_t Crew::alive() const noexcept {
    std::size_t count = 0;
    for (const auto& process : processes_) count += process.has_value() ? 1 : 0;
    return count;
}

void Crew::fill() {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        if (processes_[i]) continue;
        Place& place = board_[i];
        place.claim.store(0);
        place.ready.store(0);
        WorkerTask task = prototype_;
        task.place = &place;
        Process process(ProcessOptions{.daemon = true}, [task = std::move(task)]() mutable { return work(task); });
        process.start();
        const std::scoped_lock hold(mutex_);
        processes_[i].emplace(std::move(process));
    }
}

std::vector<Ended> Crew::collect() {
    std::vector<Ended> all;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        if (!processes_[i] || processes_[i]->is_alive()) continue;
        const Place& place = board_[i];
        all.push_back({i, Claim::unpack(place.claim.load()), __atomic_load_n(&place.thing, __ATOMIC_RELAXED), place.ready.load() != 0,
                       ending_text(*processes_[i])});
        const std::scoped_lock hold(mutex_);
        processes_[i].reset();
    }
    return all;
}

std::vector<int> Crew::sentinels() const {
    std::vector<int> all;
    for (const auto& process : processes_)
        if (process) all.push_back(process->sentinel());
    return all;
}

std::vector<pid_t> Crew::pids() const {
    const std::scoped_lock hold(mutex_);
    std::vector<pid_t> all;
    for (const auto& process : processes_)
        if (process) all.push_back(process->pid().value_or(0));
    return all;
}

void Crew::signal_all(int number) noexcept {
    const std::scoped_lock hold(mutex_);
    for (auto& process : processes_) {
        try {
            if (process) process->signal(number);
        } catch (const std::exception&) {  // it has ended
        }
    }
}

void Crew::end_all() noexcept {
    signal_all(SIGTERM);
    const auto until = std::chrono::steady_clock::now() + grace;
    for (auto& process : processes_) {
        try {
            if (!process) continue;
            if (!process->join_until(until)) {
                process->kill();
                process->join();
            }
            const std::scoped_lock hold(mutex_);
            process.reset();
        } catch (const std::exception&) {  // a forked child's: not ours to end
        }
    }
}

}  // namespace muster::pool

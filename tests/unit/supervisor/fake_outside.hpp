// A keeper and a clock for the supervisor's tests: what is sent is recorded, time passes when told.
#pragma once

#include <deque>
#include <map>
#include <new>
#include <variant>

#include "service/supervisor/journal.hpp"
#include "service/supervisor/supervisor.hpp"

struct FakeOutside : muster::service::Outside {
    void send(muster::link::ToKeeper message) override { sent.push_back(std::move(message)); }
    muster::service::Instant now() override { return time; }
    void watch(std::uint64_t id, int pidfd) override {
        if (refuses_to_watch) throw std::bad_alloc();
        watched[id] = pidfd;
    }
    void unwatch(std::uint64_t id) override { watched.erase(id); }
    void record(const muster::service::Process& forked) override { journal.record(forked); }
    void erase(std::uint64_t forked) override { journal.erase(forked); }

    void pass(double seconds) {
        time.wall += seconds;
        time.steady += std::chrono::duration_cast<muster::service::Clock::duration>(
            std::chrono::duration<double>(seconds));
    }
    // The next message of this type, dropping others before it; fails the test when there is none.
    template <typename Message>
    std::optional<Message> take() {
        while (!sent.empty()) {
            auto message = std::move(sent.front());
            sent.pop_front();
            if (auto* wanted = std::get_if<Message>(&message)) return std::move(*wanted);
        }
        return std::nullopt;
    }
    template <typename Message>
    std::vector<Message> take_all() {
        std::vector<Message> result;
        while (auto message = take<Message>()) result.push_back(std::move(*message));
        return result;
    }

    std::deque<muster::link::ToKeeper> sent;
    std::map<std::uint64_t, int> watched;
    bool refuses_to_watch = false;
    muster::service::Journal journal = muster::service::Journal::create(8);
    muster::service::Instant time{muster::service::Clock::time_point(std::chrono::hours(1)), 1'000'000};
};

#include "service/supervisor/state.hpp"

#include <catch2/catch.hpp>

using namespace muster::service;

TEST_CASE("every state and event of a process") {
    using S = State;
    using E = Event;
    struct Row {
        S from;
        E event;
        std::optional<S> to;
    };
    const Row rows[] = {
        {S::starting, E::started, S::running},        {S::starting, E::start_failed, S::failed},
        {S::starting, E::stop_asked, S::stopping},    {S::starting, E::ended, S::exited},
        {S::running, E::started, std::nullopt},       {S::running, E::start_failed, std::nullopt},
        {S::running, E::stop_asked, S::stopping},     {S::running, E::ended, S::exited},
        {S::stopping, E::started, S::stopping},       {S::stopping, E::start_failed, S::failed},
        {S::stopping, E::stop_asked, S::stopping},    {S::stopping, E::ended, S::exited},
        {S::exited, E::started, std::nullopt},        {S::exited, E::start_failed, std::nullopt},
        {S::exited, E::stop_asked, S::exited},        {S::exited, E::ended, std::nullopt},
        {S::failed, E::started, std::nullopt},        {S::failed, E::start_failed, std::nullopt},
        {S::failed, E::stop_asked, S::failed},        {S::failed, E::ended, std::nullopt},
    };
    CHECK(std::size(rows) == state_count * event_count);
    for (const Row& row : rows) {
        CAPTURE(to_string(row.from), static_cast<int>(row.event));
        CHECK(next(row.from, row.event) == row.to);
    }
}

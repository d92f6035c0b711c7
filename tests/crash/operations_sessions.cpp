#include "crash/operations.hpp"
#include "sync/sessions.hpp"

namespace muster::test {
namespace {

using segment::Segment;
using sync::Sessions;

constexpr sync::ProcessIdentity process{4711, 12, 34};

void format(const Segment& segment) { Sessions(segment).format(); }

// Two sessions, the second of which has three threads.
void fill(const Segment& segment) {
    format(segment);
    Sessions sessions(segment);
    sessions.claim_slot(sessions.claim({1, 2, 3}), 5);
    const sync::SessionId second = sessions.claim({7, 8, 9});
    for (const pid_t tid : {70, 71, 72}) sessions.claim_slot(second, tid);
}

std::string all_sessions(const Segment& segment) {
    const Sessions sessions(segment);
    std::string text;
    for (std::uint32_t index = 0; index < 5; ++index) {
        const auto info = sessions.info(index);
        if (!info) continue;
        text += std::to_string(index) + "." + std::to_string(info->id.generation) + ": " + std::to_string(info->identity.pid) +
                "/" + std::to_string(info->identity.start_time) + "/" + std::to_string(info->identity.pid_namespace) + "; ";
    }
    for (std::uint32_t index = 0; index < 8; ++index)
        for (const std::uint32_t generation : {1u, 2u})
            if (const auto holder = sessions.holder(sync::SlotId::make(index, generation)))
                text += std::to_string(index) + "." + std::to_string(generation) + " of " +
                        std::to_string(holder->session.index) + ": " + std::to_string(holder->tid) + "; ";
    return text;
}

}  // namespace

std::vector<Operation> session_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, all_sessions}); };
    add("sessions: claim, the first", format, [](const Segment& s) { Sessions(s).claim(process); });
    add("sessions: claim, a freed one",
        [](const Segment& s) {
            fill(s);
            Sessions(s).free({0, 1});
        },
        [](const Segment& s) { Sessions(s).claim(process); });
    add("sessions: free", fill, [](const Segment& s) { Sessions(s).free({1, 1}); });
    all.back().in_steps = true;
    add("sessions: claim_slot", fill, [](const Segment& s) { Sessions(s).claim_slot({0, 1}, 99); });
    add("sessions: free_slot", fill, [](const Segment& s) { Sessions(s).free_slot(sync::SlotId::make(2, 1)); });
    return all;
}

}  // namespace muster::test

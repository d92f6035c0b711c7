#include "crash/operations.hpp"
#include "sync/sessions.hpp"

namespace muster::test {
namespace {

using segment::Segment;
using sync::Sessions;

constexpr sync::ProcessIdentity claimant{4711, 12, 34};

void nothing(const Segment&) {}

// Behind the two that are always there: sessions 2 and 3, the second of which has three threads (slots 3 to 5).
void fill_sessions(const Segment& segment) {
    Sessions sessions(segment);
    sessions.claim_slot(sessions.claim({1, 2, 3}), 5);
    const sync::SessionId second = sessions.claim({7, 8, 9});
    for (const pid_t tid : {70, 71, 72}) sessions.claim_slot(second, tid);
}

// Without the session that dies: sometimes the service has reclaimed it.
std::string all_sessions(const Segment& segment) {
    const Sessions sessions(segment);
    std::string text;
    for (std::uint32_t index = 0; index < 7; ++index) {
        const auto info = sessions.info(index);
        if (!info || index == dying.index) continue;
        text += std::to_string(index) + "." + std::to_string(info->id.generation) + ": " + std::to_string(info->identity.pid) +
                "/" + std::to_string(info->identity.start_time) + "/" + std::to_string(info->identity.pid_namespace) + "; ";
    }
    for (std::uint32_t index = dying_thread.index() + 1; index < 9; ++index)
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
    add("sessions: claim, a fresh one", nothing, [](const Segment& s) { Sessions(s).claim(claimant); });
    add("sessions: claim, the first of all", [](const Segment& s) { Sessions(s).free(living); },
        [](const Segment& s) { Sessions(s).claim(claimant); });
    add("sessions: claim, a freed one",
        [](const Segment& s) {
            fill_sessions(s);
            Sessions(s).free({2, 1});
        },
        [](const Segment& s) { Sessions(s).claim(claimant); });
    add("sessions: free, with several threads", fill_sessions, [](const Segment& s) { Sessions(s).free({3, 1}); });
    all.back().in_steps = true;
    add("sessions: free, without any thread", [](const Segment& s) { Sessions(s).claim(claimant); },
        [](const Segment& s) { Sessions(s).free({2, 1}); });
    add("sessions: claim_slot, a fresh one", fill_sessions, [](const Segment& s) { Sessions(s).claim_slot({2, 1}, 99); });
    add("sessions: claim_slot, a freed one",
        [](const Segment& s) {
            fill_sessions(s);
            Sessions(s).free_slot(sync::SlotId::make(4, 1));
        },
        [](const Segment& s) { Sessions(s).claim_slot({2, 1}, 99); });
    const auto free_slot = [](std::uint32_t index) {
        return [index](const Segment& s) { Sessions(s).free_slot(sync::SlotId::make(index, 1)); };
    };
    add("sessions: free_slot, of several", fill_sessions, free_slot(4));
    add("sessions: free_slot, the only one", fill_sessions, free_slot(2));
    for (Operation& operation : all) operation.service_too = false;  // it frees a session, too
    return all;
}

}  // namespace muster::test

// The quiet moments: nobody is inside an operation, and what is there is held against what was noted.
#include <sys/wait.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "soak/controller.hpp"
#include "support/soundness.hpp"

namespace muster::soak {

using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::size_t most_descriptors = 200;       // of keeper and service, whatever has happened
constexpr std::size_t most_growth_kib = 32 * 1024;  // of the keeper

std::string joined(const std::vector<std::string>& all) {
    std::string text;
    for (const std::string& one : all) text += (text.empty() ? "" : ", ") + one;
    return text;
}

}  // namespace

void Controller::law(const std::string& name, const std::string& found) {
    ++report_.laws[name];
    if (!found.empty()) block_->violate(name + ": " + found);
}

void Controller::law_in_time(const std::string& name, const std::function<std::string()>& look) {
    const auto until = Clock::now() + options_.patience;
    std::string found = look();
    while (!found.empty() && Clock::now() < until) {
        std::this_thread::sleep_for(2ms);
        found = look();
    }
    law(name, found);
}

bool Controller::is_ours(pid_t pid) const {
    return pid == ::getpid() || std::any_of(crew_.begin(), crew_.end(), [&](const Member& one) {
               return one.running() && one.pid() == pid;
           });
}

std::uint64_t Controller::memory_used() const {
    return heap::Extents(realm_.session->segment()).used_bytes();
}

std::uint64_t Controller::recoveries() const {
    const segment::Segment& segment = realm_.session->segment();
    std::uint64_t sum = 0;
    for (const std::uint64_t offset : {segment.regions().segment_domain, segment.regions().directory_domain,
                                       segment.regions().sessions_domain})
        sum += segment.at<tx::DomainRep>(offset)->recoveries;
    for (std::uint32_t id = 1; id <= realm_.session->directory().high_water(); ++id)
        sum += heap::object_at(segment, id).domain.recoveries;
    return sum;
}

// Until every worker stands between two operations. False: something is wrong.
bool Controller::quieten() {
    block_->pause = true;
    target_->go_on();
    const auto parked = [&] {
        for (unsigned i = 0; i < members(); ++i)
            if (crew_[i].running() && !block_->pages[page_of(i)].parked.load()) return false;
        return true;
    };
    while (!parked()) {
        std::this_thread::sleep_for(1ms);
        reap();
        stand_in();
        watch();
        if (broken()) return false;
    }
    reap();
    return true;
}

void Controller::audit(bool everything) {
    if (quieten()) {
        law_in_time("the keeper starts the service anew",
                    [&] { return target_->service() != 0 ? std::string() : std::string("there is none"); });
        check_sessions();
        check_locks();
        check_passing();
        check_items();
        check_sums();
        check_sync();
        check_own();
        check_daemon();
        new_round();
        if (everything && !broken()) {
            check_memory();
            make_world();
        }
    }
    service_seen_ = Clock::now();
    for (Watched& watched : watched_) watched.still = 0ms;
    block_->pause = false;
}

// Erases what there is, if there is something, and makes all objects, as they begin.
void Controller::make_world() {
    world_ = open_world(realm_.manager);
    for (unsigned i = 0; i < options_.workers; ++i) {
        (void)open_own(realm_.manager, i);
        for (Own& own : block_->pages[i].own) {
            own.state = 0;
            own.models[0].size = 0;
        }
    }
    fill_world(*world_);
    bases_ = {};
    block_->ledger = block_->bank = {};
    for (Page& page : block_->pages) page.permits = 0;
    ++block_->world;
    new_round();
}

// Items have new numbers, counters count from where they are.
void Controller::new_round() {
    world_->jobs.clear();
    world_->mail.clear();
    world_->tokens.clear();
    world_->log.clear();
    world_->tickets.clear();
    world_->badges.clear();
    world_->stack.clear();
    world_->ranks.clear();
    world_->loans.clear();
    world_->parcels.clear();
    const auto forget = [](auto& tallies) {
        for (Tally& tally : tallies) tally.meant = tally.done = 0;
    };
    for (Page& page : block_->pages) {
        for (unsigned store = 0; store < store_count; ++store) {
            const std::uint32_t used = std::min(page.next[store].load(), items_per_round);
            for (std::uint32_t i = 0; i < used; ++i) {
                page.put[store][i] = Put::never;
                page.got[store][i] = 0;
            }
            page.next[store] = 0;
        }
        page.loan = 0;
        page.tasks_done.meant = page.tasks_done.done = 0;
        forget(page.counted);
        forget(page.counted_in_list);
        forget(page.counted_under_lock);
        forget(page.counted_by_counter);
        forget(page.counted_in_namespace);
        forget(page.transfers);
        forget(page.moves);
        forget(page.counted_in_value);
        forget(page.counted_in_array);
        for (Tally* tally : {&page.passes, &page.rounds, &page.made, &page.used}) tally->meant = tally->done = 0;
    }
    may_be_lost_ = {};
    bases_.unfinished = world_->mail.unfinished();
    bases_.moves = world_->till.book.get<std::int64_t>("moves");
    for (std::uint32_t i = 0; i < counters; ++i) bases_.counted[i] = world_->counters.at(i);
    for (std::uint32_t i = 0; i < guarded; ++i) bases_.counted_under_lock[i] = world_->guarded.at(i);
    for (unsigned i = 0; i < elements; ++i)
        bases_.counted_in_list[i] = world_->counting.at(static_cast<Index>(i));
    for (std::uint32_t i = 0; i < counters; ++i) bases_.counted_by_counter[i] = world_->counter.get(i);
    for (unsigned i = 0; i < attributes; ++i)
        bases_.counted_in_namespace[i] = world_->space.get<std::int64_t>(attribute_name(i));
    bases_.transfers = world_->receipts.get(0);
    bases_.credits = world_->credits.get();
    bases_.counted_in_value = world_->value.get();
    for (unsigned i = 0; i < elements; ++i) bases_.counted_in_array[i] = world_->array.get(static_cast<Index>(i));
    ++block_->round;
    put_tokens(token_count);
}

// Whoever is dead has no session and no slot left.
void Controller::check_sessions() {
    const sync::Sessions& sessions = realm_.session->sessions();
    law_in_time("the dead leave no session", [&]() -> std::string {
        for (std::uint32_t i = 0; i < segment::max_sessions; ++i)
            if (const auto info = sessions.info(i); info && !is_ours(info->identity.pid))
                return "session " + std::to_string(i) + " is of " + std::to_string(info->identity.pid);
        return {};
    });
    const segment::Segment& segment = realm_.session->segment();
    law("the dead leave no slot", [&]() -> std::string {
        for (std::uint32_t i = 0; i < segment::max_slots; ++i) {
            const auto& slot =
                *segment.at<sync::SlotRep>(segment.regions().slots + i * sizeof(sync::SlotRep));
            const auto owner = static_cast<std::uint32_t>(slot.ident.get());
            if (owner == 0) continue;
            const auto info = sessions.info(owner - 1);
            if (!info || info->id.generation != slot.session_generation) return "slot " + std::to_string(i);
        }
        return {};
    }());
}

void Controller::check_locks() {
    for (const detail::BasicLock* lock : {static_cast<const detail::BasicLock*>(&world_->ledger),
                                          static_cast<const detail::BasicLock*>(&world_->bank),
                                          static_cast<const detail::BasicLock*>(&world_->news)})
        law_in_time("no lock stays held", [&]() -> std::string {
            const auto owner = lock->owner();
            return !lock->locked()
                       ? ""
                       : lock->name() + " is held by " + (owner ? std::to_string(owner->pid) : "nobody");
        });
}

// Of objects that come and go only those remain that have a name.
void Controller::check_passing() {
    for (const std::string& name : realm_.manager.names())
        if (name.starts_with(passing_prefix)) realm_.manager.erase(name);
    auto expected = lasting_names(options_.workers);
    law("the directory has what was made", [&]() -> std::string {
        auto there = realm_.manager.names();
        std::sort(there.begin(), there.end());
        std::sort(expected.begin(), expected.end());
        std::vector<std::string> differing;
        std::set_symmetric_difference(there.begin(), there.end(), expected.begin(), expected.end(),
                                      std::back_inserter(differing));
        return joined(differing);
    }());
    law_in_time("objects without a name go with who held them", [&]() -> std::string {
        const std::uint64_t live = realm_.session->directory().live();
        const std::uint64_t as_values = world_->parcels.size() + world_->shelves.size();
        return live == expected.size() + as_values
                   ? ""
                   : std::to_string(live) + " objects, " + std::to_string(expected.size()) + " have names, " +
                         std::to_string(as_values) + " are values";
    });
}

void Controller::check_own() {
    for (unsigned i = 0; i < options_.workers; ++i) {
        std::string found;
        try {
            settle_own(open_own(realm_.manager, i), i, block_->pages[i]);
        } catch (const Broken& broken) {
            found = broken.what();
        }
        law("one's own objects are as one left them", found);
    }
}

// What daemon and library say themselves.
void Controller::check_daemon() {
    session::Control& daemon = realm_.session->control();
    const auto deadline = [&] { return base::Deadline::after(options_.patience); };
    law("check finds nothing", [&]() -> std::string {
        const json report = daemon.call("io.muster.objects.Check", json::object(), deadline());
        return report.at("violations").empty() ? "" : report.at("violations").dump();
    }());
    law_in_time("the segment is sound, at rest, and nothing is leaked",
                [&] { return test::first_violations(realm_.session->segment()); });
    law_in_time("the daemon knows who lives", [&]() -> std::string {
        std::set<pid_t> there, expected;
        for (const ProcessInfo& process : realm_.manager.processes()) there.insert(process.pid);
        for (const Member& member : crew_)
            if (member.running() && member.announced()) expected.insert(member.pid());
        if (there == expected) return {};
        return std::to_string(there.size()) + " processes, " + std::to_string(expected.size()) + " live";
    });
    law_in_time("the keeper has no other children than those who live", [&]() -> std::string {
        for (const pid_t child : children_of(target_->keeper()))
            if (child != target_->service() && !is_ours(child)) return std::to_string(child);
        return {};
    });
    for (const pid_t pid : {target_->keeper(), target_->service()})
        law_in_time("the daemon's descriptors do not pile up", [&]() -> std::string {
            const std::size_t open = descriptors_of(pid);
            return open <= most_descriptors ? "" : std::to_string(pid) + " has " + std::to_string(open);
        });
    if (target_->is_own())
        law("the keeper does not grow", [&]() -> std::string {
            const std::size_t now = resident_kib_of(target_->keeper());
            return now <= keeper_kib_ + most_growth_kib
                       ? ""
                       : std::to_string(now) + " KiB, before " + std::to_string(keeper_kib_);
        }());
}

// When all is erased nothing has any memory.
void Controller::check_memory() {
    world_.reset();
    for (const std::string& name : lasting_names(options_.workers)) realm_.manager.erase(name);
    law_in_time("memory is back where it was when all is erased", [&]() -> std::string {
        const std::uint64_t used = memory_used(), live = realm_.session->directory().live();
        if (used == memory_at_start_ && live == 0) return {};
        return std::to_string(live) + " objects, " + std::to_string(used) + " bytes; at the start " +
               std::to_string(memory_at_start_);
    });
}

// The workers have ended as they were told.
void Controller::check_end() {
    check_sessions();
    check_passing();
    check_memory();
    check_daemon();
    law("nobody is left behind", ::waitpid(-1, nullptr, WNOHANG) == -1 || target_->is_own()
                                     ? std::string()
                                     : std::string("a child of the soak's"));
}

}  // namespace muster::soak

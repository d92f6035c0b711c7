#include "soak/controller.hpp"

#include <signal.h>
#include <unistd.h>

#include <thread>

namespace muster::soak {

using namespace std::chrono_literals;

namespace {

// Every so often all is held against the laws: after so many kills, or so much time.
constexpr std::uint64_t kills_between_audits = 120;
constexpr auto time_between_audits = 4s;
constexpr unsigned audits_between_new_worlds = 5;
// Half of those who have not got on for so long are not killed before they do: a death hides that nobody
// wakes one.
constexpr auto spared_when_still = 25ms;

Way way_of(unsigned worker) {
    return worker % 8 == 7 ? Way::spawn : worker % 2 == 0 ? Way::process : Way::fork;
}

}  // namespace

std::string Controller::label(unsigned member) const {
    return page_of(member) == inspector ? "inspector" : "worker " + std::to_string(member);
}

void Controller::start(unsigned index) {
    Member& member = crew_[index];
    Page& page = block_->pages[page_of(index)];
    const std::uint64_t seed = random_.engine()();
    const bool inherits = random_.below(2) == 0;
    page.parked = false;
    Member::Job job;
    if (member.way() == Way::spawn) {
        char self[4096];
        const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
        job.argv = {std::string(self, static_cast<std::size_t>(std::max<ssize_t>(size, 0))),
                    "--address",
                    target_->address(),
                    "--seed",
                    std::to_string(seed),
                    "--as-worker",
                    std::to_string(index),
                    "--block",
                    block_.path()};
    } else {
        job.run = [this, index, seed, inherits] {
            if (page_of(index) == inspector) return inspect(*block_, target_->address(), seed);
            return work(*block_, index, target_->address(), seed, inherits ? &realm_ : nullptr);
        };
    }
    member.start(realm_.manager, job);
    watched_[index] = {.waited_for = random_.below(2) == 0};
    ++report_.worker_starts;
}

void Controller::start_missing() {
    for (unsigned i = 0; i < members(); ++i) {
        if (crew_[i].running()) continue;
        // The daemon is asked only while it can answer: else nobody would be there to let it go on.
        if (crew_[i].way() == Way::spawn && (target_->stopped() || target_->service() == 0)) continue;
        start(i);
    }
}

void Controller::reap() {
    for (unsigned i = 0; i < members(); ++i)
        if (const auto code = crew_[i].ended()) account(i, *code);
}

// What the dead were about to do may be done or not.
void Controller::account(unsigned index, int code) {
    Page& page = block_->pages[page_of(index)];
    const Member& member = crew_[index];
    const Op op = page.op.load();
    if (code != 0 && code != -SIGKILL && code != 3)  // 3: it has noted what it found
        block_->violate("nobody ends by itself: " + label(index) + ", in " + name_of(op) + ", ended with " +
                        std::to_string(code));
    if (member.killed()) {
        ++report_.worker_kills;
        ++report_.kills_by_way[member.way()];
        ++report_.deaths[static_cast<std::size_t>(op)];
        if (op != Op::none) ++report_.deaths_in_operation;
    }
    for (unsigned store = 0; store < store_count; ++store)
        may_be_lost_[store] += page.taking[store].exchange(0);
    page.op = Op::none;
    page.parked = false;
    page.permits = 0;
    page.loan = 0;  // it is given back
    if (page.owes_token.exchange(false)) put_tokens(1);
}

void Controller::put_tokens(unsigned count) {
    Page& page = block_->pages[controller];
    for (; count != 0; --count) {
        const std::uint32_t number = page.next[tokens]++;
        if (number >= items_per_round) throw Error(Errc::limit_exceeded, "count", "tokens of one round");
        page.put[tokens][number] = Put::done;
        world_->tokens.put(text_of(ItemId{block_->round, tokens, controller, number}.packed()));
    }
}

// Lets those go on who wait for others of their kind: when all put, nobody takes.
void Controller::stand_in() {
    stand_in_for_sync();
    for (int i = 0; i < 4 && world_->jobs.full(); ++i) {
        const auto text = world_->jobs.try_get();
        if (!text) return;
        const auto id = id_of(*text);
        if (!id) return law("every value is whole", "jobs gave the controller " + text->substr(0, 60));
        const ItemId item = ItemId::unpack(*id);
        if (block_->pages[item.maker % page_count].got[jobs][item.number % items_per_round].fetch_add(1) != 0)
            law("an item is taken once", "jobs gave the controller '" + text->substr(0, 60) + "' again");
    }
}

void Controller::kill_somebody() {
    std::vector<unsigned> alive, changing;
    for (unsigned i = 0; i < members(); ++i) {
        if (!crew_[i].running() || crew_[i].killed()) continue;
        if (watched_[i].waited_for && watched_[i].still > spared_when_still) continue;
        alive.push_back(i);
        if (!may_sleep(block_->pages[page_of(i)].op.load())) changing.push_back(i);
    }
    // Left to chance, most are killed in their sleep.
    const auto& choice = changing.empty() || random_.below(2) == 0 ? alive : changing;
    if (!choice.empty()) crew_[choice[random_.below(choice.size())]].kill();
    const double pause = options_.pace_ms * 2 * static_cast<double>(random_.below(1001)) / 1000;
    next_kill_ = Clock::now() + std::chrono::microseconds(static_cast<std::int64_t>(pause * 1000));
}

// Kills the service, stops it for a moment, and sees that the keeper starts the next one.
void Controller::tend_service() {
    const auto now = Clock::now();
    if (target_->stopped() && now >= stopped_until_) {
        if (random_.below(4) == 0 && target_->kill_service()) ++report_.service_kills;  // in its sleep
        target_->go_on();
    }
    if (target_->service() != 0) {
        service_seen_ = now;
    } else if (now - service_seen_ > options_.patience) {
        law("the keeper starts the service anew",
            "there has been none for " + std::to_string(options_.patience.count()) + " ms");
        service_seen_ = now;
    }
    if (now < next_service_kill_ || target_->stopped() || finished()) return;
    next_service_kill_ = now + std::chrono::milliseconds(50 + random_.below(1500));
    if (random_.below(3) == 0) {
        if (!target_->stop_service()) return;
        ++report_.service_stops;
        stopped_until_ = now + std::chrono::milliseconds(1 + random_.below(200));
    } else if (target_->kill_service()) {
        ++report_.service_kills;
    }
}

// Whoever works gets on. Time counts only while the controller, too, is given the processor.
void Controller::watch() {
    const auto now = Clock::now();
    const auto passed =
        std::min(std::chrono::duration_cast<std::chrono::milliseconds>(now - last_look_), 500ms);
    last_look_ = now;
    for (unsigned i = 0; i < members(); ++i) {
        const Page& page = block_->pages[page_of(i)];
        Watched& watched = watched_[i];
        const std::uint64_t progress = page.progress.load();
        if (!crew_[i].running() || page.parked.load() || progress != watched.progress) {
            report_.longest_still = std::max(report_.longest_still, watched.still);
            watched.progress = progress;
            watched.still = 0ms;
        } else if ((watched.still += passed) > options_.patience) {
            law("nobody sleeps while there is something to do",
                label(i) + " (pid " + std::to_string(crew_[i].pid()) + ", started by " +
                    name_of(crew_[i].way()) + ") has been in '" + name_of(page.op.load()) + "' for " +
                    std::to_string(watched.still.count()) + " ms");
            report_.longest_still = std::max(report_.longest_still, watched.still);
            watched.still = 0ms;
        }
    }
}

bool Controller::finished() const {
    if (options_.kills != 0 && report_.kills() >= options_.kills) return true;
    return options_.minutes > 0 &&
           Clock::now() - began_ > std::chrono::duration<double>(options_.minutes * 60);
}

// All are told to stop and do.
void Controller::end_crew() {
    target_->go_on();
    block_->stop = true;
    const auto until = Clock::now() + options_.patience;
    const auto some = [&] {
        for (const Member& member : crew_)
            if (member.running()) return true;
        return false;
    };
    while (some()) {
        for (unsigned i = 0; i < members(); ++i)
            if (crew_[i].running() && Clock::now() > until && !crew_[i].killed()) {
                if (!broken())
                    law("whoever is told to stop does",
                        label(i) + " is in " + name_of(block_->pages[page_of(i)].op.load()));
                crew_[i].kill();
            }
        reap();
        std::this_thread::sleep_for(1ms);
    }
}

Controller::Controller(const Options& options)
    : options_(options),
      target_(options.address.empty() ? std::make_unique<Target>()
                                      : std::make_unique<Target>(options.address)),
      realm_(target_->address()),
      random_(options.seed),
      watched_(options.workers + 1) {
    const auto names = realm_.manager.names();
    if (!names.empty())
        throw Error(Errc::invalid_argument, "start", target_->address(),
                    "the realm is in use: it has '" + names.front() + "'");
    memory_at_start_ = memory_used();
    recoveries_at_start_ = recoveries();
    keeper_kib_ = resident_kib_of(target_->keeper());
    for (unsigned i = 0; i < options_.workers; ++i)
        crew_.emplace_back("soak-" + std::to_string(i), way_of(i));
    crew_.emplace_back("soak-inspector", Way::process);
}

// Kills and looks until it is enough, or something is wrong.
void Controller::soak() {
    auto next_audit = began_ + time_between_audits;
    std::uint64_t kills_then = 0;
    while (!finished() && !broken()) {
        start_missing();
        std::this_thread::sleep_until(std::min(next_kill_, Clock::now() + 4ms));
        reap();
        stand_in();
        watch();
        tend_service();
        if (Clock::now() >= next_kill_) kill_somebody();
        if (Clock::now() < next_audit && report_.kills() - kills_then < kills_between_audits) continue;
        audit(++audits_ % audits_between_new_worlds == 0);
        next_audit = Clock::now() + time_between_audits;
        kills_then = report_.kills();
    }
    if (!broken()) audit(true);
}

Report Controller::run() {
    began_ = last_look_ = service_seen_ = next_kill_ = next_service_kill_ = Clock::now();
    block_->round = 1;
    make_world();
    block_->sabotage = options_.sabotage;
    try {
        soak();
    } catch (const std::exception& error) {
        block_->violate(std::string("nothing fails: ") + error.what() + "; the service is " +
                        target_->service_state());
    }
    end_crew();
    report_.rolled_back = recoveries() - recoveries_at_start_;
    if (!broken()) check_end();
    report_.violations = block_->all_violations();
    if (!report_.violations.empty() && target_->is_own()) report_.log = target_->log();
    report_.live_checks = block_->checks;
    for (const Page& page : block_->pages)
        for (std::size_t op = 0; op < op_count; ++op) report_.operations[op] += page.counts[op];
    report_.seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    const std::string wrong = target_->end();
    if (!wrong.empty()) report_.violations.push_back("nothing is left behind: " + wrong);
    return report_;
}

}  // namespace muster::soak

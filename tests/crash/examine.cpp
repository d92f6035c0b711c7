#include "crash/examine.hpp"

#include <algorithm>

#include "crash/aftermath.hpp"
#include "crash/service.hpp"
#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

namespace muster::test {
namespace {

using segment::Segment;

constexpr std::uint64_t capacity = segment::minimum_capacity;

// Of the images of recoveries, one in so many is looked at as closely as those of the operation.
constexpr std::size_t closely = 16;

// Who comes first after a death. `extents`: the extent table alone, where extents belong to nobody: the directory
// would take them back.
enum class First { directory, objects, reader, service, extents };

class Examiner {
  public:
    Examiner(const Operation& operation, const Depth& depth) : operation_(operation), depth_(depth), live_(capacity) {
        result_.name = operation.name;
        if (operation.store_to_store || operation.long_way) depth_.every_instruction = false;
        if (!operation.long_way) return;
        depth_.images = std::min<std::size_t>(depth_.images, 150);
        depth_.recoveries = std::min<std::size_t>(depth_.recoveries, 4);
        depth_.kills = std::min<std::size_t>(depth_.kills, 3);
    }

    Examination run() {
        prepare(*live_);
        service_of(*live_);
        find_states();
        CrashOptions options;
        options.every_instruction = depth_.every_instruction;
        options.at_most = depth_.images;
        std::size_t seen = 0;
        const CrashReport report = for_each_crash_image(
            *live_, [&] { operation_.run(*live_); },
            [&](const Segment& image, std::size_t index) {
                note_log(image);
                // Spread without knowing how many images there will be: ever fewer.
                const bool also_recovery = depth_.recoveries != 0 && seen % (1 + seen / depth_.recoveries) == 0;
                ++seen;
                const std::string failure = also_recovery ? die_recovering(image, index, 1) : std::string();
                return failure.empty() ? judge(image, index, true) : failure;
            },
            options);
        result_.instructions = report.instructions;
        result_.images = report.images;
        keep("", report);
        if (report.images == 0) result_.failures.push_back("the operation changes nothing");
        if (result_.log_entries < operation_.log_entries)
            result_.failures.push_back("the log held " + std::to_string(result_.log_entries) + " entries at most");
        kill();
        return result_;
    }

  private:
    void prepare(const Segment& segment) {
        settle(segment);
        operation_.setup(segment);
    }

    // What the operation makes of the segment when nobody dies, and what is left of it when all is erased.
    void find_states() {
        const Segment copy = make_image_of(*live_);
        const Snapshot start(*live_);
        start.write_to(copy);
        before_ = operation_.contents(copy);
        start.write_to(copy);
        operation_.run(copy);
        after_ = operation_.contents(copy);
        if (operation_.sleeps_on) slept_on_ = operation_.sleeps_on(*live_);
        std::string wrong = whats_wrong(copy);
        if (wrong.empty()) wrong = look_closely(copy);
        if (!wrong.empty()) result_.failures.push_back("without any death: " + wrong);
        if (before_ == after_) result_.failures.push_back("the states before and after cannot be told apart");
    }

    std::string whats_wrong(const Segment& segment) const {
        return first_violations(segment, {.every_extent_owned = operation_.owned});
    }

    First first(std::size_t index) const {
        if (operation_.by_service || operation_.sleeps_on) return First::service;
        if (!operation_.owned) return First::extents;
        static constexpr First all[]{First::directory, First::objects, First::reader, First::service};
        return all[index % (operation_.service_too ? 4 : 3)];
    }

    // Everything that is done after a death, by whoever is first; what the reader found, as text.
    std::string recover_it(const Segment& image, First first) const {
        std::string seen;
        switch (first) {
            case First::directory: recover(image, false); break;
            case First::objects: recover(image, true); break;
            case First::extents: heap::Extents(image).for_each([](const heap::Extent&) {}); break;
            case First::reader:
                seen = operation_.contents(image);
                recover(image, false);
                break;
            case First::service:
                if ((operation_.all_dead ? service_of(image).reclaim_dead({})
                                         : service_of(image).reclaim(dying.index, dying.generation)).deferred)
                    throw std::runtime_error("the service finds somebody alive in there");
                // It may itself have died freeing the session: then that is gone, and the next to come does the rest.
                if (sync::Sessions(image).is(dying)) throw std::runtime_error("the session is not free");
                { const tx::DomainLock lock(image, sessions_domain(image), base::Deadline::never()); }
                break;
        }
        return seen;
    }

    bool right(const std::string& state) const {
        return state == before_ || state == after_ || operation_.in_steps ||
               (operation_.right_too && operation_.right_too(state, after_));
    }
    std::string neither(const std::string& state) const {
        return "state is [" + state + "], neither [" + before_ + "] nor [" + after_ + "]";
    }

    std::string judge(const Segment& image, std::size_t index, bool close_look) const {
        const First who = first(index);
        if (const std::string seen = recover_it(image, who); who == First::reader && !right(seen))
            return "a reader, before any recovery: " + neither(seen);
        if (sleeper_ && !sleeper_->proceeds(depth_.patience)) return "the sleeper sleeps on";
        if (const std::string wrong = whats_wrong(image); !wrong.empty()) return wrong;
        if (who == First::service && operation_.sleeps_on && operation_.sleeps_on(image) == slept_on_)
            return "nobody has woken the sleeper: the word is as it was";
        const std::string state = operation_.contents(image);
        if (!right(state)) return neither(state);
        const bool on_the_way = operation_.right_too && operation_.right_too(state, after_) && !operation_.again_too;
        if (state != after_ && !on_the_way) {
            operation_.run(image);
            const std::string again = operation_.contents(image);
            if (again != after_ && !(operation_.again_too && operation_.again_too(again, after_)))
                return "done again after the recovery: [" + again + "] instead of [" + after_ + "]";
            if (const std::string wrong = whats_wrong(image); !wrong.empty())
                return "done again after the recovery: " + wrong;
        }
        return close_look ? look_closely(image) : std::string();
    }

    // Is all of it still good for something, and does it give everything back? Nothing is in there afterwards.
    std::string look_closely(const Segment& image) const {
        std::string wrong = whats_unusable(image, operation_.real_containers);
        if (wrong.empty()) wrong = whats_wrong(image);
        if (!wrong.empty()) return "used after the recovery: " + wrong;
        wrong = whats_left_when_erased(image, !operation_.owned);
        return wrong.empty() ? wrong : "erased after the recovery: " + wrong;
    }

    // Level 1: dying during the recovery of a death; level 2: and during the recovery of that.
    std::string die_recovering(const Segment& image, std::size_t index, int level) {
        if (first(index) == First::service) service_of(image);
        CrashOptions options;
        options.every_instruction = false;
        options.at_most = level == 1 ? depth_.images_of_recovery : depth_.images_of_second;
        std::size_t& count = level == 1 ? result_.images_of_recovery : result_.images_of_second;
        const CrashReport report = for_each_crash_image(
            image, [&] { recover_it(image, first(index)); },
            [&](const Segment& second, std::size_t i) {
                ++count;
                const bool deeper = level == 1 && count % 97 == 5 && seconds_++ < depth_.second_recoveries;
                const std::string failure = deeper ? die_recovering(second, i + index + 1, 2) : std::string();
                return failure.empty() ? judge(second, i + index, count % closely == 0) : failure;
            },
            options);
        return report.failures.empty() ? std::string() : "death during recovery, " + report.failures.front();
    }

    void kill() {
        if (depth_.kills == 0) return;
        const std::uint64_t settled = reserved_when_erased();
        if (operation_.sleeps_on) {
            const Snapshot before(*live_);
            Sleeper sleeper(operation_.sleeps_on(*live_));
            operation_.run(*live_);
            const bool woken = sleeper.proceeds(depth_.patience);
            before.write_to(*live_);
            if (!woken) return result_.failures.push_back("without any death: the sleeper sleeps on");
        }
        service_of(*live_);  // many others may have been asked for since
        CrashOptions options;
        options.at_most = depth_.kills;
        options.before_each = [&] {
            if (operation_.sleeps_on) sleeper_ = std::make_unique<Sleeper>(operation_.sleeps_on(*live_));
        };
        const CrashReport report = for_each_kill(
            *live_, [&] { operation_.run(*live_); },
            [&](const Segment& segment, std::size_t index) {
                std::string wrong = judge(segment, index, true);
                if (wrong.empty() && segment.reserved_bytes() > settled)
                    wrong = std::to_string(segment.reserved_bytes()) + " bytes are kept when all is erased, " +
                            std::to_string(settled) + " otherwise";
                return wrong;
            },
            options);
        sleeper_.reset();
        result_.kills = report.checked;
        if (report.checked == 0) result_.failures.push_back("nobody was really killed");
        keep("real kill, ", report);
    }

    // The kernel's memory for a segment where all this happened and nobody died.
    std::uint64_t reserved_when_erased() {
        const TempSegment other(capacity);
        prepare(*other);
        operation_.run(*other);
        const std::string wrong = look_closely(*other);
        if (!wrong.empty()) result_.failures.push_back("without any death: " + wrong);
        return other->reserved_bytes();
    }

    void note_log(const Segment& image) {
        for_each_domain(image, [&](const std::string&, const tx::DomainRep& domain) {
            result_.log_entries = std::max(result_.log_entries, domain.log_count);
        });
    }

    void keep(const std::string& where, const CrashReport& report) {
        for (const std::string& failure : report.failures) result_.failures.push_back(where + failure);
    }

    const Operation& operation_;
    Depth depth_;
    TempSegment live_;
    std::string before_, after_;
    std::uint32_t slept_on_ = 0;
    std::size_t seconds_ = 0;
    std::unique_ptr<Sleeper> sleeper_;  // of a real kill
    Examination result_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Examination& e) {
    return out << e.name << ": " << e.instructions << " instructions, " << e.images << " distinct images, "
               << e.images_of_recovery << " of recoveries, " << e.images_of_second << " of recoveries of these, "
               << e.kills << " kills, " << e.log_entries << " log entries";
}

Examination examine(const Operation& operation, const Depth& depth) { return Examiner(operation, depth).run(); }

}  // namespace muster::test

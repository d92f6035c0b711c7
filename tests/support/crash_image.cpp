#include "support/crash_image.hpp"

#include <linux/futex.h>

#include <stdexcept>

#include "containers/directory.hpp"

namespace muster::test {
namespace {

constexpr std::size_t failures_told = 20;

// Every one when there are few, else evenly spread; the last one always.
template <typename Fn>
void spread(std::size_t count, std::size_t at_most, Fn&& fn) {
    if (count == 0) return;
    const std::size_t step = at_most == 0 || count <= at_most ? 1 : (count + at_most - 1) / at_most;
    for (std::size_t i = 0; i < count; i += step) fn(i);
    if ((count - 1) % step != 0) fn(count - 1);
}

void add(CrashReport& report, std::size_t index, const std::string& text) {
    if (text.empty() || report.failures.size() >= failures_told) return;
    report.failures.push_back("image " + std::to_string(index) + " of " + std::to_string(report.images) + ": " + text);
}

std::string judge(const Check& check, const segment::Segment& image, std::size_t index) {
    try {
        return check(image, index);
    } catch (const std::exception& error) {
        return std::string("exception: ") + error.what();
    } catch (const segment::Damage& damage) {
        return std::string("damage: ") + damage.what;
    } catch (const heap::Destroyed&) {
        return "object destroyed";
    } catch (...) {
        return "exception of another type";
    }
}

}  // namespace

void for_each_domain(const segment::Segment& segment,
                     const std::function<void(const std::string& name, tx::DomainRep&)>& fn) {
    const auto& regions = segment.regions();
    fn("segment", *segment.at<tx::DomainRep>(regions.segment_domain));
    fn("directory", *segment.at<tx::DomainRep>(regions.directory_domain));
    auto& sessions = *segment.at<tx::DomainRep>(regions.sessions_domain);
    if (sessions.mutex.sound()) fn("sessions", sessions);  // formatted by the layer sync
    const std::uint64_t last = std::min(containers::Directory(segment).high_water() + 1, regions.object_capacity);
    for (std::uint32_t id = 1; id <= last; ++id)
        fn("object " + std::to_string(id), heap::object_at(segment, id).domain);
}

void mark_dead_owner(const segment::Segment& segment, pid_t thread) {
    for_each_domain(segment, [&](const std::string&, tx::DomainRep& domain) {
        int& word = reinterpret_cast<pthread_mutex_t&>(domain.mutex).__data.__lock;
        const auto value = static_cast<std::uint32_t>(word);
        if ((value & FUTEX_TID_MASK) == static_cast<std::uint32_t>(thread))
            word = static_cast<int>((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    });
}

Images::Images(const segment::Segment& segment, Snapshot before, const Trace& trace)
    : now_(std::move(before)), trace_(trace), image_(make_image_of(segment)) {}

const segment::Segment& Images::load(std::size_t index) {
    for (const std::size_t end = trace_.images.at(index); applied_ < end; ++applied_) now_.apply(trace_.changes[applied_]);
    now_.write_to(image_);
    mark_dead_owner(image_, trace_.thread);
    return image_;
}

CrashReport for_each_crash_image(const segment::Segment& segment, const Run& operation, const Check& check,
                                 const CrashOptions& options) {
    const Snapshot before(segment);
    Trace trace = trace_stores(segment, operation);
    before.write_to(segment);
    if (options.every_instruction && trace.error.empty()) {
        trace = trace_steps(segment, operation, trace);
        before.write_to(segment);
    }
    CrashReport report;
    report.instructions = trace.instructions;
    report.images = trace.images.size();
    if (!trace.error.empty()) report.failures.push_back(trace.error);
    Images images(segment, Snapshot(segment), trace);
    spread(images.size(), options.at_most, [&](std::size_t index) {
        ++report.checked;
        add(report, index, judge(check, images.load(index), index));
    });
    return report;
}

CrashReport for_each_kill(const segment::Segment& segment, const Run& operation, const Check& check,
                          const CrashOptions& options) {
    const Snapshot before(segment);
    CrashReport report;
    if (options.before_each) options.before_each();
    const Trace trace = trace_stores(segment, operation);
    before.write_to(segment);
    report.images = trace.images.size();
    if (!trace.error.empty()) report.failures.push_back(trace.error);
    spread(report.images, options.at_most, [&](std::size_t index) {
        ++report.checked;
        before.release_rest(segment);
        if (options.before_each) options.before_each();
        add(report, index,
            die_at_image(segment, operation, index) ? judge(check, segment, index) : "the child was not killed");
        before.write_to(segment);
    });
    return report;
}

}  // namespace muster::test

#include "crash/examine.hpp"

#include <fcntl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>

#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

namespace muster::test {
namespace {

using segment::Segment;

constexpr std::uint64_t capacity = segment::minimum_capacity;

class Examiner {
  public:
    Examiner(const Operation& operation, const Depth& depth) : operation_(operation), depth_(depth), live_(capacity) {
        result_.name = operation.name;
    }

    Examination run() {
        operation_.setup(*live_);
        find_states();
        CrashOptions options;
        options.every_instruction = depth_.every_instruction;
        options.at_most = depth_.images;
        std::size_t seen = 0;
        const CrashReport report = for_each_crash_image(
            *live_, [&] { operation_.run(*live_); },
            [&](const Segment& image, std::size_t index) {
                // Spread without knowing how many images there will be: ever fewer.
                const bool also_recovery = depth_.recoveries != 0 && seen % (1 + seen / depth_.recoveries) == 0;
                ++seen;
                const std::string failure = also_recovery ? die_recovering(image, index) : std::string();
                return failure.empty() ? judge(image, index) : failure;
            },
            options);
        result_.instructions = report.instructions;
        result_.images = report.images;
        keep("", report);
        if (report.images < 2) result_.failures.push_back("the operation changes nothing");
        kill();
        return result_;
    }

  private:
    // What the operation makes of the segment when nobody dies.
    void find_states() {
        const Segment copy = make_image_of(*live_);
        Snapshot(*live_).write_to(copy);
        before_ = operation_.contents(copy);
        operation_.run(copy);
        after_ = operation_.contents(copy);
        if (const std::string wrong = whats_wrong(copy); !wrong.empty())
            result_.failures.push_back("without any death: " + wrong);
        if (before_ == after_) result_.failures.push_back("the states before and after cannot be told apart");
    }

    std::string whats_wrong(const Segment& segment) const {
        return first_violations(segment, {.every_extent_owned = operation_.owned});
    }

    void recover_it(const Segment& image, std::size_t index) const {
        if (operation_.owned)
            recover(image, index % 2 != 0);
        else  // the extent table alone: the directory would take back what belongs to nobody
            heap::Extents(image).for_each([](const heap::Extent&) {});
    }

    std::string judge(const Segment& image, std::size_t index) const {
        recover_it(image, index);
        if (const std::string wrong = whats_wrong(image); !wrong.empty()) return wrong;
        const std::string state = operation_.contents(image);
        if (operation_.right_too && operation_.right_too(state, after_)) return {};
        if (state != before_ && state != after_ && !operation_.in_steps)
            return "state is [" + state + "], neither [" + before_ + "] nor [" + after_ + "]";
        if (state == after_) return {};
        operation_.run(image);
        if (const std::string again = operation_.contents(image); again != after_)
            return "done again after the recovery: [" + again + "] instead of [" + after_ + "]";
        const std::string wrong = whats_wrong(image);
        return wrong.empty() ? wrong : "done again after the recovery: " + wrong;
    }

    std::string die_recovering(const Segment& image, std::size_t index) {
        CrashOptions options;
        options.every_instruction = false;
        options.at_most = depth_.images_of_recovery;
        const CrashReport report = for_each_crash_image(
            image, [&] { recover_it(image, index); },
            [&](const Segment& second, std::size_t i) { return judge(second, i + index); }, options);
        result_.images_of_recovery += report.images;
        return report.failures.empty() ? std::string() : "death during recovery, " + report.failures.front();
    }

    void kill() {
        if (depth_.kills == 0) return;
        CrashOptions options;
        options.at_most = depth_.kills;
        const CrashReport report = for_each_kill(
            *live_, [&] { operation_.run(*live_); },
            [&](const Segment& segment, std::size_t index) { return judge(segment, index); }, options);
        result_.kills = report.checked;
        keep("real kill, ", report);
    }

    void keep(const std::string& where, const CrashReport& report) {
        for (const std::string& failure : report.failures) result_.failures.push_back(where + failure);
    }

    const Operation& operation_;
    const Depth& depth_;
    TempSegment live_;
    std::string before_, after_;
    Examination result_;
};

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t n = base::retry_interrupted([&] { return ::read(fd, buffer, sizeof buffer); });
        if (n <= 0) return text;
        text.append(buffer, static_cast<std::size_t>(n));
    }
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Examination& e) {
    return out << e.name << ": " << e.instructions << " instructions, " << e.images << " distinct images, "
               << e.images_of_recovery << " of recoveries, " << e.kills << " kills";
}

Examination examine(const Operation& operation, const Depth& depth) { return Examiner(operation, depth).run(); }

Examination examine_apart(const Operation& operation, const Depth& depth, unsigned seconds) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) base::throw_errno(errno, "examine", operation.name, "pipe2");
    base::UniqueFd in{ends[0]}, out{ends[1]};
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(seconds);
        std::string text;
        try {
            for (const std::string& failure : examine(operation, depth).failures) text += failure + "\n";
        } catch (const std::exception& error) {
            text = std::string("exception: ") + error.what() + "\n";
        } catch (...) {
            text = "exception of another type\n";
        }
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t n = ::write(out.get(), text.data() + done, text.size() - done);
            if (n <= 0) break;
            done += static_cast<std::size_t>(n);
        }
        ::_exit(0);
    }
    out.reset();
    Examination result;
    result.name = operation.name;
    const std::string text = read_all(in.get());
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) base::throw_errno(errno, "examine", operation.name, "fork");
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        result.failures.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    if (WIFSIGNALED(status))
        result.failures.push_back(std::string("the examination died: ") + ::strsignal(WTERMSIG(status)));
    return result;
}

}  // namespace muster::test

// Crash images: what a process that died at a given instruction would have left in a segment.
//
//   for_each_crash_image(segment, [&] { push_back(list, 9); }, [&](const Segment& image, std::size_t index) {
//       return sound(image) ? "" : "what is wrong";
//   });
//
// runs the operation in a child, takes down every distinct state of the segment between two instructions, and calls
// the check with each: on a segment of its own, the mutexes of the dead child marked as the kernel marks them. The
// check recovers the image through the normal code; it may change it as it likes. It returns what is wrong with it,
// empty when nothing is. Afterwards the segment holds again what it held before.
#pragma once

#include "support/trace.hpp"
#include "tx/tx.hpp"

namespace muster::test {

using Check = std::function<std::string(const segment::Segment& image, std::size_t index)>;

struct CrashOptions {
    bool every_instruction = true;  // else from store to store: see trace.hpp
    std::size_t at_most = 4000;     // images checked, evenly spread, the last one always
    std::function<void()> before_each = {};  // of for_each_kill: before a child is born, one to be looked at, then those to be killed
};

struct CrashReport {
    std::uint64_t instructions = 0;
    std::size_t images = 0;   // distinct ones
    std::size_t checked = 0;
    std::vector<std::string> failures;  // "image I of N: what is wrong", at most 20
};

CrashReport for_each_crash_image(const segment::Segment& segment, const Run& operation, const Check& check,
                                 const CrashOptions& options = {});

// The same with real deaths: the child is killed when its image has come to be, and the check gets the segment
// itself, as the kernel left it. Afterwards the segment holds again what it held before.
CrashReport for_each_kill(const segment::Segment& segment, const Run& operation, const Check& check,
                          const CrashOptions& options = {});

// Every domain of the segment: the fixed ones and those of the objects, also of the one that may be in the making.
void for_each_domain(const segment::Segment& segment,
                     const std::function<void(const std::string& name, tx::DomainRep&)>& fn);

// What the kernel does to the robust mutexes of a thread that dies.
void mark_dead_owner(const segment::Segment& segment, pid_t thread);

// The images of a trace, one after the other.
class Images {
  public:
    // `before`: the segment as it was when the traced operation began.
    Images(const segment::Segment& segment, Snapshot before, const Trace& trace);
    std::size_t size() const noexcept { return trace_.images.size(); }
    // Rising indices only. The segment stays ours.
    const segment::Segment& load(std::size_t index);

  private:
    Snapshot now_;
    const Trace& trace_;
    std::size_t applied_ = 0;
    segment::Segment image_;
};

}  // namespace muster::test

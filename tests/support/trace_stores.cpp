#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <new>

#include "support/trace.hpp"

namespace muster::test {
namespace {

using segment::page_size;

constexpr std::size_t room = 1u << 20;             // changes
constexpr std::uint64_t image_ends = ~std::uint64_t{0};  // instead of an offset
constexpr std::uint64_t trap_flag = 0x100;

// Written by the child, read by the parent after its end.
struct Record {
    Verdict verdict;
    std::size_t used, images;
    Change changes[room];
};

class SharedRecord {
  public:
    SharedRecord()
        : record_(static_cast<Record*>(::mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
        if (record_ == MAP_FAILED) throw std::bad_alloc();
    }
    SharedRecord(const SharedRecord&) = delete;
    SharedRecord& operator=(const SharedRecord&) = delete;
    ~SharedRecord() { ::munmap(record_, sizeof(Record)); }
    Record* operator->() const noexcept { return record_; }
    Record& operator*() const noexcept { return *record_; }

  private:
    Record* record_;
};

// A page that the present store may change.
struct OpenPage {
    std::byte* mapping;  // through which
    std::uint64_t index;
    std::byte before[page_size];
};

// Where this process has mapped the segment's file: more than once when a realm of the service's side is at work.
std::vector<std::byte*> mappings_of(const segment::Segment& segment) {
    std::vector<std::byte*> found{segment.base()};
    struct stat status {};
    if (::fstat(segment.memfd(), &status) != 0) base::throw_errno(errno, "trace", "segment", "fstat");
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("memfd:") == std::string::npos) continue;
        unsigned long begin = 0, inode = 0, offset = 0;
        if (std::sscanf(line.c_str(), "%lx-%*x %*s %lx %*s %lu", &begin, &offset, &inode) != 3) continue;
        auto* const at = reinterpret_cast<std::byte*>(begin);  // NOLINT: an address is what the line says
        if (inode == status.st_ino && offset == 0 && at != segment.base()) found.push_back(at);
    }
    return found;
}

// Of the child: what its signal handlers work on.
struct Watch {
    const segment::Segment* segment;
    std::vector<std::byte*> mappings;
    Record* record;
    std::size_t die_at;
    std::vector<std::uint8_t> present, still;  // by page: has memory
    blkcnt_t blocks;
    OpenPage open[2];
    int opened;
    std::uint64_t store, iterations;  // the instruction, and how often it has repeated itself
};
Watch* watch;

void protect(const OpenPage& page, int how) noexcept {
    if (::mprotect(page.mapping + page.index * page_size, page_size, how) != 0) ::_exit(99);
}
void protect_all(int how) noexcept {
    for (std::byte* const base : watch->mappings) ::mprotect(base, watch->segment->capacity(), how);
}

void note(std::uint64_t offset, std::uint64_t word, bool hole) noexcept {
    Record& record = *watch->record;
    if (record.used == room) ::_exit(98);
    record.changes[record.used++] = {offset, word, hole};
}

void end_image() noexcept {
    note(image_ends, 0, false);
    if (watch->record->images++ != watch->die_at) return;
    // The kernel marks the mutexes of the dead through their mapping.
    protect_all(PROT_READ | PROT_WRITE);
    ::kill(::getpid(), SIGKILL);
}

bool note_changes(OpenPage& page) noexcept {
    const std::byte* now = watch->segment->base() + page.index * page_size;
    if (std::memcmp(now, page.before, page_size) == 0) return false;
    for (std::size_t i = 0; i < page_size; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, now + i, 8);
        if (std::memcmp(page.before + i, &word, 8) != 0) note(page.index * page_size + i, word, false);
    }
    std::memcpy(page.before, now, page_size);
    return true;
}

void note_all_changes() noexcept {
    bool any = false;
    for (int i = 0; i < watch->opened; ++i) any = note_changes(watch->open[i]) || any;
    if (any) end_image();
}

// Pages that the kernel took away since the last store (fallocate).
void note_holes() noexcept {
    struct stat status {};
    if (::fstat(watch->segment->memfd(), &status) != 0) ::_exit(97);
    if (status.st_blocks == watch->blocks) return;
    watch->blocks = status.st_blocks;
    std::memset(watch->still.data(), 0, watch->still.size());
    const auto end = static_cast<off_t>(watch->segment->capacity());
    for (off_t at = 0; at < end;) {
        const off_t data = ::lseek(watch->segment->memfd(), at, SEEK_DATA);
        if (data < 0) break;
        at = ::lseek(watch->segment->memfd(), data, SEEK_HOLE);
        for (off_t page = data; page < at; page += page_size) watch->still[static_cast<std::size_t>(page) / page_size] = 1;
    }
    bool any = false;
    for (std::size_t page = 0; page < watch->present.size(); ++page) {
        if (watch->present[page] == 0 || watch->still[page] != 0) continue;
        watch->present[page] = 0;
        note(page * page_size, 0, true);
        any = true;
    }
    if (any) end_image();
}

greg_t& reg(void* context, int index) noexcept { return static_cast<ucontext_t*>(context)->uc_mcontext.gregs[index]; }

// A store into the segment, about to happen: let it, and come back right after it.
void on_fault(int, siginfo_t* info, void* context) noexcept {
    const int error = errno;
    std::uint64_t offset = watch->segment->capacity();
    std::byte* mapping = nullptr;
    for (std::byte* const base : watch->mappings) {
        const auto distance = static_cast<std::uint64_t>(static_cast<std::byte*>(info->si_addr) - base);
        if (distance < offset) offset = distance, mapping = base;
    }
    const bool store = (reg(context, REG_ERR) & 2) != 0;
    const std::uint64_t page = offset / page_size;
    bool open_already = false;
    for (int i = 0; i < watch->opened; ++i) open_already = open_already || watch->open[i].index == page;
    if (offset >= watch->segment->capacity() || !store || open_already) {
        ::signal(SIGSEGV, SIG_DFL);  // a fault of its own: happens again, and ends the child
        return;
    }
    if (watch->opened == 0) note_holes();
    if (watch->opened == 2) {  // only a string instruction goes on like this
        note_all_changes();
        protect(watch->open[0], PROT_READ);
        watch->open[0] = watch->open[1];
        watch->opened = 1;
    }
    OpenPage& fresh = watch->open[watch->opened++];
    fresh.mapping = mapping;
    fresh.index = page;
    std::memcpy(fresh.before, watch->segment->base() + page * page_size, page_size);
    watch->present[page] = 1;
    protect(fresh, PROT_READ | PROT_WRITE);
    watch->store = static_cast<std::uint64_t>(reg(context, REG_RIP));
    reg(context, REG_EFL) |= trap_flag;
    errno = error;
}

void on_trap(int, siginfo_t*, void* context) noexcept {
    const int error = errno;
    const bool repeats = static_cast<std::uint64_t>(reg(context, REG_RIP)) == watch->store;
    if (!repeats || ++watch->iterations % string_stride == 0) note_all_changes();
    if (!repeats) {
        for (int i = 0; i < watch->opened; ++i) protect(watch->open[i], PROT_READ);
        watch->opened = 0;
        watch->iterations = 0;
        reg(context, REG_EFL) &= ~static_cast<greg_t>(trap_flag);
    }
    errno = error;
}

void handle(int signal, void (*handler)(int, siginfo_t*, void*)) noexcept {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(signal, &action, nullptr);
}

struct Ended {
    pid_t child;
    int status;
};

Ended run_watched(const segment::Segment& segment, const Run& operation, Record& record, std::size_t die_at) {
    Watch mine{};
    mine.segment = &segment;
    mine.mappings = mappings_of(segment);
    mine.record = &record;
    mine.die_at = die_at;
    mine.present.resize(segment.capacity() / page_size);
    mine.still.resize(mine.present.size());
    for (const std::uint64_t page : present_pages(segment)) mine.present[page] = 1;
    std::vector<std::byte> stack(256 * 1024);
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        watch = &mine;
        stack_t alternative{};
        alternative.ss_sp = stack.data();
        alternative.ss_size = stack.size();
        ::sigaltstack(&alternative, nullptr);
        handle(SIGSEGV, on_fault);
        handle(SIGTRAP, on_trap);
        protect_all(PROT_READ);
        run_and_exit(operation, record.verdict, note_holes);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) base::throw_errno(errno, "trace", "a child", "fork");
    return {child, status};
}

}  // namespace

Trace trace_stores(const segment::Segment& segment, const Run& operation) {
    const SharedRecord record;
    const Ended ended = run_watched(segment, operation, *record, ~std::size_t{0});
    Trace trace;
    trace.thread = ended.child;
    trace.error = error_of(ended.status, record->verdict);
    for (std::size_t i = 0; i < record->used; ++i) {
        if (record->changes[i].offset == image_ends)
            trace.images.push_back(trace.changes.size());
        else
            trace.changes.push_back(record->changes[i]);
    }
    return trace;
}

bool die_at_image(const segment::Segment& segment, const Run& operation, std::size_t image) {
    const SharedRecord record;
    const Ended ended = run_watched(segment, operation, *record, image);
    return WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGKILL;
}

}  // namespace muster::test

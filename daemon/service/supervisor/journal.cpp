#include "service/supervisor/journal.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <type_traits>
#include <utility>

namespace muster::service {
namespace {

constexpr std::uint64_t magic = 0x6c6e726a7473756d;  // "mustjrnl"
constexpr std::uint32_t version = 1;

// How it ended, in one word: bit 0 ended, 1 code known, 2 signal known, 3 dump known, 4 dumped; the code from bit 8,
// the signal from bit 16.
std::uint64_t packed(const Process& process) noexcept {
    if (!process.ended() || !process.outcome) return 0;
    const Outcome& outcome = *process.outcome;
    std::uint64_t word = 1;
    if (outcome.exit_code) word |= 2 | std::uint64_t(*outcome.exit_code & 0xff) << 8;
    if (outcome.signal) word |= 4 | std::uint64_t(*outcome.signal & 0xff) << 16;
    if (outcome.core_dumped) word |= 8 | (*outcome.core_dumped ? 16u : 0u);
    return word;
}

Outcome unpacked(std::uint64_t word, double ended) {
    Outcome outcome;
    outcome.ended = ended;
    if (word & 2) outcome.exit_code = static_cast<int>(word >> 8 & 0xff);
    if (word & 4) outcome.signal = static_cast<int>(word >> 16 & 0xff);
    if (word & 8) outcome.core_dumped = (word & 16) != 0;
    return outcome;
}

template <typename Word>
void publish(Word& target, Word value) noexcept {
    std::atomic_ref(target).store(value, std::memory_order_release);
}

}  // namespace

struct Journal::Header {
    std::uint64_t magic;
    std::uint32_t version, slot_count;
    std::uint64_t next_id;
};

struct Journal::Slot {
    std::uint64_t id;  // 0: free
    std::uint64_t start_time, outcome;
    double started, ended;
    std::int32_t pid, ppid;
    std::uint32_t uid;
    std::uint32_t name_size;
    std::array<char, max_name> name;
};

Journal::Journal(base::UniqueFd memfd, void* memory, std::size_t size)
    : memfd_(std::move(memfd)), memory_(memory), size_(size) {
    static_assert(std::is_trivially_copyable_v<Slot> && std::is_standard_layout_v<Slot>);
}

Journal::Journal(Journal&& other) noexcept
    : memfd_(std::move(other.memfd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(other.size_),
      used_(std::move(other.used_)),
      free_(std::move(other.free_)) {}

Journal& Journal::operator=(Journal&& other) noexcept {
    std::swap(memfd_, other.memfd_);
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    std::swap(used_, other.used_);
    std::swap(free_, other.free_);
    return *this;
}

Journal::~Journal() {
    if (memory_) ::munmap(memory_, size_);
}

Journal::Header& Journal::header() const noexcept { return *static_cast<Header*>(memory_); }
Journal::Slot* Journal::slots() const noexcept {
    return reinterpret_cast<Slot*>(static_cast<char*>(memory_) + sizeof(Header));
}

Journal Journal::create(std::uint32_t slots) {
    base::UniqueFd memfd(::memfd_create("muster-forked", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const std::size_t size = sizeof(Header) + slots * sizeof(Slot);
    if (!memfd || ::ftruncate(memfd.get(), static_cast<off_t>(size)) != 0 ||
        ::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        base::throw_errno(errno, "create", "journal of forked processes", "memfd_create");
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
    if (memory == MAP_FAILED) base::throw_errno(errno, "create", "journal of forked processes", "mmap");
    Journal result(std::move(memfd), memory, size);
    result.header() = Header{magic, version, slots, 1};
    result.index();
    return result;
}

std::optional<Journal> Journal::adopt(base::UniqueFd memfd) {
    if (!memfd) return std::nullopt;
    struct stat info {};
    if (::fstat(memfd.get(), &info) != 0) base::throw_errno(errno, "open", "journal of forked processes", "fstat");
    if (static_cast<std::size_t>(info.st_size) < sizeof(Header)) return std::nullopt;
    const auto size = static_cast<std::size_t>(info.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
    if (memory == MAP_FAILED) base::throw_errno(errno, "open", "journal of forked processes", "mmap");
    Journal result(std::move(memfd), memory, size);
    const Header& found = result.header();
    if (found.magic != magic || found.version != version || size != sizeof(Header) + found.slot_count * sizeof(Slot))
        return std::nullopt;
    result.index();
    return result;
}

void Journal::index() {
    free_.reserve(header().slot_count);
    for (std::uint32_t i = header().slot_count; i-- > 0;) {
        if (const std::uint64_t id = slots()[i].id; id != 0)
            used_.emplace(id, i);
        else
            free_.push_back(i);
    }
}

void Journal::record(const Process& process) noexcept {
    if (const auto known = used_.find(process.id); known != used_.end()) {
        Slot& slot = slots()[known->second];
        if (process.outcome) slot.ended = process.outcome->ended;
        publish(slot.outcome, packed(process));
        return;
    }
    if (free_.empty()) return;
    try {
        used_.emplace(process.id, free_.back());
    } catch (const std::bad_alloc&) {
        return;
    }
    Slot& slot = slots()[free_.back()];
    free_.pop_back();
    slot.start_time = process.start_time;
    slot.outcome = packed(process);
    slot.started = process.started;
    slot.ended = process.outcome ? process.outcome->ended : 0;
    slot.pid = process.pid;
    slot.ppid = process.ppid;
    slot.uid = process.uid;
    slot.name_size = static_cast<std::uint32_t>(std::min(process.name.size(), slot.name.size()));
    std::memcpy(slot.name.data(), process.name.data(), slot.name_size);
    publish(header().next_id, std::max(header().next_id, process.id + 1));
    publish(slot.id, process.id);
}

void Journal::erase(std::uint64_t id) noexcept {
    const auto known = used_.find(id);
    if (known == used_.end()) return;
    publish(slots()[known->second].id, std::uint64_t{0});
    free_.push_back(known->second);  // index() reserved room for every slot
    used_.erase(known);
}

std::vector<ProcessPtr> Journal::read() const {
    std::vector<ProcessPtr> result;
    for (const auto& [id, index] : used_) {
        const Slot& slot = slots()[index];
        auto process = std::make_shared<Process>();
        process->id = id;
        process->kind = Kind::forked;
        process->state = slot.outcome & 1 ? State::exited : State::running;
        if (slot.outcome & 1) process->outcome = unpacked(slot.outcome, slot.ended);
        process->name.assign(slot.name.data(), std::min<std::size_t>(slot.name_size, slot.name.size()));
        process->uid = slot.uid;
        process->pid = slot.pid;
        process->ppid = slot.ppid;
        process->started = slot.started;
        process->start_time = slot.start_time;
        result.push_back(std::move(process));
    }
    return result;
}

std::uint64_t Journal::next_id() const noexcept { return header().next_id; }

}  // namespace muster::service

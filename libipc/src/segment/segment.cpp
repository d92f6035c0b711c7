#include "segment/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <boost/interprocess/mapped_region.hpp>
#include <utility>

namespace muster::segment {
namespace {

constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) noexcept { return (value + to - 1) / to * to; }

// What Boost's mapped_region asks of a mappable object.
struct Mappable {
    int fd;
    boost::interprocess::mapping_handle_t get_mapping_handle() const {
        return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(fd);
    }
};

std::uint64_t pid_namespace() noexcept {
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

std::string subject_of(const std::string& name) { return "segment '" + name + "'"; }

}  // namespace

Regions plan(std::uint64_t capacity) noexcept {
    Regions r{};
    // One object entry per 16 KiB, so that the table costs a sixteenth of the (sparse) file at most.
    r.object_capacity = std::bit_floor(capacity / (16 * 1024));
    if (r.object_capacity > 65536) r.object_capacity = 65536;
    std::uint64_t at = page_size;
    const auto take = [&at](std::uint64_t size, std::uint64_t alignment = 64) {
        at = round_up(at, alignment);
        return std::exchange(at, at + size);
    };
    r.segment_domain = take(domain_size);
    r.directory_domain = take(domain_size);
    r.sessions_domain = take(domain_size);
    r.domain_logs = take(3 * fixed_log_capacity * log_entry_size);
    r.extent_roots = take(extent_roots_size);
    r.directory_root = take(directory_root_size);
    r.sessions = take(max_sessions * session_size, page_size);
    r.slots = take(max_slots * slot_size, page_size);
    r.name_buckets = take(r.object_capacity * sizeof(std::uint32_t), page_size);
    const std::uint64_t pages = capacity / page_size;  // a few entries too many: those of the fixed regions
    r.page_table = take(pages * page_entry_size, page_size);
    r.objects = take(r.object_capacity * object_size, page_size);
    r.data = take(0, page_size);
    r.page_count = r.data < capacity ? (capacity - r.data) / page_size : 0;
    return r;
}

struct Segment::Mapping {
    boost::interprocess::mapped_region region;
    void* scratch = nullptr;  // or private memory of that size
    std::size_t size = 0;

    explicit Mapping(boost::interprocess::mapped_region&& mapped) : region(std::move(mapped)) {}
    explicit Mapping(std::size_t bytes) : size(bytes) {
        scratch = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (scratch == MAP_FAILED) base::throw_errno(errno, "map", "memory for a copy", "mmap");
        ::madvise(scratch, bytes, MADV_DONTDUMP);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() {
        if (scratch != nullptr) ::munmap(scratch, size);
    }
};

Segment::Segment(base::UniqueFd memfd, std::string name, std::uint64_t capacity)
    : name_(std::move(name)), memfd_(std::move(memfd)), capacity_(capacity) {
    try {
        mapping_ = std::make_unique<Mapping>(boost::interprocess::mapped_region(
            Mappable{memfd_.get()}, boost::interprocess::read_write, 0, static_cast<std::size_t>(capacity)));
    } catch (const boost::interprocess::interprocess_exception& error) {
        base::throw_errno(error.get_native_error(), "map", subject_of(name_), "mmap");
    }
    base_ = static_cast<std::byte*>(mapping_->region.get_address());
}

Segment::Segment(const Segment& like)
    : name_(like.name_),
      mapping_(std::make_unique<Mapping>(static_cast<std::size_t>(like.capacity_))),
      base_(static_cast<std::byte*>(mapping_->scratch)),
      capacity_(like.capacity_),
      hash_seed_(like.hash_seed_),
      regions_(like.regions_) {
    std::memcpy(base_, like.base_, sizeof(Header));
}

Segment Segment::scratch(const Segment& like) { return Segment(like); }

void Segment::wipe(std::uint64_t offset, std::uint64_t size) const noexcept {
    MUSTER_CHECK(mapping_->scratch != nullptr && offset % page_size == 0 && offset <= capacity_);
    ::madvise(base_ + offset, static_cast<std::size_t>(std::min(size, capacity_ - offset)), MADV_DONTNEED);
}

Segment::Segment(Segment&&) noexcept = default;
Segment& Segment::operator=(Segment&&) noexcept = default;
Segment::~Segment() = default;

Segment Segment::create(const std::string& name, std::uint64_t capacity) {
    capacity = round_up(capacity, page_size);
    if (capacity < minimum_capacity || capacity > maximum_capacity)
        throw Error(Errc::invalid_argument, "create", subject_of(name),
                    "the capacity must be between 4 MiB and 1 TiB");
    base::UniqueFd fd{::memfd_create(("muster:" + name).substr(0, 200).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (!fd) base::throw_errno(errno, "create", subject_of(name), "memfd_create");
    if (::ftruncate(fd.get(), static_cast<off_t>(capacity)) != 0)
        base::throw_errno(errno, "create", subject_of(name), "ftruncate");
    const Regions regions = plan(capacity);
    // I7: everything before the object table is used from now on.
    if (::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(regions.objects)) != 0)
        base::throw_errno(errno, "create", subject_of(name), "fallocate");
    if (::fcntl(fd.get(), F_ADD_SEALS, seals) != 0)
        base::throw_errno(errno, "create", subject_of(name), "fcntl(F_ADD_SEALS)");

    Segment segment(std::move(fd), name, capacity);
    Header header{};
    header.magic = magic;
    header.version = layout_version;
    header.header_size = sizeof(Header);
    if (::getrandom(header.instance.data(), header.instance.size(), 0) != static_cast<ssize_t>(header.instance.size()) ||
        ::getrandom(&header.hash_seed, sizeof header.hash_seed, 0) != sizeof header.hash_seed)
        base::throw_errno(errno, "create", subject_of(name), "getrandom");
    header.capacity = capacity;
    header.pid_namespace = pid_namespace();
    header.regions = regions;
    std::memcpy(segment.base_, &header, sizeof header);
    segment.regions_ = regions;
    segment.hash_seed_ = header.hash_seed;
    return segment;
}

Segment Segment::open(base::UniqueFd memfd, const std::string& name) {
    const auto damaged = [&](const char* what) { return Error(Errc::damaged, "open", subject_of(name), what); };
    struct stat status {};
    if (::fstat(memfd.get(), &status) != 0) base::throw_errno(errno, "open", subject_of(name), "fstat");
    const auto capacity = static_cast<std::uint64_t>(status.st_size);
    if (capacity < minimum_capacity || capacity > maximum_capacity || capacity % page_size != 0)
        throw damaged("not the size of a segment");
    const int found = ::fcntl(memfd.get(), F_GET_SEALS);
    if (found < 0 && errno != EINVAL) base::throw_errno(errno, "open", subject_of(name), "fcntl(F_GET_SEALS)");
    if (found < 0 || (found & seals) != seals) throw damaged("the file is not sealed against shrinking");
    Segment segment(std::move(memfd), name, capacity);
    const Header& header = segment.header();
    if (header.magic == magic && header.version != layout_version)
        throw Error(Errc::protocol, "open", subject_of(name),
                    "layout version " + std::to_string(header.version) + ", this program knows " +
                        std::to_string(layout_version) + ": daemon and library must be of one release");
    segment.regions_ = plan(capacity);
    segment.hash_seed_ = header.hash_seed;
    if (const char* what = segment.header_damage()) throw damaged(what);
    return segment;
}

const char* Segment::header_damage() const noexcept {
    Header now;
    std::memcpy(&now, base_, sizeof now);
    if (now.magic != magic) return "no magic number: not a segment";
    if (now.version != layout_version || now.header_size != sizeof(Header) || now.capacity != capacity_ ||
        std::memcmp(&now.regions, &regions_, sizeof regions_) != 0 || now.hash_seed != hash_seed_)
        return "the header contradicts itself";
    return nullptr;
}

std::string Segment::instance() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : header().instance) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

bool Segment::reserve(std::uint64_t offset, std::uint64_t size) const noexcept {
    return base::retry_interrupted([&] {
               return ::fallocate(memfd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(size));
           }) == 0;
}

void Segment::release(std::uint64_t offset, std::uint64_t size) const noexcept {
    base::retry_interrupted([&] {
        return ::fallocate(memfd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                           static_cast<off_t>(size));
    });
}

std::uint64_t Segment::reserved_bytes() const noexcept {
    struct stat status {};
    return ::fstat(memfd_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

}  // namespace muster::segment

#include "image.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "containers/containers.hpp"
#include "session/format.hpp"
#include "sync/sync.hpp"

namespace muster::fuzz {
namespace {

using containers::Bytes;
using heap::Kind;

constexpr std::uint64_t page = segment::page_size;

// MessagePack: a string.
std::string text(const std::string& value) {
    std::string out = value.size() < 32      ? std::string(1, static_cast<char>(0xa0 | value.size()))
                      : value.size() < 65536 ? std::string{'\xda', static_cast<char>(value.size() >> 8),
                                                           static_cast<char>(value.size() & 0xff)}
                                             : std::string("\xa0");
    return out += value.size() < 65536 ? value : std::string();
}
std::string number(int value) { return std::string(1, static_cast<char>(value & 0x7f)); }
Bytes bytes(const std::string& value) { return std::as_bytes(std::span(value)); }

void fill_dict(containers::Table dict, int entries) {
    for (int i = 0; i < entries; ++i) {
        const std::string key = i % 3 == 0 ? number(i) : text("key " + std::to_string(i));
        dict.set(bytes(key), {}, bytes(text(std::string(static_cast<std::size_t>(i * 37 % 900), 'v'))));
    }
    dict.set(bytes(text("big")), {}, bytes(text(std::string(40'000, 'b'))));
}

void fill_list(containers::Sequence list, int items) {
    heap::ObjectLock lock = list.lock();
    for (int i = 0; i < items; ++i)
        list.push_back(lock, bytes(i % 4 != 0 ? number(i) : text(std::string(static_cast<std::size_t>(i % 50), 'l'))));
}

}  // namespace

Image::Image() : regions_(segment::plan(image_capacity)) {
    build();
    remember();
}

void Image::build() {
    segment::Segment made = segment::Segment::create("fuzz", image_capacity);
    // What is random in a header is the same in every run.
    auto* header = reinterpret_cast<segment::Header*>(made.base());
    header->hash_seed = 0x5eed;
    header->instance.fill(7);
    file_ = base::UniqueFd(::fcntl(made.memfd(), F_DUPFD_CLOEXEC, 0));
    const segment::Segment segment = segment::Segment::open(file(), "fuzz");
    session::format(segment);

    sync::Sessions sessions(segment);
    const auto self = sync::ProcessIdentity::self();
    const auto dead = sessions.claim({1 << 30, 1, self.pid_namespace});  // no such process
    const auto alive = sessions.claim(self);
    (void)sessions.claim({77, 7, self.pid_namespace + 1});  // of another PID namespace
    const sync::SlotId slot = sessions.claim_slot(dead, 1 << 30);
    (void)sessions.claim_slot(alive, 1);

    containers::Directory directory(segment);
    (void)directory.open_or_create("gone", Kind::list, {});
    fill_dict({segment, directory.open_or_create("dict", Kind::dict, {}).ref}, 40);
    fill_list({segment, directory.open_or_create("list", Kind::list, {}).ref}, 700);
    const auto queue_ref =
        directory.open_or_create("queue", Kind::queue, [](auto& o) { containers::Queue::init(o, 500); }).ref;
    containers::Queue queue(segment, queue_ref);
    for (int i = 0; i < 60; ++i)
        (void)queue.try_put(bytes(text(std::string(static_cast<std::size_t>(i % 20 == 7 ? 9000 : i * 5), 'q'))));
    const auto lock_ref = directory.open_or_create("lock", Kind::lock, {}).ref;
    (void)sync::LockWord(segment, sessions, lock_ref).acquire(slot, base::Deadline::now(), [] { return false; });
    const auto rlock_ref = directory.open_or_create("rlock", Kind::rlock, {}).ref;
    (void)sync::RecursiveLock(segment, sessions, rlock_ref)
        .acquire_restoring(slot, 3, base::Deadline::now(), [] { return false; });
    fill_dict({segment, directory.create(Kind::dict, dead.index)}, 3);
    fill_list({segment, directory.open_or_create("short", Kind::list, {}).ref}, 10);
    (void)directory.open_or_create("empty", Kind::queue, {});
    (void)directory.erase("gone");

    // As if their owners had died there: a log in force, the mutex marked by the kernel.
    for (const char* name : {"dict", "short"}) {
        const auto found = directory.find_any(name);
        heap::ObjectRep& object = heap::object_at(segment, found->ref.id);
        tx::DomainRep& domain = object.domain;
        auto* log = segment.at<tx::LogEntry>(domain.log_offset, domain.log_capacity);
        log[0] = {segment.offset_of(object.root.data()) + 16, segment::load_word(object.root.data() + 16)};
        log[1] = {segment.offset_of(&object.heap.live), object.heap.live};
        domain.log_count = 2;
        domain.sequence |= 1;
        *reinterpret_cast<std::uint32_t*>(&domain.mutex) = 0x40000000u | (1u << 29);  // FUTEX_OWNER_DIED
    }
    objects_ = directory.high_water();
}

void Image::remember() {
    raw_ = static_cast<std::byte*>(
        ::mmap(nullptr, image_capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0));
    MUSTER_CHECK(raw_ != MAP_FAILED);
    fixed_.assign(raw_, raw_ + regions_.data);
    for (std::uint64_t offset = regions_.data; offset < image_capacity; offset += page) {
        Page one{offset, {at(offset), at(offset) + page}};
        for (std::uint64_t word = offset; word < offset + page; word += 8)
            if (segment::load_word(at(word)) != 0) words_.push_back(word);
        pages_.push_back(std::move(one));
    }
    pages_.resize((words_.back() - regions_.data) / page + 1);  // the first ones: all that are in use
    MUSTER_CHECK(pages_.back().offset + page < image_capacity);
    for (std::uint64_t id = 0; id <= objects_; ++id)
        for (const unsigned inside : {0u, 24u, 128u, 544u, 640u})
            offsets_.push_back(regions_.objects + id * segment::object_size + inside);
    for (const std::uint64_t region :
         {regions_.segment_domain, regions_.directory_domain, regions_.sessions_domain, regions_.domain_logs,
          regions_.extent_roots, regions_.directory_root, regions_.sessions, regions_.slots, regions_.name_buckets,
          regions_.page_table, regions_.objects, regions_.data, image_capacity, image_capacity - 8, image_capacity - 512})
        offsets_.push_back(region);
    for (const Page& one : pages_)
        for (const unsigned inside : {0u, 64u, 4088u}) offsets_.push_back(one.offset + inside);
}

void Image::restore() {
    const std::uint64_t rest = pages_.back().offset + page;
    ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(rest),
                static_cast<off_t>(image_capacity - rest));
    const auto put_back = [this](std::uint64_t offset, const std::byte* bytes) {  // most pages are as they were
        if (std::memcmp(at(offset), bytes, page) != 0) std::memcpy(at(offset), bytes, page);
    };
    for (std::uint64_t offset = 0; offset < fixed_.size(); offset += page) put_back(offset, fixed_.data() + offset);
    for (const Page& one : pages_) put_back(one.offset, one.bytes.data());
}

base::UniqueFd Image::file() const { return base::UniqueFd(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0)); }

enum class Image::Place : std::uint8_t {
    object, object_root, fixed_domain, directory, extent_roots, page_table, sessions, slots, buckets,
    data, data_too, header, mutex, lock_word, log, free_lists, count
};

std::uint64_t Image::pick_word(Input& input) const {
    const auto place = static_cast<Place>(input.byte() % static_cast<unsigned>(Place::count));
    const auto object = [&] { return regions_.objects + input.index(objects_ + 2) * segment::object_size; };
    const auto body = [&] { return segment::load_word(at(object() + 544)); };
    const auto in_data = [&](std::uint64_t offset) {
        return offset >= regions_.data && offset % 8 == 0 && offset < image_capacity ? offset : regions_.data;
    };
    static constexpr std::uint64_t of_object[] = {48, 56, 64, 72, 80, 88, 128, 144, 152, 160, 416, 544, 552,
                                                  560, 568, 576, 584, 592, 600, 608, 616, 624};
    static constexpr std::uint64_t of_domain[] = {48, 56, 64, 72, 80, 88};
    switch (place) {
        case Place::object: return object() + of_object[input.index(std::size(of_object))];
        case Place::object_root: return object() + 640 + 8 * input.index(24);
        case Place::fixed_domain:
            return regions_.segment_domain + segment::domain_size * input.index(3) +
                   of_domain[input.index(std::size(of_domain))];
        case Place::directory: return regions_.directory_root + 8 * input.index(4);
        case Place::extent_roots: return regions_.extent_roots + 8 * input.index(18);
        case Place::page_table: return regions_.page_table + 8 * input.index(2 * (pages_.size() + 8));
        case Place::sessions: return regions_.sessions + segment::session_size * input.index(4) + 8 * input.index(6);
        case Place::slots: return regions_.slots + segment::slot_size * input.index(4) + 8 * input.index(4);
        case Place::buckets: return regions_.name_buckets + 8 * input.index(regions_.object_capacity / 2);
        case Place::header: return 8 * input.index(32);
        case Place::mutex: {
            const std::uint64_t which = input.index(objects_ + 4);
            const std::uint64_t domain = which < 3 ? regions_.segment_domain + which * segment::domain_size
                                                   : regions_.objects + (which - 3) * segment::object_size;
            return domain + 8 * input.index(5);
        }
        case Place::lock_word: return regions_.objects + 4 * segment::object_size + 640 + 8 * input.index(2);
        case Place::log: return in_data(body() + 64 + 8 * input.index(16));
        case Place::free_lists: return in_data(body() + 64 + 4096 + 8 * input.index(40));
        default: return words_[input.take<std::uint32_t>() % words_.size()];
    }
}

std::uint64_t Image::pick_value(Input& input, std::uint64_t now) const {
    static constexpr std::uint64_t edges[] = {
        0, 1, 2, 3, 7, 8, 16, 63, 64, 84, 85, 128, 255, 256, 257, 4095, 4096, 0x7fff'ffff, 0x8000'0000, 0xffff'ffff,
        0x1'0000'0000, 1ull << 47, (1ull << 48) - 1, 1ull << 61, (1ull << 61) + 2, 1ull << 62, 1ull << 63, ~0ull,
        ~0ull - 7, ~0ull - 15, image_capacity / 8, image_capacity / 16};
    const std::uint8_t how = input.byte();
    switch (how % 8) {
        case 0: return edges[input.byte() % std::size(edges)];
        case 1: return now + static_cast<std::uint64_t>(std::int64_t{static_cast<std::int8_t>(input.byte())});
        case 2: return now + static_cast<std::uint64_t>(8 * std::int64_t{static_cast<std::int8_t>(input.byte())});
        case 3: return segment::load_word(at(words_[input.take<std::uint32_t>() % words_.size()]));
        case 4: return offsets_[input.index(offsets_.size())];
        case 5: return input.take<std::uint64_t>();
        case 6: return words_[input.take<std::uint32_t>() % words_.size()];
        default: return now ^ std::uint64_t{1} << input.byte() % 64;
    }
}

void Image::patch(Input& input, std::size_t most) {
    const std::size_t count = 1 + input.byte() % most;
    for (std::size_t i = 0; i < count && !input.empty(); ++i) {
        const std::uint64_t word = pick_word(input), now = segment::load_word(at(word)), next = pick_value(input, now);
        // Half of the fields have 32 bits.
        const std::uint64_t low = 0xffff'ffff;
        switch (input.byte() % 4) {
            case 0: segment::store_word(at(word), (now & ~low) | (next & low)); break;
            case 1: segment::store_word(at(word), (now & low) | next << 32); break;
            default: segment::store_word(at(word), next);
        }
    }
}

bool Image::occupied() const noexcept {
    const auto held = [this](std::uint64_t domain) {
        const auto word = static_cast<std::uint32_t>(segment::load_word(at(domain)));
        return (word & FUTEX_TID_MASK) != 0 && (word & FUTEX_OWNER_DIED) == 0;
    };
    for (std::uint64_t i = 0; i < 3; ++i)
        if (held(regions_.segment_domain + i * segment::domain_size)) return true;
    for (std::uint64_t i = 0; i < regions_.object_capacity; ++i)
        if (held(regions_.objects + i * segment::object_size)) return true;
    return false;
}

bool Image::fence() {
    constexpr std::size_t guard = 1 << 20;
    auto* whole = static_cast<std::byte*>(::mmap(nullptr, image_capacity + 2 * guard, PROT_NONE,
                                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (whole == MAP_FAILED) return false;
    std::byte* const hole = whole + guard;
    // Other gaps that would do are filled until the kernel's choice is ours.
    for (int i = 0; i < 64; ++i) {
        ::munmap(hole, image_capacity);
        const std::byte* chosen = segment::Segment::open(file(), "fuzz").base();
        const bool ours = chosen == hole;
        if (ours) return true;
        (void)::mmap(hole, image_capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        (void)::mmap(nullptr, image_capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    return false;
}

}  // namespace muster::fuzz

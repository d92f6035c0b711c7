#include "soak/block.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace muster::soak {

void Block::violate(std::string_view text) noexcept {
    const std::uint32_t index = violations.fetch_add(1);
    if (index >= most_violations) return;
    const std::size_t size = std::min<std::size_t>(text.size(), longest_violation - 1);
    std::memcpy(violation[index].data(), text.data(), size);
}

std::vector<std::string> Block::all_violations() const {
    std::vector<std::string> all;
    const std::uint32_t found = violations.load();
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(found, most_violations); ++i)
        all.emplace_back(violation[i].data());
    if (found > most_violations) all.push_back("and " + std::to_string(found - most_violations) + " more");
    return all;
}

SharedBlock::SharedBlock() : memfd_(::memfd_create("muster-soak", MFD_CLOEXEC)) {
    if (!memfd_) base::throw_errno(errno, "start", "the soak's shared memory", "memfd_create");
    if (::ftruncate(memfd_.get(), sizeof(Block)) != 0)
        base::throw_errno(errno, "start", "the soak's shared memory", "ftruncate");
    map();
}

SharedBlock::SharedBlock(const std::string& path) : memfd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (!memfd_) base::throw_errno(errno, "open", path, "open");
    map();
}

void SharedBlock::map() {
    void* at = ::mmap(nullptr, sizeof(Block), PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), 0);
    if (at == MAP_FAILED) base::throw_errno(errno, "map", "the soak's shared memory", "mmap");
    block_ = static_cast<Block*>(at);  // all zero: as each of its members begins
}

SharedBlock::~SharedBlock() {
    if (block_ != nullptr) ::munmap(block_, sizeof(Block));
}

std::string SharedBlock::path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(memfd_.get());
}

}  // namespace muster::soak

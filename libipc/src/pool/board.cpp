#include "pool/board.hpp"

#include <sys/mman.h>

#include <new>

#include "base/base.hpp"

namespace muster::pool {

Board::Board(std::size_t places) : places_(nullptr), size_(places) {
    void* const at = ::mmap(nullptr, places * sizeof(Place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) base::throw_errno(errno, "make", "pool", "mmap");
    places_ = static_cast<Place*>(at);
    for (std::size_t i = 0; i < places; ++i) new (places_ + i) Place;
}

Board::~Board() { ::munmap(places_, size_ * sizeof(Place)); }

}  // namespace muster::pool

#include "no_memory.hpp"

#include <cstdlib>
#include <new>

namespace muster::test {

int left = 0, failing = 0;

}  // namespace muster::test

void* operator new(std::size_t size) {
    using namespace muster::test;
    if (failing > 0 && (left == 0 || --left == 0)) {
        --failing;
        throw std::bad_alloc();
    }
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
// As the default one: a sanitizer's own would not know of the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return ::operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

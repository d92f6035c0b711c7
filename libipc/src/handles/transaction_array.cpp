// What a transaction does with an array.
#include <muster/array.hpp>

#include "handles/transaction.hpp"

namespace muster::detail {

std::uint64_t ArrayWork::length() { return scalars().length(); }  // constant

std::uint64_t ArrayWork::read(std::uint64_t index) {
    if (const auto written = writes_.find(index); written != writes_.end()) return written->second;
    if (const auto known = reads_.find(index); known != reads_.end()) return known->second;
    std::uint64_t bits = 0;
    read_object([&] { bits = scalars().load(index); }, [&] { reads_.emplace(index, bits); });
    return bits;
}

bool ArrayWork::still_so(bool) {
    for (const auto& [index, bits] : reads_)
        if (scalars().load(index) != bits) return false;
    return true;
}

void ArrayWork::apply(tx::Tx& tx, heap::Heap&) {
    containers::Scalars to = scalars();
    for (const auto& [index, bits] : writes_) to.set_within(tx, index, bits);
}

std::size_t ArrayPart::length() {
    return guarded(work_->state(), "size", [&] { return static_cast<std::size_t>(work_->length()); });
}

std::uint64_t ArrayPart::read(std::uint64_t index) {
    return guarded(work_->state(), "get", [&] { return work_->read(index); });
}

void ArrayPart::write(std::uint64_t index, std::uint64_t bits) { work_->write(index, bits); }

std::uint64_t ArrayPart::position(const char* operation, std::ptrdiff_t index) {
    return array_position(work_->state(), operation, index, length());
}

}  // namespace muster::detail

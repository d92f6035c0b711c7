// A list of strings in a segment, each operation with a lock of its own.
#pragma once

#include <vector>

#include "containers/sequence.hpp"
#include "support/random.hpp"
#include "support/temp_segment.hpp"

namespace muster::test {

class StringList {
  public:
    explicit StringList(const TempSegment& segment, heap::ObjectRef ref) : sequence(*segment, ref) {}

    std::uint64_t size() const { return sequence.size(); }
    std::string at(std::uint64_t index) const {
        containers::Buffer out;
        return sequence.get(index, out) ? text(out.bytes()) : "(no such index)";
    }
    std::vector<std::string> contents(std::uint64_t from = 0, std::uint64_t to = ~std::uint64_t{0}) const {
        containers::Strings all;
        sequence.read(from, to, all);
        std::vector<std::string> strings;
        for (std::size_t i = 0; i < all.size(); ++i) strings.push_back(text(all[i]));
        return strings;
    }
    void push_back(const std::string& value) {
        auto lock = sequence.lock();
        sequence.push_back(lock, bytes(value));
    }
    void insert(std::uint64_t index, const std::string& value) {
        auto lock = sequence.lock();
        sequence.insert(lock, index, bytes(value));
    }
    bool set(std::uint64_t index, const std::string& value) {
        auto lock = sequence.lock();
        return sequence.set(lock, index, bytes(value));
    }
    bool erase(std::uint64_t index) {
        auto lock = sequence.lock();
        return sequence.erase(lock, index);
    }
    std::string pop(std::uint64_t index) {
        auto lock = sequence.lock();
        containers::Buffer out;
        return sequence.pop(lock, index, out) ? text(out.bytes()) : "(no such index)";
    }
    void extend(const std::vector<std::string>& values) {
        auto lock = sequence.lock();
        sequence.extend(lock, strings(values));
    }
    void splice(std::uint64_t from, std::uint64_t to, const std::vector<std::string>& values) {
        auto lock = sequence.lock();
        sequence.splice(lock, from, to, strings(values));
    }
    void rearrange(const std::vector<std::uint32_t>& order, std::uint64_t keep,
                   const std::vector<std::string>& added = {}) {
        auto lock = sequence.lock();
        sequence.rearrange(lock, strings(added), order, keep);
    }
    void replace_all(const std::vector<std::string>& values) {
        auto lock = sequence.lock();
        sequence.replace_all(lock, strings(values));
    }
    void reverse() {
        auto lock = sequence.lock();
        sequence.reverse(lock);
    }
    void repeat(std::uint64_t times) {
        auto lock = sequence.lock();
        sequence.repeat(lock, times);
    }
    void clear() {
        auto lock = sequence.lock();
        sequence.clear(lock);
    }
    std::uint64_t live_bytes() const { return sequence.lock().heap().live_bytes(); }
    std::uint64_t bytes_held() const { return sequence.lock().heap().bytes(); }
    std::vector<std::string> violations() const {
        std::vector<std::string> found;
        sequence.verify([&](std::string what) { found.push_back(std::move(what)); });
        return found;
    }

    containers::Sequence sequence;

  private:
    static containers::Strings strings(const std::vector<std::string>& values) {
        containers::Strings all;
        for (const std::string& value : values) all.add(bytes(value));
        return all;
    }
};

}  // namespace muster::test

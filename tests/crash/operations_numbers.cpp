#include "crash/subject.hpp"

namespace muster::test {
namespace {

using containers::Scalars;
using segment::Segment;

Scalars numbers(const Segment& segment) { return Scalars(segment, subject); }

// 1, 2, 3 ... of 16 bits each: several share a word.
std::function<void(const Segment&)> array_of(std::size_t length) {
    return [length](const Segment& segment) {
        std::vector<std::uint16_t> initial(length);
        for (std::size_t i = 0; i < length; ++i) initial[i] = static_cast<std::uint16_t>(i + 1);
        containers::Directory(segment).create(heap::Kind::array, 0u, [&](heap::ObjectRep& object) {
            Scalars::init(segment, object, subject.id, ScalarType::uint16, length, std::as_bytes(std::span(initial)));
        });
    };
}

void make_value(const Segment& segment) {
    const std::int64_t initial = -7;
    containers::Directory(segment).create(heap::Kind::value, 0u, [&](heap::ObjectRep& object) {
        Scalars::init(segment, object, subject.id, ScalarType::int64, 1, std::as_bytes(std::span(&initial, 1)));
    });
}

std::string numbers_seen(const Segment& segment) {
    const Scalars scalars = numbers(segment);
    const std::uint64_t length = scalars.length();
    std::string text = "type " + std::to_string(static_cast<int>(scalars.type()));
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < length; ++i) {
        const std::uint64_t bits = scalars.load(i);
        sum = sum * 31 + bits;
        if (i < 12) text += " " + std::to_string(bits);
    }
    text += " ... " + std::to_string(length) + " with sum " + std::to_string(sum);
    scalars.verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

void write_numbers(const Segment& segment, std::uint64_t first, std::size_t count) {
    const std::vector<std::uint16_t> values(count, 999);
    numbers(segment).write(first, std::as_bytes(std::span(values)));
}

}  // namespace

std::vector<Operation> number_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) {
        all.push_back({name, setup, run, numbers_seen});
    };
    add("numbers: exchange, a value", make_value, [](const Segment& s) { numbers(s).exchange(0, 5); });
    add("numbers: exchange, an element", array_of(10), [](const Segment& s) { numbers(s).exchange(6, 500); });
    add("numbers: compare_exchange, an element", array_of(10), [](const Segment& s) {
        std::uint64_t expected = 10;
        numbers(s).compare_exchange(9, expected, 500);
    });
    add("numbers: write, within a word", array_of(10), [](const Segment& s) { write_numbers(s, 5, 2); });
    add("numbers: write, over some words", array_of(50), [](const Segment& s) { write_numbers(s, 3, 21); });
    add("numbers: write, up to the log", array_of(800),
        [](const Segment& s) { write_numbers(s, 0, 4 * Scalars::in_place_words); });
    add("numbers: write, by way of a copy", array_of(1200), [](const Segment& s) { write_numbers(s, 7, 1100); });
    add("numbers: write, a block of its own", array_of(30'000), [](const Segment& s) { write_numbers(s, 0, 2000); });
    return all;
}

}  // namespace muster::test

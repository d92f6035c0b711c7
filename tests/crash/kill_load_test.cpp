// Real deaths under load: workers that share objects are killed by SIGKILL wherever they happen to be, again and again.
// What is left is recovered by whoever comes next, and must be whole: for all that two processes do at once, and for
// what the kernel really does to the locks of the dead.
#include <catch2/catch.hpp>

#include <sched.h>

#include <array>
#include <csignal>
#include <map>
#include <memory>

#include "containers/containers.hpp"
#include "containers/queue.hpp"
#include "crash/report.hpp"
#include "support/child.hpp"
#include "support/random.hpp"
#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using containers::Directory;
using containers::Queue;
using containers::Sequence;
using containers::Table;
using test::bytes;
using test::Out;

namespace {

constexpr unsigned workers = 3;
constexpr int rounds = 200;
constexpr std::uint64_t most_items = 300;  // of the list, which is cut then

// "worker:number", and for some numbers a tail that makes the value a large one.
std::string entry(unsigned worker, std::uint64_t number) {
    std::string text = std::to_string(worker) + ":" + std::to_string(number);
    if (number % 5 == 0) text += " " + std::string(number % 50 == 0 ? 40'000 : 100, static_cast<char>('a' + worker));
    return text;
}
std::pair<unsigned, std::uint64_t> parse(const std::string& text) {
    const std::size_t colon = text.find(':'), blank = std::min(text.find(' '), text.size());
    REQUIRE(colon != std::string::npos);
    const std::pair result{static_cast<unsigned>(std::stoul(text.substr(0, colon))),
                           std::stoull(text.substr(colon + 1, blank - colon - 1))};
    REQUIRE(text == entry(result.first, result.second));  // no torn value, ever
    return result;
}

struct World {
    test::TempSegment segment{64u << 20};
    heap::ObjectRef dict = segment.make(heap::Kind::dict);
    heap::ObjectRef list = segment.make(heap::Kind::list);
    heap::ObjectRef queue = segment.make(heap::Kind::queue);
    test::Shared<std::array<std::uint64_t, workers>> progress;

    // The last number that the worker put into the dict.
    std::uint64_t reached(unsigned worker) const {
        Out out;
        if (!Table(*segment, dict).get(bytes(std::to_string(worker)), out)) return 0;
        const auto [who, number] = parse(out.value);
        REQUIRE(who == worker);
        return number;
    }
};

// For ever: list, then queue, then dict get the next number. A death in between leaves the later ones behind.
[[noreturn]] void work(World& world, unsigned worker) {
    const segment::Segment& segment = *world.segment;
    Table dict(segment, world.dict);
    Sequence list(segment, world.list);
    Queue queue(segment, world.queue);
    Directory directory(segment);
    Out before;
    std::uint64_t number = 0;
    if (dict.get(bytes(std::to_string(worker)), before)) number = std::stoull(before.value.substr(before.value.find(':') + 1));
    for (;;) {
        ++number;
        const std::string text = entry(worker, number);
        {
            auto lock = list.lock();
            if (list.size() >= most_items) list.splice(lock, 0, most_items / 2, {});
            list.push_back(lock, bytes(text));
        }
        queue.try_put(bytes(text));
        dict.store(bytes(std::to_string(worker)), {}, bytes(text));
        // Keys and objects that come and go.
        const std::string passing = "passing " + std::to_string(worker) + " " + std::to_string(number % 40);
        if (number % 80 < 40) {
            dict.store(bytes(passing), {}, bytes(text));
        } else {
            dict.remove(bytes(passing));
        }
        if (number % 7 == 0) {
            const heap::ObjectRef own = directory.create(heap::Kind::dict, worker + 1);
            Table(segment, own).store(bytes(passing), {}, bytes(text));
            if (number % 2 == 0) directory.release(own, worker + 1);
        }
        if (number % 11 == 0) {
            const std::string name = "named " + std::to_string(worker);
            directory.open_or_create(name, heap::Kind::list, {});
            if (number % 2 == 0) directory.erase(name);
        }
        __atomic_add_fetch(&(*world.progress)[worker], 1u, __ATOMIC_RELEASE);
    }
}

// Kills each of the workers at a moment of its own.
void kill_all(World& world, test::Random& random) {
    std::array<std::unique_ptr<test::Child>, workers> children;
    std::array<std::uint64_t, workers> begin{};
    for (unsigned i = 0; i < workers; ++i) {
        begin[i] = (*world.progress)[i];
        children[i] = std::make_unique<test::Child>([&world, i]() -> int {
            try {
                work(world, i);
            } catch (const std::exception& e) { fprintf(stderr, "worker %u: %s\n", i, e.what()); }
            catch (const segment::Damage& d) { fprintf(stderr, "worker %u: damage %s\n", i, d.what); }
            catch (const tx::Busy& d) { fprintf(stderr, "worker %u: busy\n", i); }
            catch (const heap::Destroyed& d) { fprintf(stderr, "worker %u: destroyed\n", i); }
            catch (const heap::OutOfMemory& d) { fprintf(stderr, "worker %u: oom %lu\n", i, d.bytes); }
            catch (...) { fprintf(stderr, "worker %u: other\n", i); }
            return 1;
        });
    }
    for (unsigned i = 0; i < workers; ++i) {
        const std::uint64_t goal = begin[i] + 1 + random.below(20);
        INFO("worker " << i << " gets on, whoever has died beside it");
        REQUIRE(test::eventually([&] { return __atomic_load_n(&(*world.progress)[i], __ATOMIC_ACQUIRE) >= goal; }));
        for (std::uint64_t spin = random.below(20'000); spin != 0; --spin) base::relax();
        children[i]->kill(SIGKILL);
        REQUIRE(children[i]->join() == -SIGKILL);
    }
}

void check_list(const World& world) {
    Sequence list(*world.segment, world.list);
    muster::detail::Strings all;
    list.read(0, list.size(), all);
    std::map<unsigned, std::uint64_t> last;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto [worker, number] = parse(test::text(all[i]));
        // A number is repeated when its author died before it reached the dict; none is left out.
        if (last.contains(worker)) REQUIRE((number == last[worker] + 1 || number == last[worker]));
        last[worker] = number;
    }
    for (const auto& [worker, number] : last) {
        const std::uint64_t reached = world.reached(worker);
        REQUIRE((number == reached || number == reached + 1));
    }
    list.verify([](const std::string& violation) { FAIL_CHECK(violation); });
}

void check_queue(const World& world, std::array<std::uint64_t, workers>& seen) {
    Queue queue(*world.segment, world.queue);
    queue.verify([](const std::string& violation) { FAIL_CHECK(violation); });
    Out out;
    while (queue.try_get(out) == Queue::Result::ok) {
        const auto [worker, number] = parse(out.value);
        REQUIRE((number == seen[worker] + 1 || number == seen[worker]));
        seen[worker] = number;
    }
    for (unsigned i = 0; i < workers; ++i) {
        const std::uint64_t reached = world.reached(i);
        REQUIRE((seen[i] == reached || seen[i] == reached + 1));
    }
}

}  // namespace

TEST_CASE("hundreds of workers killed at work leave everything whole") {
    const std::uint64_t seed = test::test_seed();
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    test::Random random(seed);
    World world;
    std::array<std::uint64_t, workers> seen{};
    for (int round = 0; round < rounds; ++round) {
        INFO("round " << round);
        kill_all(world, random);
        test::recover(*world.segment, round % 2 != 0);
        Directory directory(*world.segment);
        for (unsigned i = 0; i < workers; ++i) {
            directory.release_all(i + 1);  // what the service does after a death
            directory.erase("named " + std::to_string(i));
        }
        REQUIRE(directory.live() == 3);
        REQUIRE(test::first_violations(*world.segment) == "");
        Table(*world.segment, world.dict).verify([](const std::string& violation) { FAIL_CHECK(violation); });
        check_list(world);
        check_queue(world, seen);
    }
    std::uint64_t deaths_inside = 0;
    for (const heap::ObjectRef ref : {world.dict, world.list, world.queue})
        deaths_inside += heap::object_at(*world.segment, ref.id).domain.recoveries;
    INFO(deaths_inside << " deaths of " << rounds * workers << " inside a mutation");
    CHECK(deaths_inside > 10);
    test::tell_report("load", {"kills\tworkers\t" + std::to_string(rounds * workers)});
    WARN(rounds * workers << " workers killed, " << deaths_inside << " of them inside a mutation");
}

// List against std::vector under a process-shared mutex: a million elements of 64 bytes.
#include <algorithm>
#include <mutex>
#include <numeric>
#include <random>

#include "realm.hpp"
#include "shared.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t million = 1'000'000;
constexpr std::uint64_t room = std::uint64_t{1} << 30;

struct GuardedVector {
    std::shared_ptr<Shared<Mutex>> mutex = make_mutex();
    std::vector<Value64> vector;
};

// A million times; what was there before goes first, uncounted.
Setup append() {
    const auto list = std::make_shared<List<Value64>>(local_manager(room).list<Value64>("bench"));
    const auto guarded = std::make_shared<GuardedVector>();
    const Value64 value{};
    return {.ours =
                [list, value](std::uint64_t n) {
                    list->clear();
                    const std::uint64_t begin = busy_ns();
                    for (std::uint64_t i = 0; i < n; ++i) list->push_back(value);
                    return static_cast<double>(busy_ns() - begin) / static_cast<double>(n);
                },
            .limits = {{"std::vector + mutex",
                        [guarded, value](std::uint64_t n) {
                            guarded->vector = {};
                            const std::uint64_t begin = busy_ns();
                            for (std::uint64_t i = 0; i < n; ++i) {
                                const std::scoped_lock hold(**guarded->mutex);
                                guarded->vector.push_back(value);
                            }
                            return static_cast<double>(busy_ns() - begin) / static_cast<double>(n);
                        },
                        Goal{Goal::Of::ratio, 3}}},
            .fixed = million};
}

struct FilledLists {
    FilledLists() {
        guarded.vector.resize(million);
        list.extend(guarded.vector);
        std::iota(indices.begin(), indices.end(), 0);
        std::shuffle(indices.begin(), indices.end(), std::mt19937_64(20));
    }
    GuardedVector guarded;
    List<Value64> list = local_manager(room).list<Value64>("bench");
    std::vector<Index> indices = std::vector<Index>(million);
};

Setup index_get() {
    const auto all = std::make_shared<FilledLists>();
    const auto ours = [all, at = std::size_t{0}]() mutable {
        keep(all->list.at(all->indices[at++ % all->indices.size()]));
    };
    const auto limit = [all, at = std::size_t{0}]() mutable {
        const auto index = static_cast<std::size_t>(all->indices[at++ % all->indices.size()]);
        Value64 value;
        {
            const std::scoped_lock hold(**all->guarded.mutex);
            value = all->guarded.vector[index];
        }
        keep(value);
    };
    return {.ours = loop(ours), .limits = {{"std::vector + mutex", loop(limit), Goal{Goal::Of::ratio, 1.5}}}};
}

Setup insert_at_front() {
    const auto all = std::make_shared<FilledLists>();
    const auto ours = [all] { all->list.insert(0, Value64{}); };
    const auto limit = [all] {
        const std::scoped_lock hold(**all->guarded.mutex);
        all->guarded.vector.insert(all->guarded.vector.begin(), Value64{});
    };
    // Nobody's million may grow much: each side runs a number of its own.
    return {.ours = [run = loop(ours)](std::uint64_t) { return run(1000); },
            .limits = {{"std::vector + mutex", [run = loop(limit)](std::uint64_t) { return run(4); },
                        Goal{Goal::Of::figure, 2000}}},
            .fixed = 1};
}

}  // namespace

void add_list_rows(Rows& rows) {
    rows.push_back({"list append, to 1M", Unit::nanoseconds, append});
    rows.push_back({"list index get, of 1M", Unit::nanoseconds, index_get});
    rows.push_back({"list insert at the front of 1M", Unit::nanoseconds, insert_at_front});
}

}  // namespace muster::bench

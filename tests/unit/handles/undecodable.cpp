// What cannot be decoded stays where it was: of another type, or of a codec that throws.
#include <catch2/catch.hpp>
#include <deque>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::fails_with;
using test::require_whole;

namespace {

// A type with a codec of its own, which does what a test wants before it decodes.
struct Parcel {
    int number = 0;
    bool operator==(const Parcel&) const = default;
};
std::function<void(int)> while_decoding;

// One whose move may throw, and does when it is told to.
struct Fragile {
    std::string text;
    Fragile() = default;
    explicit Fragile(std::string of) : text(std::move(of)) {}
    Fragile(const Fragile&) = default;
    Fragile(Fragile&& other) noexcept(false) : text(other.text) {
        if (moves_left == 0) throw std::bad_alloc();
        --moves_left;
    }
    Fragile& operator=(const Fragile&) = default;
    static inline int moves_left = 1000;
};

// Sets `while_decoding` for as long as it lives.
struct Decoding {
    explicit Decoding(std::function<void(int)> what) { while_decoding = std::move(what); }
    Decoding(const Decoding&) = delete;
    Decoding& operator=(const Decoding&) = delete;
    ~Decoding() { while_decoding = nullptr; }
};

[[noreturn]] void no_memory(int) { throw std::bad_alloc(); }

}  // namespace

template <>
struct muster::codec<Parcel> {
    static void encode(Writer& out, const Parcel& parcel) { out.integer(parcel.number); }
    static Parcel decode(Reader& in) {
        const int number = in.integer<int>();
        if (while_decoding) while_decoding(number);
        return Parcel{number};
    }
};
template <>
struct muster::codec<Fragile> {
    static void encode(Writer& out, const Fragile& fragile) { out.string(fragile.text); }
    static Fragile decode(Reader& in) { return Fragile(std::string(in.string())); }
};

static_assert(detail::DecodedByLibrary<std::map<std::string, std::vector<std::optional<double>>>>);
static_assert(detail::DecodedByLibrary<Value>);
struct Job {
    int number;
    std::string name;
};
static_assert(detail::DecodedByLibrary<Job>);
struct Branch {  // within itself
    std::string name;
    std::vector<Branch> branches;
};
static_assert(detail::DecodedByLibrary<Branch>);
struct Speaking {  // who knows what its end does
    std::string name;
    ~Speaking() {}
};
static_assert(!detail::DecodedByLibrary<Speaking>);
static_assert(!detail::DecodedByLibrary<std::vector<Speaking>>);
static_assert(!detail::DecodedByLibrary<Parcel>);
static_assert(!detail::DecodedByLibrary<std::vector<std::pair<int, Parcel>>>);

TEST_CASE("an item of another type is an error and stays in the queue") {
    const test::LocalRealm realm;
    auto texts = realm.manager().queue<std::string>("q");
    auto numbers = realm.manager().queue<int>("q");
    const std::string large(40'000, 'x');
    for (const std::string& text : {std::string("one"), large}) {
        texts.put(text);
        texts.put("two");
        REQUIRE_THROWS_MATCHES(numbers.get(), Error, fails_with(Errc::type_mismatch));
        REQUIRE_THROWS_MATCHES((void)numbers.try_get(), Error, fails_with(Errc::type_mismatch));
        REQUIRE_THROWS_MATCHES((void)numbers.get_for(1s), Error, fails_with(Errc::type_mismatch));
        REQUIRE_THROWS_MATCHES(numbers.get_many(2), Error, fails_with(Errc::type_mismatch));
        REQUIRE_THROWS_MATCHES((void)numbers.drain(), Error, fails_with(Errc::type_mismatch));
        REQUIRE_THROWS_MATCHES(numbers.consume().begin(), Error, fails_with(Errc::type_mismatch));
        REQUIRE(texts.size() == 2);
        REQUIRE(texts.get() == text);
        REQUIRE(texts.get() == "two");
    }
    require_whole(realm);
}

TEST_CASE("what is of another type stays in lists, dicts, sets and pipes, and the error says what and where") {
    const test::LocalRealm realm;
    Manager manager = realm.manager();
    auto list = manager.list<std::string>("list");
    auto dict = manager.dict<std::string, std::string>("dict");
    auto set = manager.set<std::string>("set");
    auto queue = manager.queue<std::string>("queue");
    auto [near, far] = manager.pipe<int>();
    for (const std::size_t size : {3u, 40'000u}) {
        const std::string text(size, 'x');
        list.extend({"first", text});
        dict.set("a", text);
        set.add("element");
        queue.put(text);
        far.send_bytes("\xa1z");
        const auto refused = [](auto&& take, const std::string& operation, const std::string& subject) {
            try {
                take();
                FAIL("it was taken");
            } catch (const Error& error) {
                CHECK(error.errc() == Errc::type_mismatch);
                CHECK(error.operation() == operation);
                CHECK(error.subject() == subject);
                CHECK(error.detail().find("found string") != std::string::npos);
            }
        };
        refused([&] { manager.list<int>("list").pop(); }, "pop", "list 'list'");
        refused([&] { manager.list<int>("list").pop(0); }, "pop", "list 'list'");
        refused([&] { (void)manager.dict<std::string, int>("dict").pop("a"); }, "pop", "dict 'dict'");
        refused([&] { (void)manager.dict<std::string, int>("dict").popitem(); }, "popitem", "dict 'dict'");
        refused([&] { (void)manager.set<int>("set").pop(); }, "pop", "set 'set'");
        refused([&] { manager.queue<int>("queue").get(); }, "get", "queue 'queue'");
        refused([&] { (void)manager.queue<int>("queue").get_leased(); }, "get_leased", "queue 'queue'");
        REQUIRE_THROWS_MATCHES(near.recv(), Error, fails_with(Errc::type_mismatch));
        REQUIRE_THROWS_MATCHES((void)near.recv_for(1s), Error, fails_with(Errc::type_mismatch));
        REQUIRE(list.pop() == text);
        REQUIRE(list.pop() == "first");
        REQUIRE(dict.pop("a") == text);
        REQUIRE(set.pop() == "element");
        REQUIRE(queue.leased() == 0);
        REQUIRE(queue.get() == text);
        REQUIRE(near.recv_bytes(10) == "\xa1z");
    }
    require_whole(realm);
}

TEST_CASE("what no consumer can decode becomes a dead letter") {
    const test::LocalRealm realm;
    auto texts = realm.manager().queue<std::string>("q", {.max_deliveries = 2});
    auto numbers = realm.manager().queue<int>("q");
    texts.put_many({"one", "two"});
    for (int i = 0; i < 2; ++i) REQUIRE_THROWS_MATCHES((void)numbers.get_leased(), Error, fails_with(Errc::type_mismatch));
    REQUIRE(texts.leased() == 0);
    REQUIRE(texts.dead_letters().size() == 1);
    REQUIRE(texts.snapshot() == std::vector<std::string>{"two"});
    require_whole(realm);
}

TEST_CASE("many are given up to the one that cannot be decoded") {
    const Order order = GENERATE(Order::fifo, Order::lifo);
    const test::LocalRealm realm;
    auto any = realm.manager().queue<Value>("q", {.order = order});
    auto numbers = realm.manager().queue<int>("q");
    for (const bool drained : {false, true}) {
        any.put_many(order == Order::fifo ? std::vector<Value>{1, 2, "three", 4} : std::vector<Value>{4, "three", 2, 1});
        REQUIRE((drained ? numbers.drain() : numbers.get_many(10)) == std::vector<int>{1, 2});
        REQUIRE_THROWS_MATCHES(numbers.get_many(10), Error, fails_with(Errc::type_mismatch));
        REQUIRE(any.snapshot() == std::vector<Value>{"three", 4});
        REQUIRE(any.get() == "three");
        REQUIRE(numbers.get_many(10) == std::vector<int>{4});
    }
    require_whole(realm);
}

TEST_CASE("where a codec has no memory nothing is taken") {
    const test::LocalRealm realm;
    Manager manager = realm.manager();
    auto queue = manager.queue<Parcel>();
    auto lowest = manager.queue<Parcel>({.order = Order::priority});
    auto list = manager.list<Parcel>();
    auto dict = manager.dict<std::string, Parcel>();
    auto set = manager.set<Parcel>();
    auto [near, far] = manager.pipe<Parcel>();
    queue.put_many({{1}, {2}});
    lowest.put_many({{1}, {2}});
    list.extend({{1}, {2}});
    dict.update({{"a", {1}}, {"b", {2}}});
    set.update({{1}, {2}});
    far.send({1});
    {
        const Decoding failing(no_memory);
        REQUIRE_THROWS_AS(queue.get(), std::bad_alloc);
        REQUIRE_THROWS_AS(queue.get_many(2), std::bad_alloc);
        REQUIRE_THROWS_AS((void)queue.drain(), std::bad_alloc);
        REQUIRE_THROWS_AS(queue.consume().begin(), std::bad_alloc);
        REQUIRE_THROWS_AS(lowest.get(), std::bad_alloc);
        REQUIRE_THROWS_AS((void)lowest.drain(), std::bad_alloc);
        REQUIRE_THROWS_AS(list.pop(), std::bad_alloc);
        REQUIRE_THROWS_AS(list.pop(0), std::bad_alloc);
        REQUIRE_THROWS_AS(dict.pop("a"), std::bad_alloc);
        REQUIRE_THROWS_AS(dict.popitem(), std::bad_alloc);
        REQUIRE_THROWS_AS(set.pop(), std::bad_alloc);
        REQUIRE_THROWS_AS(near.recv(), std::bad_alloc);
        REQUIRE_THROWS_AS((void)near.try_recv(), std::bad_alloc);
    }
    require_whole(realm);
    REQUIRE(queue.drain() == std::vector<Parcel>{{1}, {2}});
    REQUIRE(lowest.get_many(5) == std::vector<Parcel>{{1}, {2}});
    REQUIRE(list.pop() == Parcel{2});
    REQUIRE(list.pop() == Parcel{1});
    REQUIRE(dict.pop("a") == Parcel{1});
    REQUIRE(dict.popitem() == std::pair<std::string, Parcel>{"b", {2}});
    REQUIRE(set.pop() == Parcel{2});
    REQUIRE(near.recv() == Parcel{1});
}

TEST_CASE("what a lease cannot decode goes back, a delivery that failed") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<Parcel>({.max_deliveries = 2});
    queue.put({1});
    {
        const Decoding failing(no_memory);
        REQUIRE_THROWS_AS(queue.get_leased(), std::bad_alloc);
    }
    REQUIRE(queue.size() == 1);
    {
        auto leased = queue.get_leased();
        REQUIRE(leased.deliveries() == 2);
        REQUIRE(leased.value() == Parcel{1});
    }
    REQUIRE(queue.dead_letters().size() == 1);
}

// It would wait for itself.
TEST_CASE("a codec of the user's runs while nothing is locked") {
    const test::LocalRealm realm;
    Manager manager = realm.manager();
    auto queue = manager.queue<Parcel>();
    auto list = manager.list<Parcel>();
    auto dict = manager.dict<int, Parcel>();
    auto ends = manager.pipe<Parcel>();
    auto &near = ends.first, &far = ends.second;
    queue.put({1});
    list.push_back({1});
    dict.set(1, {1});
    far.send({1});
    const Decoding using_them([&](int) {
        queue.put({10});
        list.push_back({10});
        dict.set(10, {10});
        far.send({10});
    });
    REQUIRE(queue.get() == Parcel{1});
    REQUIRE(list.pop(0) == Parcel{1});
    REQUIRE(dict.pop(1) == Parcel{1});
    REQUIRE(near.recv() == Parcel{1});
    require_whole(realm);
}

TEST_CASE("what somebody else took meanwhile is not taken twice") {
    const test::LocalRealm realm;
    Manager manager = realm.manager();
    auto queue = manager.queue<Parcel>("q");
    auto latest = manager.queue<Parcel>({.order = Order::lifo});
    auto list = manager.list<Parcel>();
    auto dict = manager.dict<int, Parcel>();
    auto [near, far] = manager.pipe<Parcel>();
    auto same_queue = manager.queue<int>("q");
    queue.put_many({{1}, {2}, {3}});
    latest.put_many({{3}, {2}, {1}});
    list.extend({{1}, {2}});
    dict.update({{1, {1}}, {2, {2}}});
    {
        const Decoding faster([&](int number) {
            if (number == 1) REQUIRE(same_queue.get() == 1);
        });
        REQUIRE(queue.get() == Parcel{2});
        REQUIRE(queue.snapshot() == std::vector<Parcel>{{3}});
    }
    {
        const Decoding higher([&](int number) {
            if (number == 1) latest.put({7});
        });
        REQUIRE(latest.get() == Parcel{7});
        REQUIRE(latest.size() == 3);
    }
    {
        const Decoding shorter([&](int number) {
            if (number == 2) list.erase(-1);
        });
        REQUIRE(list.pop() == Parcel{1});
        REQUIRE_THROWS_MATCHES(list.pop(), Error, fails_with(Errc::index_error));
    }
    {
        const Decoding gone([&](int number) {
            if (number == 1) dict.erase(1);
            if (number == 2) dict.set(2, {20});
        });
        REQUIRE(dict.pop(1) == std::nullopt);
        REQUIRE(dict.pop(2) == Parcel{20});
    }
    require_whole(realm);
}

TEST_CASE("an item that was taken by many at once was taken by one") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<Parcel>();
    constexpr int items = 20'000;
    std::vector<std::atomic<int>> seen(items);
    std::vector<std::thread> consumers;
    for (int i = 0; i < 3; ++i)
        consumers.emplace_back([&, i, mine = queue]() mutable {
            for (;;) {
                if (i == 0) {
                    for (const Parcel& parcel : mine.get_many(7)) {
                        if (parcel.number < 0) return;
                        ++seen[static_cast<std::size_t>(parcel.number)];
                    }
                    continue;
                }
                const Parcel parcel = mine.get();
                if (parcel.number < 0) return;
                ++seen[static_cast<std::size_t>(parcel.number)];
            }
        });
    for (int i = 0; i < items; ++i) queue.put({i});
    for (int i = 0; i < 30; ++i) queue.put({-1});
    for (auto& consumer : consumers) consumer.join();
    for (const auto& times : seen) REQUIRE(times == 1);
    require_whole(realm);
}

TEST_CASE("a value whose move throws is not lost on its way") {
    const test::LocalRealm realm;
    Manager manager = realm.manager();
    auto queue = manager.queue<Fragile>();
    auto deques = manager.queue<std::deque<std::string>>();
    deques.put({"a", "b"});
    REQUIRE(deques.get() == std::deque<std::string>{"a", "b"});
    queue.put(Fragile("one"));
    for (int moves = 0;; ++moves) {
        Fragile::moves_left = moves;
        bool thrown = false;
        try {
            const Fragile got = queue.get();
            REQUIRE(got.text == "one");
        } catch (const std::bad_alloc&) {
            thrown = true;
        }
        Fragile::moves_left = 1000;
        REQUIRE(queue.size() == (thrown ? 1 : 0));
        if (!thrown) break;
        REQUIRE(moves < 100);
    }
}

TEST_CASE("who cannot decode an item leaves it to the others who wait") {
    const test::LocalRealm realm;
    auto numbers = realm.manager().queue<int>("q");
    auto texts = realm.manager().queue<std::string>("q");
    std::string got;
    std::atomic<bool> failed{false};
    std::thread first([&, mine = numbers]() mutable {
        try {
            mine.get();
        } catch (const Error&) {
            failed = true;
        }
    });
    std::thread second([&, mine = texts]() mutable { got = mine.get(); });
    texts.put("for the second");
    second.join();
    REQUIRE(got == "for the second");
    texts.put("for nobody");
    first.join();
    REQUIRE(failed);
    REQUIRE(texts.get() == "for nobody");
}

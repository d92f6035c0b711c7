#include "values.hpp"

using namespace codec_test;
using muster::decode;
using muster::Errc;
using muster::to_bytes;
using muster::Value;

namespace {

struct Point {
    int x = 0, y = 0;
    friend bool operator==(const Point&, const Point&) = default;
};
struct Job {
    std::string name;
    std::optional<double> weight;
    std::vector<Point> path;
    std::map<std::string, int> limits;
    std::array<int, 2> pair{};
    std::variant<int, std::string> tag;
    friend bool operator==(const Job&, const Job&) = default;
};
struct Mixed {
    int id = 0;
    Value anything;
    friend bool operator==(const Mixed&, const Mixed&) = default;
};
struct Tree {
    int label = 0;
    std::vector<Tree> children;
    friend bool operator==(const Tree&, const Tree&) = default;
};
struct Nothing {
    friend bool operator==(const Nothing&, const Nothing&) = default;
};

// Has a constructor and a secret: only a codec of its own can store it.
class Celsius {
  public:
    explicit Celsius(double degrees) : degrees_(degrees) {}
    double degrees() const { return degrees_; }

  private:
    double degrees_;
};
struct Weather {
    std::string town;
    Celsius temperature;
};
class Opaque {
  public:
    explicit Opaque(int) {}
};

template <typename T>
void reads_back(const T& value) {
    INFO(hex_of(value));
    CHECK(decode<T>(to_bytes(value)) == value);
}

}  // namespace

template <>
struct muster::codec<Celsius> {
    static void encode(Writer& out, const Celsius& value) { out.number(value.degrees()); }
    static Celsius decode(Reader& in) { return Celsius(in.number()); }
};

static_assert(muster::Storable<int> && muster::Storable<std::string> && muster::Storable<Value>);
static_assert(muster::Storable<Job> && muster::Storable<Tree> && muster::Storable<Celsius>);
static_assert(muster::Storable<std::map<std::string, std::vector<std::optional<Point>>>>);
static_assert(muster::Encodable<std::string_view> && !muster::Storable<std::string_view>);
static_assert(muster::Encodable<const char*> && muster::Encodable<char[4]> && !muster::Storable<const char*>);
static_assert(!muster::Encodable<Opaque> && !muster::Storable<std::vector<Opaque>> &&
              !muster::Storable<int*>);
static_assert(!muster::Storable<std::pair<int, Opaque>> && !muster::Storable<std::map<std::string, Opaque>>);

TEST_CASE("standard containers read back") {
    reads_back(std::vector<int>{});
    reads_back(std::vector<int>{1, -2, 300'000});
    reads_back(std::vector<bool>{true, false, true});
    reads_back(std::vector<std::string>(20, "twenty"));
    reads_back(std::vector<int>(70'000, 5));
    reads_back(std::deque<double>{0.5, -1.0});
    reads_back(std::list<std::string>{"a", "", "c"});
    reads_back(std::set<int>{5, 1, 3});
    reads_back(std::unordered_set<std::string>{"x", "y"});
    reads_back(std::map<std::string, int>{{"one", 1}, {"two", 2}});
    reads_back(std::map<int, std::string>{{-1, "a"}, {2, "b"}});
    reads_back(std::unordered_map<std::string, std::vector<int>>{{"odd", {1, 3}}, {"even", {}}});
    reads_back(std::pair<int, std::string>{4, "four"});
    reads_back(std::tuple<>{});
    reads_back(std::tuple<int, bool, std::string>{1, true, "x"});
    reads_back(std::array<std::string, 2>{"l", "r"});
    reads_back(std::array<int, 0>{});
    reads_back(std::optional<int>{});
    reads_back(std::optional<int>{0});
    reads_back(std::variant<int, std::string, std::monostate>{"text"});
    reads_back(std::variant<int, std::string, std::monostate>{std::monostate{}});
    reads_back(std::vector<Value>{1, "2", 0.25, nullptr});
}

TEST_CASE("containers have the bytes that nlohmann gives the same JSON") {
    CHECK(to_bytes(std::vector<int>{1, -2, 300'000}) == by_nlohmann(Value{1, -2, 300'000}));
    CHECK(to_bytes(std::vector<int>(16, 1)) == by_nlohmann(Value(std::vector<int>(16, 1))));
    CHECK(to_bytes(std::vector<int>(65'536, 1)) == by_nlohmann(Value(std::vector<int>(65'536, 1))));
    const std::map<std::string, double> named{{"a", 0.5}, {"b", 0.1}};
    CHECK(to_bytes(named) == by_nlohmann(Value(named)));
    const std::map<int, std::string> numbered{{1, "one"}, {2, "two"}};
    CHECK(to_bytes(numbered) == by_nlohmann(Value(numbered)));
    const std::tuple<int, bool, std::string> triple{1, true, "x"};
    CHECK(to_bytes(triple) == by_nlohmann(Value(triple)));
    CHECK(to_bytes(std::optional<int>{}) == by_nlohmann(nullptr));
}

TEST_CASE("a map reads from either form, whatever its keys are") {
    using Numbered = std::map<int, std::string>;
    CHECK(decode<Numbered>(bytes_of({0x81, 0x07, 0xa1, 'x'})) == Numbered{{7, "x"}});
    using Named = std::unordered_map<std::string, int>;
    CHECK(decode<Named>(bytes_of({0x91, 0x92, 0xa1, 'x', 0x07})) == Named{{"x", 7}});
    CHECK(decode<Named>(bytes_of({0x82, 0xa1, 'x', 0x07, 0xa1, 'x', 0x08})) == Named{{"x", 8}});
    CHECK(detail_of([] { decode<Named>(to_bytes(1)); }) == "expected map, found integer");
}

TEST_CASE("an array of another length is another type") {
    CHECK(detail_of([] { decode<std::pair<int, int>>(to_bytes(std::vector<int>{1})); }) ==
          "expected array of 2, found array of 1");
    CHECK(code_of([] {
              decode<std::array<int, 2>>(to_bytes(std::vector<int>{1, 2, 3}));
          }) == Errc::type_mismatch);
    CHECK(code_of([] { decode<Point>(to_bytes(std::vector<int>{1, 2, 3})); }) == Errc::type_mismatch);
    CHECK(code_of([] {
              decode<std::variant<int, bool>>(to_bytes(std::pair{2, true}));
          }) == Errc::value_error);
}

TEST_CASE("a plain struct is the array of its fields") {
    CHECK(hex_of(Point{1, -1}) == "92 01 ff");
    CHECK(hex_of(Nothing{}) == "90");
    reads_back(Point{-5, 1'000'000});
    reads_back(Nothing{});
    reads_back(Job{"build", 0.5, {{1, 2}, {3, 4}}, {{"cpu", 2}}, {8, 9}, std::string("x")});
    reads_back(Job{});
    reads_back(Mixed{3, {{"k", {1, nullptr}}}});
    reads_back(Tree{1, {{2, {}}, {3, {{4, {}}}}}});
    reads_back(std::vector<Point>{{1, 2}, {3, 4}});
    CHECK(to_bytes(std::tuple{1, 2}) == to_bytes(Point{1, 2}));
}

TEST_CASE("a codec of one's own serves alone, in containers and as a field") {
    CHECK(decode<Celsius>(to_bytes(Celsius(21.5))).degrees() == 21.5);
    const auto many = decode<std::vector<Celsius>>(to_bytes(std::vector<Celsius>{Celsius(1), Celsius(2)}));
    CHECK(many.size() == 2);
    CHECK(many[1].degrees() == 2);
    const auto report = decode<Weather>(to_bytes(Weather{"Bergen", Celsius(9)}));
    CHECK(report.town == "Bergen");
    CHECK(report.temperature.degrees() == 9);
}

TEST_CASE("what was stored with types reads as a Value and the other way") {
    CHECK(decode<Value>(to_bytes(Job{"j", {}, {{1, 2}}, {{"a", 1}}, {8, 9}, 7})) ==
          Value::parse(R"(["j", null, [[1,2]], {"a":1}, [8,9], [0,7]])"));
    CHECK(decode<std::vector<int>>(to_bytes(Value{1, 2, 3})) == std::vector{1, 2, 3});
    CHECK(decode<Point>(to_bytes(Value{1, 2})) == Point{1, 2});
}

TEST_CASE("nesting is refused beyond 128 levels, writing and reading") {
    Tree tree{0, {}};
    for (int i = 1; i < 64; ++i) tree = Tree{i, {std::move(tree)}};  // two levels each
    reads_back(tree);
    CHECK(code_of([&] { to_bytes(Tree{64, {tree}}); }) == Errc::limit_exceeded);

    Bytes deep(128, std::byte{0x91});
    deep.push_back(std::byte{0x90});
    CHECK(code_of([&] { decode<Value>(deep); }) == Errc::damaged);
    CHECK(code_of([&] { muster::Reader(deep).skip(); }) == Errc::damaged);
    CHECK(decode<Value>(std::span(deep).subspan(1)).is_array());
    muster::Reader(std::span(deep).subspan(1)).skip();
}

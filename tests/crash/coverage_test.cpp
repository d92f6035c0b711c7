// An operation of a container that has no row in the crash tests is found here: what the headers declare is held
// against the rows' names ("area: operation, variant").
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "crash/operations.hpp"
#include "crash/report.hpp"

using namespace muster::test;

namespace {

std::string read(const std::string& path) {
    std::ifstream file(MUSTER_SOURCE_DIR "/libipc/src/" + path);
    INFO(path);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

constexpr const char* identifier = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

// The names of the public member functions of the class that are neither const nor static nor special.
std::set<std::string> changing_functions(const std::string& header, const std::string& name) {
    std::string text = std::regex_replace(header, std::regex("//[^\n]*"), "");
    const std::size_t begin = std::min(text.find("class " + name + " {"), text.find("class " + name + " : "));
    REQUIRE(begin != std::string::npos);
    std::size_t end = begin;
    int depth = 0;
    std::string members;  // of the class itself: bodies and nested types left out
    do {
        end = text.find_first_of("{};", end + 1);
        REQUIRE(end != std::string::npos);
        if (text[end] == '{') ++depth;
        if (text[end] == '}') --depth;
    } while (depth != 0 || text[end] != '}');
    bool is_public = false;
    depth = 0;
    int parentheses = 0;
    for (std::size_t at = begin; at < end; ++at) {
        if (text.compare(at, 7, "public:") == 0) is_public = true;
        if (text.compare(at, 8, "private:") == 0 || text.compare(at, 10, "protected:") == 0) is_public = false;
        if (text[at] == '(') ++parentheses;
        if (text[at] == ')') --parentheses;
        const bool brace = parentheses == 0 && (text[at] == '{' || text[at] == '}');  // not a default argument's
        if (brace && text[at] == '}') --depth;
        if (is_public && depth == 1) members += brace ? ';' : text[at];
        if (brace && text[at] == '{') ++depth;
    }
    std::set<std::string> found;
    for (std::size_t at = 0; at < members.size();) {
        const std::size_t stop = std::min(members.find(';', at), members.size());
        const std::string statement = members.substr(at, stop - at);
        at = stop + 1;
        const std::size_t open = statement.find('('), close = statement.rfind(')');
        if (open == std::string::npos || close == std::string::npos) continue;
        const std::size_t space = statement.find_last_not_of(identifier, open - 1);
        const std::string function = statement.substr(space + 1, open - space - 1);
        const auto has = [&](const char* word, std::size_t from) { return statement.find(word, from) != std::string::npos; };
        if (function.empty() || function == name || has("const", close)) continue;
        if (has("static ", 0) || has("operator", 0) || has("using ", 0)) continue;
        found.insert(function);
    }
    return found;
}

std::map<std::string, std::set<std::string>> rows() {
    std::map<std::string, std::set<std::string>> found;
    for (const auto& operations : all_operations())
        for (const Operation& operation : operations) {
            const std::size_t colon = operation.name.find(": ");
            REQUIRE(colon != std::string::npos);
            const std::string rest = operation.name.substr(colon + 2);
            found[operation.name.substr(0, colon)].insert(rest.substr(0, rest.find(',')));
        }
    return found;
}

using Exempt = std::map<std::string, std::string>;  // function: why it needs no row

void compare(const std::string& area, const std::string& header, const std::string& name, const Exempt& exempt) {
    const std::set<std::string> declared = changing_functions(read(header), name), tested = rows()[area];
    CHECK(declared.size() >= 2);
    for (const std::string& function : declared) {
        INFO(area << ": " << function << " is declared in " << header << " and has no row in the crash tests");
        CHECK((tested.contains(function) || exempt.contains(function)));
    }
    for (const std::string& function : tested) {
        INFO(area << ": a row tests " << function << ", which " << header << " does not declare");
        CHECK(declared.contains(function));
    }
    for (const auto& [function, why] : exempt) {
        INFO(area << ": " << function << " is exempt (" << why << ")");
        CHECK((declared.contains(function) && !tested.contains(function)));
    }
}

}  // namespace

TEST_CASE("every operation that changes a container has a row in the crash tests") {
    compare("extents", "heap/extents.hpp", "Extents", {{"format", "on a new segment, which nobody else knows yet"}});
    compare("heap", "heap/heap_of.hpp", "Heap",
            {{"make_body", "directory: open_or_create"},
             {"grow", "heap: allocate, where the heap grows"},
             {"collect", "heap: reset, and trim"},
             {"reconcile", "every recovery"},
             {"destroy", "directory: erase"},
             {"free_later", "the rows of transact"}});
    compare("directory", "containers/directory.hpp", "Directory",
            {{"format", "on a new segment, which nobody else knows yet"}});
    const std::string joint = "part of a change of several objects: the rows of transact";
    compare("dict", "containers/table.hpp", "Table", {{"reserve", joint}, {"set_within", joint}, {"remove_within", joint}});
    compare("list", "containers/sequence.hpp", "Sequence",
            {{"stage", joint}, {"drop_staged", joint}, {"set_within", joint}, {"resize_within", joint}});
    compare("queue", "containers/queue.hpp", "Queue", {{"put_within", joint}, {"take_within", joint}});
    compare("numbers", "containers/scalars.hpp", "Scalars", {{"set_within", joint}});
    compare("pipe", "containers/pipe.hpp", "Pipe", {});
    compare("sessions", "sync/sessions.hpp", "Sessions", {{"format", "on a new segment, which nobody else knows yet"}});
    compare("tx", "tx/transaction.hpp", "Tx",
            {{"commit", "the end of every row of this area"}, {"freed", "stores nothing in the segment"}});
    compare("lock", "sync/lock.hpp", "LockWord", {});
    compare("rlock", "sync/recursive_lock.hpp", "RecursiveLock", {});
    compare("wait", "sync/wait_point.hpp", "WaitPoint", {{"sleep", "stores nothing in the segment"}});
    compare("event", "sync/event.hpp", "Event", {});
    compare("semaphore", "sync/semaphore.hpp", "Semaphore", {});
    compare("condition", "sync/condition.hpp", "Condition", {});
    compare("barrier", "sync/barrier.hpp", "Barrier", {});
    compare("realm", "session/realm.hpp", "Realm",
            {{"watch_locks", "stores nothing in the segment"},
             {"set_deadlock_is_error", "one word of the header, either value of which is right"}});
}

TEST_CASE("each row of the crash tests has a name of its own, which the report will look for") {
    std::set<std::string> names;
    std::vector<std::string> told;
    for (const auto& operations : all_operations())
        for (const Operation& operation : operations) {
            INFO(operation.name);
            CHECK(names.insert(operation.name).second);
            told.push_back("row\t" + operation.name);
        }
    tell_report("rows", told);
}

TEST_CASE("the functions of a class are found as they are declared") {
    const std::string header = R"(
class Other { public: void no(); };
class Some {
  public:
    explicit Some(int x) : x_(x) {}
    Some& operator=(const Some&) = delete;
    static int stat(int a);
    int reads(const std::function<void(int)>& fn) const;
    int inline_reads() const noexcept { return x_; }
    // void commented();
    void changes(const std::function<void(int a, int b)>& fn, int b = {});
    bool body(int a) {
        if (a) { call(a); }
        return true;
    }
    struct Nested { void inner(); };
    [[nodiscard]] bool last();
  private:
    void hidden();
    int x_;
};)";
    CHECK(changing_functions(header, "Some") == std::set<std::string>{"changes", "body", "last"});
}

// Processes build and drop graphs of handles, and are killed at it, and so is the service: what can be reached is whole and
// alive, all else is freed, to the last byte.
#include <catch2/catch.hpp>

#include <csignal>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include <muster/ipc.hpp>

#include "handles/object_state.hpp"
#include "support/child.hpp"
#include "support/daemon_fixture.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::Daemon;
using test::eventually;

namespace {

using Node = Dict<int, Value>;  // at 0 its word, at 1 to 5 handles to other nodes
constexpr auto word = "a node's";
constexpr int roots = 12, branches = 5;

// The named objects from which everything is reached.
struct Graph {
    Manager manager;
    Dict<int, Node> table = manager.dict<int, Node>("table");
    List<Node> list = manager.list<Node>("list");
    Queue<Node> queue = manager.queue<Node>("queue", {.maxsize = 8});

    explicit Graph(const Daemon& daemon) : manager(Manager::connect(daemon.address())) {}
    void clear() {
        table.clear();
        list.clear();
        queue.clear();
    }
    void erase() const {
        for (const char* name : {"table", "list", "queue"}) manager.erase(name);
    }
};

Node whole(Node node) {
    if (node.at(0) != word) throw std::runtime_error("a node without its word");
    return node;
}

// Does what it can until it is killed. Throws when something that it comes upon is gone or torn.
class Worker {
  public:
    Worker(Graph& graph, unsigned seed) : graph_(graph), random_(seed) {}
    [[noreturn]] void run() {
        for (;;) try {
                step();
            } catch (const Error& error) {
                if (error.errc() != Errc::out_of_memory && error.errc() != Errc::limit_exceeded) throw;
                own_.clear();  // there is more garbage than fits, until the next search
                graph_.clear();
            }
    }

  private:
    int any(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
    Node& mine() { return own_[static_cast<std::size_t>(any(static_cast<int>(own_.size())))]; }
    void keep(Node node) {
        whole(node);
        if (own_.size() < 8)
            own_.push_back(std::move(node));
        else
            mine() = std::move(node);
    }
    void keep(const std::optional<Value>& handle) {
        if (handle) keep(graph_.manager.open<Node>(*handle));
    }
    void step() {
        if (own_.empty() || any(8) == 0) {
            auto node = graph_.manager.dict<int, Value>();
            node.set(0, word);
            return keep(std::move(node));
        }
        switch (any(12)) {
            case 0: case 1: return mine().set(1 + any(branches), to_value(mine()));
            case 2: return graph_.table.set(any(roots), mine());
            case 3: if (auto node = graph_.table.pop(any(roots))) keep(*node); return;
            case 4: if (auto node = graph_.table.get(any(roots))) keep(*node); return;
            case 5: return keep(mine().get(1 + any(branches)));
            case 6: return keep(mine().pop(1 + any(branches)));
            case 7: (void)mine().erase(1 + any(branches)); return;
            case 8: (void)graph_.queue.try_put(mine()); return;
            case 9: if (auto node = graph_.queue.try_get()) keep(*node); return;
            case 10: return graph_.list.size() < 8 ? graph_.list.push_back(mine()) : graph_.list.clear();
            default:
                if (any(2) == 0) return own_.clear();
                try {
                    keep(graph_.list.pop());
                } catch (const Error& error) {
                    if (error.errc() != Errc::index_error) throw;
                }
        }
    }
    Graph& graph_;
    std::mt19937 random_;
    std::vector<Node> own_;
};

using Ids = std::set<std::uint32_t>;

Ids walk(const Graph& graph) {
    Ids reached;
    std::vector<Node> open;
    for (auto& [key, node] : graph.table.items()) open.push_back(std::move(node));
    for (Node& node : graph.list.snapshot()) open.push_back(std::move(node));
    for (Node& node : graph.queue.snapshot()) open.push_back(std::move(node));
    while (!open.empty()) {
        const Node node = whole(std::move(open.back()));
        open.pop_back();
        if (!reached.insert(node.ref().id).second) continue;
        for (const auto& [key, value] : node.items())
            if (key != 0) open.push_back(graph.manager.open<Node>(value));
    }
    return reached;
}

// In a thread of its own, as what dynamic values have named is kept for the thread that read them.
Ids all_reached(const Graph& graph) {
    return std::async(std::launch::async, [&] { return walk(graph); }).get();
}

// The realm as its owner sees it.
class View : detail::Handle {
  public:
    explicit View(const detail::Handle& any) : Handle(any) {}
    Ids anonymous() const {
        Ids ids;
        for (const auto& entry : state_->session->directory().list())
            if (entry.name.empty()) ids.insert(entry.ref.id);
        return ids;
    }
    std::uint64_t objects() const { return state_->session->directory().live(); }
    std::uint64_t bytes() const {
        std::uint64_t bytes = 0;
        heap::Extents(state_->segment()).for_each([&](const heap::Extent& extent) { bytes += extent.bytes; });
        return bytes;
    }
};

// Of a realm where there was a graph, and is none any more.
std::uint64_t bytes_without(const Daemon& daemon) {
    const Graph graph(daemon);
    const View view(graph.table);
    graph.erase();
    return view.bytes();
}

void check_nothing_is_wrong(const Daemon& daemon) {
    const auto check = daemon.ctl({"check"});
    INFO(check.out << check.err);
    CHECK(check.status == 0);
}

void check_nothing_is_left(const Daemon& daemon, Graph& graph, std::uint64_t bytes_before) {
    const View view(graph.table);
    graph.clear();
    CHECK(eventually([&] { return view.anonymous().empty(); }));
    graph.erase();
    CHECK(view.objects() == 0);
    CHECK(view.bytes() == bytes_before);
    check_nothing_is_wrong(daemon);
}

}  // namespace

TEST_CASE("of what killed processes have built of handles, what can be reached is alive, and nothing else is") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Daemon daemon;
    const std::uint64_t before = bytes_without(daemon);
    Graph graph(daemon);
    const View view(graph.table);
    std::size_t most = 0;
    for (int round = 0; round < 6; ++round) {
        std::vector<std::unique_ptr<Child>> children;
        for (int i = 0; i < 4; ++i)
            children.push_back(std::make_unique<Child>([&, own = static_cast<unsigned>(random())] {
                try {
                    Worker(graph, own).run();
                } catch (const std::exception& error) {
                    std::cerr << "worker: " << error.what() << std::endl;
                }
                return 1;
            }));
        const auto moment = [&] { std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 300)); };
        for (auto& child : children) {
            moment();
            if (round % 2 == 1 && random() % 2 == 0) daemon.kill_service();
            child->kill(SIGKILL);
            CHECK(child->join() == -SIGKILL);
        }
        const Ids reached = all_reached(graph);
        most = std::max(most, reached.size());
        CHECK(eventually([&] { return view.anonymous() == reached; }));
        CHECK(all_reached(graph) == reached);
        check_nothing_is_wrong(daemon);
    }
    CHECK(most > 10);
    check_nothing_is_left(daemon, graph, before);
}

TEST_CASE("a service that is killed while it collects leaves what the next one frees, and nothing that is in use is freed") {
    Daemon daemon;
    const std::uint64_t before = bytes_without(daemon);
    Graph graph(daemon);
    const View view(graph.table);
    const auto ring = [&](int count) {
        std::vector<Node> nodes;
        for (int i = 0; i < count; ++i) {
            nodes.push_back(graph.manager.dict<int, Value>());
            nodes.back().set(0, word);
            if (i != 0) nodes.back().set(1, to_value(nodes[static_cast<std::size_t>(i) - 1]));
        }
        nodes.front().set(1, to_value(nodes.back()));
        return nodes.front();
    };
    graph.table.set(0, ring(100));
    const std::uint64_t kept = view.objects();
    int in_the_midst = 0;
    for (int round = 0; round < 20 && in_the_midst < 3; ++round) {
        const pid_t service = daemon.service();
        const std::uint64_t all = kept + 1500;
        (void)ring(1500);
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (view.objects() == all && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        REQUIRE(view.objects() < all);
        ::kill(service, SIGKILL);
        CHECK(eventually([&] { return daemon.service() != service; }));
        if (view.objects() > kept) ++in_the_midst;
        CHECK(eventually([&] { return view.objects() == kept; }));
    }
    CHECK(in_the_midst > 0);
    CHECK(all_reached(graph).size() == 100);
    check_nothing_is_wrong(daemon);
    check_nothing_is_left(daemon, graph, before);
}

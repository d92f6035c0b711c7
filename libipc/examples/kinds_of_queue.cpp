// Three kinds of queue: first in first out, last in first out, lowest first. And what a bounded one says when it is
// full or empty.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <string>

using namespace std::chrono_literals;
using muster::Order;
using muster::Value;

namespace {

void show(const std::string& kind, muster::Queue<> queue) {
    std::cout << kind << ":";
    while (!queue.empty()) std::cout << " " << muster::to_json_text(queue.get());
    std::cout << "\n";
}

}  // namespace

int main() {
    const muster::Manager manager;

    auto fifo = manager.queue();
    auto lifo = manager.queue({.order = Order::lifo});
    for (const char* item : {"first", "second", "third"}) {
        fifo.put(item);
        lifo.put(item);
    }
    show("fifo", fifo);
    show("lifo", lifo);

    auto priority = manager.queue({.order = Order::priority});
    priority.put({5, 100});
    priority.put({7, 200});
    priority.put({3, "hello"});
    show("priority", priority);
    priority.put({3, "hello"});
    try {
        priority.put("no number, no array");
    } catch (const muster::Error& error) {
        std::cout << "refused: " << muster::to_string(error.errc()) << "\n";
    }

    auto bounded = manager.queue<std::string>({.maxsize = 2});
    bounded.put("one");
    bounded.put_nowait("two");
    std::cout << "qsize " << bounded.qsize() << ", full " << bounded.full() << ", empty " << bounded.empty() << "\n";
    std::cout << "put within 50 ms: " << bounded.put_for("three", 50ms) << "\n";
    try {
        bounded.put_nowait("three");
    } catch (const muster::Error& error) {
        std::cout << "Full: " << muster::to_string(error.errc()) << "\n";
    }
    std::cout << bounded.get_nowait() << ", " << bounded.get() << "\n";
    std::cout << "got within 50 ms: " << bounded.get_for(50ms).has_value() << "\n";
    try {
        bounded.get_nowait();
    } catch (const muster::Error& error) {
        std::cout << "Empty: " << muster::to_string(error.errc()) << "\n";
    }
    std::cout << "qsize " << bounded.qsize() << ", full " << bounded.full() << ", empty " << bounded.empty() << "\n";
}

// A namespace: attributes of several types that parent and children share. Its += is one step, so none gets lost.
#include <unistd.h>

#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <vector>

int main() {
    const muster::Manager manager;
    muster::Namespace space = manager.ns();
    space["x"] = 10;
    space["y"] = "hello";
    space["rates"] = std::vector<double>{0.5, 1.5};

    std::vector<muster::Process> children;
    for (int i = 0; i < 5; ++i)
        children.emplace_back([space]() mutable {
            space["x"] += 1;
            space.set("child_" + std::to_string(::getpid()), true);
        }).start();
    for (auto& child : children) child.join();

    const int x = space["x"];
    const std::string y = space["y"];
    std::cout << "x = " << x << "\ny = " << y << "\n";
    std::cout << "attributes: " << space.size() << "\n";

    space.erase("y");
    try {
        (void)space.get("y");
    } catch (const muster::Error& error) {
        std::cout << error.what() << "\n";
    }
}

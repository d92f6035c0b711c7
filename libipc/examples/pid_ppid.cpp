// Who is whose child: the parent says it, the child says it, and the daemon says the same.
#include <unistd.h>

#include <iostream>
#include <muster/ipc.hpp>

int main() {
    const muster::Manager manager;
    std::cout << "parent: pid " << ::getpid() << ", ppid " << ::getppid() << "\n";

    muster::Process child(muster::Process::Options{.name = "child"}, [&] {
        std::cout << "child:  pid " << ::getpid() << ", ppid " << ::getppid() << "\n";
        for (const auto& process : manager.processes())
            if (process.pid == ::getpid())
                std::cout << "daemon: '" << process.name << "' pid " << process.pid << ", ppid "
                          << process.ppid << ", " << process.state << "\n";
    });
    child.start().join();

    std::cout << "the child was " << *child.pid() << " and ended with " << *child.exitcode() << "\n";
    return *child.exitcode();
}

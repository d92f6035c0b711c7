// A pipe has two connected ends. The child sends, the parent receives; both send and receive; and when one side
// closes its end, or dies, the other one's wait ends.
#include <chrono>
#include <csignal>
#include <iostream>
#include <muster/ipc.hpp>
#include <string>

using namespace std::chrono_literals;
using muster::Value;

int main() {
    const muster::Manager manager;

    {  // the child sends, the parent receives
        auto [ours, theirs] = manager.pipe();
        muster::Process child([end = theirs] { end.send(Value{42, nullptr, "hello"}); });
        child.start();
        std::cout << muster::to_json_text(ours.recv()) << "\n";
        child.join();
    }
    {  // both directions; closing says that there is no more
        auto [ours, theirs] = manager.pipe<std::string>();
        muster::Process child([end = theirs]() mutable {
            try {
                for (;;) end.send("you said " + end.recv());
            } catch (const muster::Error& error) {
                return error.errc() == muster::Errc::end_of_file ? 0 : 1;
            }
        });
        child.start();
        for (const char* word : {"one", "two", ""}) {
            ours.send(word);
            std::cout << "'" << ours.recv() << "'\n";
        }
        std::cout << "more: " << ours.poll(20ms) << "\n";
        ours.close();
        child.join();
        std::cout << "the child ended with " << *child.exitcode() << "\n";
    }
    {  // a death is an end, too
        auto [ours, theirs] = manager.pipe<std::string>();
        muster::Process child([end = theirs] {
            end.send("last words");
            std::raise(SIGKILL);
        });
        child.start();
        try {
            for (;;) std::cout << ours.recv() << "\n";
        } catch (const muster::Error& error) {
            std::cout << muster::to_string(error.errc()) << "\n";
        }
        child.join();
    }
    {  // one way only
        auto [reader, writer] = manager.pipe<int>(false);
        writer.send(7);
        std::cout << reader.recv() << "\n";
        try {
            reader.send(8);
        } catch (const muster::Error& error) {
            std::cout << muster::to_string(error.errc()) << "\n";
        }
    }
}

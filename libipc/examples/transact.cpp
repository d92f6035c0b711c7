// Two dicts of accounts, a journal and an array of sums: each transfer changes all of them or none, also when the process
// that makes it is killed in the middle. Whoever looks sees the money in one place.
#include <iostream>
#include <muster/ipc.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

int main() {
    const muster::Manager manager;
    auto checking = manager.dict<std::string, int>(), savings = manager.dict<std::string, int>();
    auto journal = manager.list<std::string>();
    auto sums = manager.array<int>({2000, 0});  // of checking, of savings
    for (const char* name : {"ann", "bob"}) {
        checking.set(name, 1000);
        savings.set(name, 0);
    }
    const auto save = [=](const std::string& name, int amount) {
        manager.transact([&](muster::Transaction& t) {
            auto from = t(checking), to = t(savings);
            if (from.at(name) < amount) throw std::runtime_error(name + " has not got " + std::to_string(amount));
            from.update(name, [&](std::optional<int> now) { return *now - amount; });
            to.update(name, [&](std::optional<int> now) { return *now + amount; });
            t(sums).update(0, [&](int now) { return now - amount; });
            t(sums).update(1, [&](int now) { return now + amount; });
            t(journal).push_back(name + " saved " + std::to_string(amount));
        });
    };

    save("ann", 100);
    try {
        save("bob", 5000);
    } catch (const std::runtime_error& error) {
        std::cout << error.what() << ": nothing has changed, " << journal.size() << " transfer in the journal\n";
    }

    // Three processes save one at a time; a fourth moves one to and fro until it is killed.
    std::vector<muster::Process> workers;
    workers.emplace_back([=] {
        for (int step = 0;; ++step) save("ann", step % 2 == 0 ? 1 : -1);
    }).start();
    for (int i = 0; i < 3; ++i)
        workers.emplace_back([=] {
            for (int step = 0; step < 200; ++step) save(i == 0 ? "ann" : "bob", 1);
        }).start();
    for (std::size_t i = 1; i < workers.size(); ++i) workers[i].join();
    while (journal.size() < 1 + 3 * 200 + 10) std::this_thread::yield();
    workers[0].kill();
    workers[0].join();

    const int left = sums.get(0), saved = sums.get(1);
    const auto total = [](const muster::Dict<std::string, int>& accounts) {
        int sum = 0;
        for (const int account : accounts.values()) sum += account;
        return sum;
    };
    const int of_the_killed = static_cast<int>(journal.size()) - 1 - 3 * 200;
    const bool agree = total(checking) == left && total(savings) == saved && left + saved == 2000 &&
                       saved == 100 + 3 * 200 + of_the_killed % 2;
    std::cout << "three have made 600 transfers, the killed one " << (of_the_killed > 0 ? "some, too" : "none")
              << "\naccounts, sums and journal agree: " << (agree ? "yes" : "no") << "\n";
}

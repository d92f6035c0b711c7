// A condition: a consumer waits until the producer has said that there is something; and a small buffer between several of
// both, which wait for room and for items, each for the right reason.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t room = 3;
constexpr int producers = 3, consumers = 3, each = 20;

void produce(muster::Condition changed, muster::List<int> buffer, int first) {
    for (int item = first; item < first + each; ++item) {
        const std::scoped_lock hold(changed);
        changed.wait([&] { return buffer.size() < room; });
        buffer.push_back(item);
        changed.notify_all();
    }
}

void consume(muster::Condition changed, muster::List<int> buffer, muster::SharedValue<int> sum) {
    for (int i = 0; i < each; ++i) {
        const std::scoped_lock hold(changed);
        changed.wait([&] { return !buffer.empty(); });
        sum.fetch_add(buffer.pop(0));
        changed.notify_all();
    }
}

}  // namespace

int main() {
    const muster::Manager manager;
    {
        muster::Condition condition = manager.condition();
        auto news = manager.list<int>();
        muster::Process consumer([condition, news]() mutable {
            const std::scoped_lock hold(condition);
            std::cout << "consumer: waits" << std::endl;
            condition.wait([&] { return !news.empty(); });
            std::cout << "consumer: got " << news.pop(0) << std::endl;
        });
        consumer.start();
        while (condition.n_waiting() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        {
            const std::scoped_lock hold(condition);
            std::cout << "producer: puts 42" << std::endl;
            news.push_back(42);
            condition.notify();
        }
        consumer.join();
    }
    muster::Condition changed = manager.condition();
    auto buffer = manager.list<int>();
    auto sum = manager.value<int>();
    std::vector<muster::Process> processes;
    for (int i = 0; i < producers; ++i) processes.emplace_back(produce, changed, buffer, i * each).start();
    for (int i = 0; i < consumers; ++i) processes.emplace_back(consume, changed, buffer, sum).start();
    for (muster::Process& process : processes) process.join();
    std::cout << producers * each << " items, their sum " << sum.load() << ", left " << buffer.size() << "\n";
}

// Producers put things into a queue, consumers take them. Twice: a null for each consumer announces the end; and with
// a queue that is joined until all is done, whose consumers are daemons and end with the program.
#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <vector>

namespace {

constexpr int producers = 3, consumers = 2, things = 5;

void produce(muster::Queue<> queue, int producer) {
    for (int i = 0; i < things; ++i)
        queue.put("thing " + std::to_string(i) + " of producer " + std::to_string(producer));
}

int consume(muster::Queue<> queue, int consumer) {
    int eaten = 0;
    for (muster::Value thing = queue.get(); !thing.is_null(); thing = queue.get(), ++eaten)
        std::cout << "consumer " + std::to_string(consumer) + " got " + thing.get<std::string>() + "\n"
                  << std::flush;
    return eaten;
}

// Under a lease: if this consumer were killed in the middle, another one would get the thing.
void consume_for_ever(muster::Queue<> queue, muster::List<> consumed) {
    for (;;) {
        auto thing = queue.get_leased();
        consumed.push_back(thing.value());
        thing.ack();  // done with it: the joiner counts it
    }
}

void announced_end(const muster::Manager& manager) {
    auto queue = manager.queue({.maxsize = 4});  // producers wait when the consumers are slow

    std::vector<muster::Process> making, taking;
    for (int i = 0; i < producers; ++i) making.emplace_back(produce, queue, i).start();
    for (int i = 0; i < consumers; ++i) taking.emplace_back(consume, queue, i).start();

    for (muster::Process& producer : making) producer.join();
    for (int i = 0; i < consumers; ++i) queue.put(nullptr);
    int eaten = 0;
    for (muster::Process& consumer : taking) {
        consumer.join();
        eaten += *consumer.exitcode();
    }
    std::cout << eaten << " of " << producers * things << " consumed, " << queue.qsize() << " left\n";
}

void joined(const muster::Manager& manager) {
    auto queue = manager.queue();
    auto consumed = manager.list();
    std::vector<muster::Process> making, taking;
    for (int i = 0; i < consumers; ++i) {
        taking.emplace_back(consume_for_ever, queue, consumed).daemon(true);
        taking.back().start();
    }
    for (int i = 0; i < producers; ++i) making.emplace_back(produce, queue, i).start();
    for (muster::Process& producer : making) producer.join();
    queue.join();  // every thing was put, and is done
    std::cout << "joined: " << consumed.size() << " consumed, " << queue.unfinished() << " unfinished\n" << std::flush;
}

}  // namespace

int main() {
    const muster::Manager manager;
    announced_end(manager);
    joined(manager);
}

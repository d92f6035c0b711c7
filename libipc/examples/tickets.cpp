// Many buyers, few tickets, one file: everybody may look at once, but one at a time buys, so nobody
// oversells.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using muster::Value;

namespace {

class TicketFile {
  public:
    explicit TicketFile(int count)
        : path_(std::filesystem::temp_directory_path() /
                ("muster-tickets-" + std::to_string(::getpid()) + ".json")) {
        write(count);
    }
    int left() const { return Value::parse(std::ifstream(path_)).at("left").get<int>(); }
    // Written aside and renamed into place: who looks meanwhile sees the old count or the new one.
    void write(int left) const {
        const auto fresh = path_.string() + ".new";
        std::ofstream(fresh) << Value{{"left", left}};
        std::filesystem::rename(fresh, path_);
    }
    void remove() const { std::filesystem::remove(path_); }

  private:
    std::filesystem::path path_;
};

bool buy(const TicketFile& tickets) {
    const int left = tickets.left();
    if (left == 0) return false;
    std::this_thread::sleep_for(
        2ms);  // the bank takes its time; without the lock the others would read `left` now
    tickets.write(left - 1);
    return true;
}

}  // namespace

int main() {
    const muster::Manager manager;
    auto counter = manager.lock();  // where tickets are sold
    auto sold = manager.list<int>();
    const TicketFile tickets(5);

    std::vector<muster::Process> buyers;
    for (int buyer = 0; buyer < 20; ++buyer)
        buyers
            .emplace_back([&, buyer] {
                std::cout << "buyer " + std::to_string(buyer) + " sees " + std::to_string(tickets.left()) +
                                 " left\n";
                const std::scoped_lock hold(counter);
                const bool bought = buy(tickets);
                if (bought) sold.push_back(buyer);
                std::cout << "buyer " + std::to_string(buyer) +
                                 (bought ? " bought one\n" : " came too late\n");
            })
            .start();
    for (muster::Process& buyer : buyers) buyer.join();

    std::cout << "sold " << sold.size() << ", left " << tickets.left() << "\n";
    tickets.remove();
}

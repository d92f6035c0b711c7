// A process type of one's own: it has constructor arguments and does its work in run().
#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <vector>

class Greeter : public muster::Process {
  public:
    Greeter(std::string whom, muster::Dict<std::string, std::size_t> letters)
        : Process(Options{.name = "greeter-of-" + whom}), whom_(std::move(whom)), letters_(std::move(letters)) {}

    int run() override {
        std::cout << name() << ": hello " << whom_ << "\n";
        letters_.insert_or_assign(whom_, whom_.size());
        return static_cast<int>(whom_.size());
    }

  private:
    std::string whom_;
    muster::Dict<std::string, std::size_t> letters_;
};

int main() {
    const muster::Manager manager;
    auto letters = manager.dict<std::string, std::size_t>();

    std::vector<Greeter> greeters;
    for (const char* whom : {"Ada", "Grace", "Barbara"}) greeters.emplace_back(whom, letters);
    for (Greeter& greeter : greeters) {  // one after the other
        greeter.start();
        greeter.join();
        std::cout << greeter.name() << " ended with " << *greeter.exitcode() << "\n";
    }
    for (const auto& [whom, count] : letters.items()) std::cout << whom << ": " << count << " letters\n";
}

// Descriptors of others, watched on the io_context until they become readable or are not watched any more.
//
// The descriptor stays its owner's and must be open until remove(). An action runs at most once; it may add
// and remove. Thread safety: the io_context's one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace muster::service {

class Watches {
  public:
    explicit Watches(boost::asio::io_context& context);
    ~Watches();

    void add(std::uint64_t token, int fd, std::function<void()> readable);
    void remove(std::uint64_t token) noexcept;

  private:
    struct Watch;
    boost::asio::io_context& context_;
    std::map<std::uint64_t, std::shared_ptr<Watch>> watches_;
};

}  // namespace muster::service

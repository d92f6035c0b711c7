// From a call to its handler: looks up the method, holds the parameters against the interface definition, and turns
// whatever a handler throws into one error reply. Nothing a client sends, and no std::bad_alloc, gets past it.
//
// org.varlink.service is answered here. Thread safety: the service's one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "service/server/call.hpp"
#include "service/server/interface.hpp"

namespace muster::service {

class Dispatcher {
  public:
    using Handler = std::function<void(const std::shared_ptr<Call>&)>;

    struct Identity {
        std::string vendor, product, version, url;
    };

    explicit Dispatcher(Identity identity);
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    void add_interface(std::string_view text);
    // `method` as "io.muster.service.Attach"; it must be one of an added interface.
    void handle(std::string_view method, Handler handler);

    void dispatch(const std::shared_ptr<Call>& call) const noexcept;

    const std::map<std::string, Interface, std::less<>>& interfaces() const noexcept { return interfaces_; }
    // Methods that are defined and have no handler: none in a complete service.
    std::vector<std::string> unhandled() const;

  private:
    void run(const std::shared_ptr<Call>& call) const;

    Identity identity_;
    std::map<std::string, Interface, std::less<>> interfaces_;
    std::map<std::string, Handler, std::less<>> handlers_;
};

}  // namespace muster::service

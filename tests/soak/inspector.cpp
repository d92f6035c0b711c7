// Asks the daemon all the time how the realm is, while everybody works on it and dies.
#include <nlohmann/json.hpp>
#include <thread>

#include "soak/worker.hpp"

namespace muster::soak {
namespace {

using nlohmann::json;

// What a live realm may show: that somebody is inside, who was not given the processor for long.
constexpr const char* busy = "I9";

class Inspector {
  public:
    explicit Inspector(Context& context) : context_(context) {}

    void act() {
        json reply;
        switch (context_.random.below(5)) {
            case 0:
                (void)ask(Op::daemon_status, "io.muster.service.Status", reply);
                break;
            case 1:
                (void)ask(Op::daemon_sessions, "io.muster.service.Sessions", reply);
                break;
            case 2:
                (void)ask(Op::daemon_objects, "io.muster.objects.List", reply);
                break;
            case 3:
                (void)ask(Op::daemon_processes, "io.muster.processes.List", reply);
                break;
            default:
                if (ask(Op::daemon_check, "io.muster.objects.Check", reply)) checked(reply);
        }
    }

  private:
    // False: the service has died over and over.
    bool ask(Op op, const char* method, json& reply) {
        const Doing doing(context_.page, op);
        try {
            reply = context_.realm.session->control().call(method, json::object());
            return true;
        } catch (const Error& error) {
            if (error.errc() != Errc::unreachable && error.errc() != Errc::timeout) throw;
            return false;
        }
    }

    void checked(const json& report) {
        ++context_.block.checks;
        for (const json& violation : report.at("violations"))
            if (violation.at("invariant") != busy)
                throw Broken("check finds nothing on the realm under load", violation.dump());
    }

    Context& context_;
};

}  // namespace

int inspect(Block& block, const std::string& address, std::uint64_t seed) {
    Page& page = block.pages[inspector];
    try {
        Context context{block, inspector, page, test::Random(seed), Attached(address)};
        Inspector asking(context);
        while (!block.stop.load()) {
            if (block.pause.load()) {
                page.parked.store(true);
                std::this_thread::sleep_for(std::chrono::microseconds(500));
                continue;
            }
            page.parked.store(false);
            asking.act();
            std::this_thread::sleep_for(std::chrono::milliseconds(context.random.below(40)));
        }
        return 0;
    } catch (const std::exception& error) {
        block.violate(std::string("inspector, ") + name_of(page.op.load()) + ": " + error.what());
        return 3;
    }
}

}  // namespace muster::soak

#include "ctl/context.hpp"

#include <muster/manager.hpp>
#include <nlohmann/json.hpp>

namespace muster::ctl {

using base::Deadline;

void Context::describe(Parser& parser) {
    parser.option(given_address_, "--address", "ADDRESS",
                  "the daemon's socket, unix:/PATH or /PATH (else $MUSTER_ADDRESS, "
                  "$XDG_RUNTIME_DIR/muster/muster.sock, /run/muster/muster.sock)");
    parser.flag(json, "--json", "print JSON");
    parser.option(timeout, "--timeout",
                  "how long to wait: 500ms, 2s, 1m, inf (what for: see the verb; else the "
                  "daemon's answer, 5s)");
}

const session::Address& Context::address() {
    if (!address_) address_ = session::resolve(given_address_.value_or(""));
    return *address_;
}

session::Control& Context::control() {
    if (!control_) control_ = session::Control::connect(address(), patience());
    return *control_;
}

Manager& Context::manager() {
    if (!manager_) manager_ = std::make_shared<Manager>(Manager::connect(address().text()));
    return *manager_;
}

Deadline Context::patience() const {
    return timeout ? Deadline::after(*timeout) : Deadline::after(session::Control::default_patience);
}

nlohmann::json Context::call(std::string_view method, const nlohmann::json& parameters) {
    return call(method, parameters, patience());
}

nlohmann::json Context::call(std::string_view method, const nlohmann::json& parameters, Deadline deadline) {
    return control().call("io.muster." + std::string(method), parameters, deadline);
}

void complain(const Error& error) noexcept {
    try {
        complain("[" + std::string(to_string(error.errc())) + "] " + one_line(error.what()));
    } catch (const std::exception&) {
        return;  // no memory to say it
    }
}

}  // namespace muster::ctl

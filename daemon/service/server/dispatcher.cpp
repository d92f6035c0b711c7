#include "service/server/dispatcher.hpp"

#include <new>
#include <utility>

#include <nlohmann/json.hpp>

#include "service/server/validator.hpp"

namespace muster::service {
namespace {

using nlohmann::json;

std::pair<std::string_view, std::string_view> split(std::string_view method) {
    const auto dot = method.rfind('.');
    if (dot == std::string_view::npos) return {{}, method};
    return {method.substr(0, dot), method.substr(dot + 1)};
}

// What the library throws, as an error of our interfaces.
CallError translate(const Error& error) {
    const std::string text = error.what();
    switch (error.errc()) {
        case Errc::out_of_memory: return CallError("io.muster.service.OutOfMemory", {{"reason", text}});
        case Errc::damaged: return CallError("io.muster.service.Damaged", {{"reason", text}});
        case Errc::timeout: return CallError("io.muster.service.Busy", {{"reason", text}});
        case Errc::refused:
            return CallError("io.muster.service.NotPermitted", {{"operation", error.operation()}, {"reason", text}});
        case Errc::no_such_object: return CallError("io.muster.objects.NoSuchObject", {{"name", error.subject()}});
        default: return CallError("io.muster.service.Internal", {{"reason", text}});
    }
}

void fail_quietly(Call& call, const char* name, const char* reason) noexcept {
    try {
        call.fail(name, {{"reason", reason}});
    } catch (...) {  // Call's destructor tries once more; the connection's limits end it if that fails too
    }
}

}  // namespace

Dispatcher::Dispatcher(Identity identity) : identity_(std::move(identity)) {}

void Dispatcher::add_interface(std::string_view text) {
    Interface interface = Interface::parse(text);
    std::string name = interface.name;
    const bool standard = name == "org.varlink.service";
    if (!interfaces_.emplace(name, std::move(interface)).second)
        throw Error(Errc::invalid_argument, "add", "interface " + name, "added twice");
    if (!standard) return;
    handle("org.varlink.service.GetInfo", [this](const std::shared_ptr<Call>& call) {
        auto names = json::array();
        for (const auto& [known, ignored] : interfaces_) names.push_back(known);
        call->reply({{"vendor", identity_.vendor},
                     {"product", identity_.product},
                     {"version", identity_.version},
                     {"url", identity_.url},
                     {"interfaces", std::move(names)}});
    });
    handle("org.varlink.service.GetInterfaceDescription", [this](const std::shared_ptr<Call>& call) {
        const auto wanted = call->parameters().at("interface").get<std::string>();
        const auto found = interfaces_.find(wanted);
        if (found == interfaces_.end())
            throw CallError("org.varlink.service.InterfaceNotFound", {{"interface", wanted}});
        call->reply({{"description", found->second.description}});
    });
}

void Dispatcher::handle(std::string_view method, Handler handler) {
    const auto [interface_name, name] = split(method);
    const auto interface = interfaces_.find(interface_name);
    if (interface == interfaces_.end() || !interface->second.methods.contains(name))
        throw Error(Errc::invalid_argument, "handle", "method " + std::string(method), "not in any interface");
    handlers_.insert_or_assign(std::string(method), std::move(handler));
}

std::vector<std::string> Dispatcher::unhandled() const {
    std::vector<std::string> result;
    for (const auto& [interface_name, interface] : interfaces_)
        for (const auto& [name, method] : interface.methods)
            if (std::string full = interface_name + "." + name; !handlers_.contains(full))
                result.push_back(std::move(full));
    return result;
}

void Dispatcher::run(const std::shared_ptr<Call>& call) const {
    const auto [interface_name, name] = split(call->method());
    const auto interface = interfaces_.find(interface_name);
    if (interface == interfaces_.end())
        throw CallError("org.varlink.service.InterfaceNotFound", {{"interface", interface_name}});
    const auto method = interface->second.methods.find(name);
    if (method == interface->second.methods.end())
        throw CallError("org.varlink.service.MethodNotFound", {{"method", call->method()}});
    const auto handler = handlers_.find(call->method());
    if (handler == handlers_.end())
        throw CallError("org.varlink.service.MethodNotImplemented", {{"method", call->method()}});
    if (call->upgrade()) throw invalid_parameter("upgrade", "not supported");
    if (const auto wrong = mismatch(call->parameters(), method->second.input, interface->second))
        throw invalid_parameter(wrong->path, wrong->reason);
    handler->second(call);
}

void Dispatcher::dispatch(const std::shared_ptr<Call>& call) const noexcept {
    try {
        try {
            run(call);
        } catch (const Error& error) {
            throw translate(error);
        }
    } catch (const CallError& error) {
        try {
            call->fail(error.name(), error.parameters());
        } catch (...) {
            fail_quietly(*call, "io.muster.service.OutOfMemory", "no memory to say what failed");
        }
    } catch (const std::bad_alloc&) {
        fail_quietly(*call, "io.muster.service.OutOfMemory", "the service has no memory for this");
    } catch (const std::exception& error) {
        fail_quietly(*call, "io.muster.service.Internal", error.what());
    } catch (...) {
        fail_quietly(*call, "io.muster.service.Internal", "unknown exception");
    }
}

}  // namespace muster::service

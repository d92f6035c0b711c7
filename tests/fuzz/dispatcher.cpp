// Every method with parameters of every shape: those that its interface file asks for, with values of all sorts and with
// mistakes in them, and free JSON. No exception gets out, each call is answered as its interface file says, and a call
// without `more` once.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "input.hpp"
#include "service/api.hpp"
#include "service/server/interfaces.hpp"
#include "service/server/validator.hpp"
#include "unit/supervisor/fake_outside.hpp"

namespace {

using namespace muster;
using namespace muster::service;
using nlohmann::json;

[[noreturn]] void broken(const std::string& what) {
    std::fprintf(stderr, "dispatcher: %s\n", what.c_str());
    std::abort();
}

struct Keeper : StoreOutside {
    void keep_memory(const std::string&, int) override {}
    void watch_session(std::uint64_t, int) override {}
    void unwatch_session(std::uint64_t) override {}
};

// Holds each reply against the interface files.
class Judge : public ReplySink {
  public:
    Judge(const Dispatcher& dispatcher, std::string method, bool more)
        : dispatcher_(dispatcher), method_(std::move(method)), more_(more) {}
    void send(std::string frame, base::UniqueFd, bool last) override {
        if (finished_) broken("a reply behind the last one");
        finished_ = last;
        if (frame.empty()) return;
        const json reply = json::parse(frame);
        const auto continues = reply.find("continues");
        if ((continues != reply.end() && continues->get<bool>()) == last) broken("continues: " + frame);
        if (!last && !more_) broken("more than one reply to a call without more");
        const auto error = reply.find("error");
        const std::string name = error == reply.end() ? method_ : error->get<std::string>();
        const auto dot = name.rfind('.');
        const auto interface = dispatcher_.interfaces().find(name.substr(0, dot));
        if (interface == dispatcher_.interfaces().end()) broken("no such interface: " + frame);
        const Type* type = nullptr;
        if (error != reply.end()) {
            const auto found = interface->second.errors.find(name.substr(dot + 1));
            if (found != interface->second.errors.end()) type = &found->second;
        } else {
            const auto found = interface->second.methods.find(name.substr(dot + 1));
            if (found != interface->second.methods.end()) type = &found->second.output;
        }
        if (type == nullptr) broken("not in the interface: " + frame);
        const json parameters = reply.value("parameters", json::object());
        if (const auto wrong = mismatch(parameters, *type, interface->second))
            broken(name + ", " + wrong->path + ": " + wrong->reason + ": " + frame);
    }
    bool finished() const noexcept { return finished_; }

  private:
    const Dispatcher& dispatcher_;
    std::string method_;
    bool more_, finished_ = false;
};

std::string text_value(fuzz::Input& input) {
    static const char* const usual[] = {"", "a", "worker", "1", "all", "user:*", "/", "/bin/true", "PATH=/bin", "id:1",
                                        "name", "*", "realm", "\xf0\x9f\xa6\x86", "a\nb", "..", "9999999999999999999"};
    const std::uint8_t which = input.byte();
    if (which < 200) return usual[which % std::size(usual)];
    if (which < 240) return std::string(input.text(input.byte() % 32));
    return std::string(std::size_t{1} << which % 14, 'x');
}

std::int64_t number_value(fuzz::Input& input) {
    static constexpr std::int64_t usual[] = {0, 1, 2, 9, 15, -1, 64, 65, 1000, 1001, 4096, 1 << 30, 1ll << 32, INT64_MAX, INT64_MIN};
    const std::uint8_t which = input.byte();
    if (which < 128) return usual[which % std::size(usual)];
    if (which < 160) return ::getpid();
    return which < 200 ? std::int8_t(input.byte()) : input.take<std::int64_t>();
}

json any_value(fuzz::Input& input, int depth = 0) {
    switch (input.byte() % (depth < 3 ? 8 : 6)) {
        case 0: return nullptr;
        case 1: return input.byte() % 2 == 0;
        case 2: return number_value(input);
        case 3: return static_cast<double>(number_value(input)) / 8;
        case 4: return text_value(input);
        case 5: return json::object();
        case 6: return json::array({any_value(input, depth + 1), any_value(input, depth + 1)});
        default: return json{{text_value(input), any_value(input, depth + 1)}};
    }
}

// A value of that type; one time in sixteen of any other.
json value_of(const Type& type, const Interface& interface, fuzz::Input& input, int depth = 0) {
    const std::uint8_t odd = input.byte();
    if (odd >= 240 || depth > 6) return any_value(input);
    switch (type.kind) {
        case Type::Kind::boolean: return odd % 2 == 0;
        case Type::Kind::integer: return number_value(input);
        case Type::Kind::floating: return odd % 2 == 0 ? json(number_value(input)) : json(static_cast<double>(number_value(input)) / 3);
        case Type::Kind::string: return text_value(input);
        case Type::Kind::object: return json{{text_value(input), any_value(input)}};
        case Type::Kind::named: {
            const auto found = interface.types.find(type.name);
            return found == interface.types.end() ? json() : value_of(found->second, interface, input, depth + 1);
        }
        case Type::Kind::array: {
            json result = json::array();
            for (unsigned i = odd % 4; i > 0; --i) result.push_back(value_of(*type.element, interface, input, depth + 1));
            return result;
        }
        case Type::Kind::map: {
            json result = json::object();
            for (unsigned i = odd % 4; i > 0; --i)
                result[text_value(input)] = value_of(*type.element, interface, input, depth + 1);
            return result;
        }
        case Type::Kind::optional: return odd < 80 ? json() : value_of(*type.element, interface, input, depth + 1);
        case Type::Kind::structure: {
            json result = json::object();
            for (const Field& field : type.fields)
                if (input.byte() < 230) result[field.name] = value_of(field.type, interface, input, depth + 1);
            if (odd % 32 == 31) result[text_value(input)] = any_value(input);
            return result;
        }
        case Type::Kind::enumeration: return type.values.empty() ? json() : json(type.values[odd % type.values.size()]);
    }
    return {};
}

class Daemon {
  public:
    Daemon() {
        for (const auto text : embedded_interfaces()) dispatcher_.add_interface(text);
        context_.keeper_pid = 1;
        context_.deadline_moved = [] {};
        context_.shut_down = [this] { supervisor_.shut_down([] {}); };
        context_.keeper_backlog = [] { return Backlog{}; };
        add_processes_api(dispatcher_, supervisor_, context_);
        add_objects_api(dispatcher_, store_);
        add_locks_api(dispatcher_, store_);
        add_service_api(dispatcher_, supervisor_, store_, context_);
        if (!dispatcher_.unhandled().empty()) broken("a method without a handler");
        for (const auto& [name, interface] : dispatcher_.interfaces())
            for (const auto& [method, ignored] : interface.methods) methods_.push_back({name + "." + method, &interface, &ignored});
    }

    void call(fuzz::Input& input) {
        const std::uint8_t how = input.byte();
        const Known& known = methods_[input.byte() % methods_.size()];
        Message message;
        message.method = how % 32 == 31 ? text_value(input) : known.name;
        json parameters = value_of(known.method->input, *known.interface, input);
        if (!parameters.is_object()) parameters = json::object();  // the parser lets nothing else through
        message.parameters = std::make_shared<const json>(std::move(parameters));
        message.more = how % 4 == 1;
        message.oneway = how % 8 == 2;
        message.upgrade = how % 64 == 4;
        auto peer = std::make_shared<Peer>();
        peer->pid = ::getpid();
        static constexpr uid_t uids[] = {0, 1000, 1001};
        peer->uid = uids[(how >> 5) % 3];
        auto judge = std::make_shared<Judge>(dispatcher_, message.method, message.more);
        auto made = std::make_shared<Call>(std::move(message), peer, judge);
        dispatcher_.dispatch(made);
        open_.push_back({made, judge});
        if (how % 16 == 7) made->abandon();
    }

    // What the keeper might say to what it was told, and time.
    void world(fuzz::Input& input) {
        const std::uint8_t how = input.byte();
        std::uint64_t id = 1 + how % 8;
        if (const auto spawn = outside_.take<link::Spawn>()) id = spawn->id;
        link::Ending ending;
        ending.exit_code = how % 3;
        ending.signal = how % 5 == 0 ? 9 : 0;
        switch (how % 6) {
            case 0: supervisor_.started({id, 400'000'000 + static_cast<pid_t>(id), 1'000'000, false, false}); break;
            case 1: supervisor_.start_failed({id, "exec", "/bin/none", 2}); break;
            case 2: supervisor_.exited({id, ending}); break;
            case 3: supervisor_.signal_done({id, how % 2 == 0 ? 3 : 0}); break;
            case 4: outside_.pass(how); supervisor_.tick(); break;
            default: store_.sweep(); store_.retry();
        }
    }

    // What nobody answers fails by itself when it is dropped.
    void end() {
        for (auto& [made, judge] : open_) {
            const bool silent = made->oneway() || made->abandoned();
            made.reset();
            (void)silent;
        }
    }

  private:
    struct Known {
        std::string name;
        const Interface* interface;
        const Method* method;
    };
    struct Open {
        std::shared_ptr<Call> call;
        std::shared_ptr<Judge> judge;
    };
    FakeOutside outside_;
    Keeper keeper_;
    Dispatcher dispatcher_{{"Muster", "musterd", "1", "url"}};
    Supervisor supervisor_{{}, outside_};
    Store store_{{.memory = std::uint64_t{4} << 20}, keeper_};
    ApiContext context_;
    std::vector<Known> methods_;
    std::vector<Open> open_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    Daemon daemon;
    for (int i = 0; i < 12 && !input.empty(); ++i) {
        daemon.call(input);
        if (input.byte() % 2 == 0) daemon.world(input);
    }
    daemon.end();
    return 0;
}

#include <fcntl.h>
#include <unistd.h>

#include <limits>

#include <nlohmann/json.hpp>

#include "service/api.hpp"

namespace muster::service {
namespace {

using nlohmann::json;
using CallPtr = std::shared_ptr<Call>;

json view(const session::MemoryUse& memory) {
    return {{"capacity", memory.capacity}, {"used", memory.used}, {"reserved", memory.reserved}};
}

json view(const session::Blocked& blocked) {
    return {{"object", blocked.object},
            {"pid", blocked.pid == 0 ? json(nullptr) : json(blocked.pid)},
            {"tid", blocked.tid},
            {"program", blocked.program},
            {"stopped", blocked.stopped},
            {"seconds", blocked.seconds}};
}

json view(const RealmView& realm) {
    auto blocked = json::array();
    for (const session::Blocked& one : realm.blocked) blocked.push_back(view(one));
    return {{"uid", realm.uid},
            {"name", realm.name},
            {"instance", realm.instance},
            {"memory", view(realm.memory)},
            {"sessions", realm.sessions},
            {"objects", realm.objects},
            {"damaged", realm.damaged ? json(*realm.damaged) : json(nullptr)},
            {"blocked", blocked}};
}

json view(const SessionView& session) {
    return {{"index", session.info.index},
            {"generation", session.info.generation},
            {"pid", session.info.pid},
            {"uid", session.uid},
            {"name", session.name},
            {"started", session.info.started},
            {"registered", session.registered}};
}

void attach(const CallPtr& call, Store& store) {
    const AttachReply attached = store.attach(call->peer().uid);
    base::UniqueFd memfd(::fcntl(attached.memfd, F_DUPFD_CLOEXEC, 0));
    if (!memfd) base::throw_errno(errno, "attach", "realm " + attached.realm, "fcntl(F_DUPFD_CLOEXEC)");
    call->reply({{"realm", attached.realm},
                 {"instance", attached.instance},
                 {"capacity", attached.capacity},
                 {"version", MUSTER_VERSION}},
                std::move(memfd));
}

void bind(const CallPtr& call, Store& store) {
    const auto& parameters = call->parameters();
    const auto number = [&](const char* name) {
        const auto value = parameters.at(name).get<std::int64_t>();
        if (value < 0 || value > std::numeric_limits<std::uint32_t>::max())
            throw invalid_parameter(name, "does not fit 32 bits");
        return static_cast<std::uint32_t>(value);
    };
    std::string name;
    if (const auto given = parameters.find("name"); given != parameters.end() && given->is_string()) {
        name = given->get<std::string>();
        if (!name.empty()) check_name(name, "name");
    }
    auto done = call->acknowledgement();
    store.bind(call->peer().uid, call->peer().pid, number("session"), number("generation"), name);
    done();
}

json status(const Call& call, const Supervisor& supervisor, Store& store, const ApiContext& context) {
    const uid_t uid = call.peer().uid;
    auto realms = json::array();
    session::MemoryUse memory;
    std::uint64_t sessions = 0, objects = 0;
    for (const RealmView& realm : store.realms(uid)) {
        realms.push_back(view(realm));
        memory.capacity += realm.memory.capacity;
        memory.used += realm.memory.used;
        memory.reserved += realm.memory.reserved;
        sessions += realm.sessions;
        objects += realm.objects;
    }
    return {{"version", MUSTER_VERSION},
            {"address", context.config.address},
            {"mode", to_string(context.config.mode)},
            {"keeper_pid", context.keeper_pid},
            {"service_pid", ::getpid()},
            {"started", context.keeper_started},
            {"service_started", context.service_started},
            {"service_starts", context.service_starts},
            {"sessions", sessions},
            {"objects", objects},
            {"processes", supervisor.list(uid, false, std::nullopt).size()},
            {"memory", view(memory)},
            {"realms", realms}};
}

}  // namespace

void add_service_api(Dispatcher& dispatcher, Supervisor& supervisor, Store& store,
                     const ApiContext& context) {
    dispatcher.handle("io.muster.service.Attach", [&store](const CallPtr& call) { attach(call, store); });
    dispatcher.handle("io.muster.service.Register", [&store](const CallPtr& call) { bind(call, store); });
    dispatcher.handle("io.muster.service.Status", [&supervisor, &store, context](const CallPtr& call) {
        call->reply(status(*call, supervisor, store, context));
    });
    dispatcher.handle("io.muster.service.Sessions", [&store](const CallPtr& call) {
        auto sessions = json::array();
        for (const SessionView& session : store.sessions(call->peer().uid)) sessions.push_back(view(session));
        call->reply({{"sessions", sessions}});
    });
    dispatcher.handle("io.muster.service.Shutdown", [shut_down = context.shut_down](const CallPtr& call) {
        if (call->peer().uid != 0 && call->peer().uid != ::geteuid())
            throw CallError(
                "io.muster.service.NotPermitted",
                {{"operation", "shutdown"}, {"reason", "only the daemon's own user and root may"}});
        call->reply(json::object());
        shut_down();
    });
}

void add_objects_api(Dispatcher& dispatcher, Store& store) {
    dispatcher.handle("io.muster.objects.List", [&store](const CallPtr& call) {
        auto objects = json::array();
        for (const session::ObjectInfo& object : store.objects(call->peer().uid))
            objects.push_back({{"name", object.name.empty() ? json(nullptr) : json(object.name)},
                               {"id", object.id},
                               {"generation", object.generation},
                               {"kind", object.kind},
                               {"size", object.size},
                               {"bytes", object.bytes},
                               {"holders", object.holders},
                               {"stored", object.stored}});
        call->reply({{"objects", objects}});
    });
    dispatcher.handle("io.muster.objects.Erase", [&store](const CallPtr& call) {
        const auto name = call->parameters().at("name").get<std::string>();
        auto done = call->acknowledgement();
        try {
            store.erase(call->peer().uid, name);
        } catch (const Error& error) {
            if (error.errc() != Errc::no_such_object) throw;
            throw CallError("io.muster.objects.NoSuchObject", {{"name", name}});
        }
        done();
    });
    dispatcher.handle("io.muster.objects.Check", [&store](const CallPtr& call) {
        const session::CheckReport report = store.check(call->peer().uid);
        auto violations = json::array();
        for (const session::Violation& violation : report.violations)
            violations.push_back(
                {{"invariant", violation.invariant},
                 {"object", violation.object.empty() ? json(nullptr) : json(violation.object)},
                 {"text", violation.text}});
        auto invariants = json::array();
        for (const session::InvariantReport& each : report.invariants)
            invariants.push_back({{"invariant", each.invariant},
                                  {"what", each.what},
                                  {"checked", each.checked},
                                  {"violations", each.violations}});
        call->reply({{"violations", violations},
                     {"objects", report.objects},
                     {"extents", report.extents},
                     {"invariants", invariants}});
    });
}

}  // namespace muster::service

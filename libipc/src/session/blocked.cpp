#include "session/blocked.hpp"

#include <algorithm>

#include "session/format.hpp"

namespace muster::session {

using heap::ObjectRep;

BlockedWatch::Clock::duration BlockedWatch::age(std::uint64_t place, std::uint64_t owner, std::uint64_t turn) {
    Turn seen{owner, turn, moment_};
    const auto before = before_.find(place);
    if (before != before_.end() && before->second.owner == owner && before->second.turn == turn)
        seen.since = before->second.since;
    now_[place] = seen;
    return moment_ - seen.since;
}

std::vector<Blocked> BlockedWatch::look(const segment::Segment& segment, const containers::Directory& directory,
                                        const sync::Sessions& sessions) {
    const tx::Patience none(base::Deadline::now(), std::chrono::nanoseconds::zero());
    moment_ = Clock::now();
    now_.clear();
    std::vector<Blocked> found;
    const auto add = [&](std::string object, const sync::Occupant& who, Clock::duration age) {
        found.push_back({std::move(object), who.pid, who.tid, who.program, who.stopped(),
                         std::chrono::duration<double>(age).count()});
    };
    const auto name_of = [&](std::uint32_t id) {
        const auto entry = directory.glance(id);
        if (!entry) return "object #" + std::to_string(id);
        return std::string(kind_name(entry->kind)) +
               (entry->name.empty() ? " #" + std::to_string(id) : " '" + entry->name + "'");
    };
    const auto look_at = [&](const tx::DomainRep& domain, auto&& name) {
        const pid_t owner = domain.mutex.owner();
        if (owner == 0 || domain.mutex.owner_died()) return;
        const auto since = age(segment.offset_of(&domain), static_cast<std::uint64_t>(owner), tx::sequence_of(domain));
        if (since >= worth_telling) add(name(), sync::occupant(owner), since);
    };
    for (const std::uint64_t offset : {segment.regions().segment_domain, segment.regions().directory_domain,
                                       segment.regions().sessions_domain}) {
        const auto& domain = *segment.at<tx::DomainRep>(offset);
        look_at(domain, [&] { return sync::domain_text(segment, domain); });
    }
    const auto count = static_cast<std::uint32_t>(std::min(directory.high_water(), segment.regions().object_capacity));
    for (std::uint32_t id = 1; id <= count; ++id) {
        ObjectRep& object = heap::object_at(segment, id);
        look_at(object.domain, [&] { return name_of(id); });
        const heap::Ident ident = heap::Ident::unpack(object.ident);
        const bool is_lock = ident.kind == heap::Kind::lock || ident.kind == heap::Kind::rlock ||
                             ident.kind == heap::Kind::condition || ident.kind == heap::Kind::value ||
                             ident.kind == heap::Kind::array;
        if (ident.life != heap::Life::live || !is_lock) continue;
        const sync::LockWord lock(segment, sessions, {id, ident.generation});
        const sync::SlotId holder = lock.holder();
        if (!holder || !lock.waited_for()) continue;
        const auto since = age(segment.offset_of(lock.futex()), holder.word(), lock.token());
        if (since < worth_telling) continue;
        try {
            const auto known = sessions.holder(holder);
            const sync::Occupant who = known ? sync::occupant(known->tid) : sync::Occupant{};
            if (who.stopped()) add(name_of(id), who, since);
        } catch (const tx::Busy&) {  // somebody is inside the table of sessions: told above
        }
    }
    before_.swap(now_);
    return found;
}

}  // namespace muster::session

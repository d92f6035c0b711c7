#include "session/check.hpp"

#include <algorithm>
#include <array>

#include "session/check_handles.hpp"
#include "session/format.hpp"
#include "session/object_copy.hpp"
#include "sync/sync.hpp"

namespace muster::session {
namespace {

using containers::ObjectEntry;

constexpr std::size_t most_violations = 1000;
constexpr std::uint64_t blocks_per_visit = containers::words_per_visit / 8;
constexpr std::uint32_t names_per_visit = containers::words_per_visit / 64;  // a name, its hash, its bucket

class Check {
  public:
    Check(const segment::Segment& segment, const containers::Directory& directory)
        : segment_(segment), directory_(directory), copy_(segment) {
        report_.invariants = {{"layout", "the header, and where objects lead", 0, 0},
                              {"I1", "every structure is whole", 0, 0},
                              {"I2", "nothing half done at rest: logs empty, numbers even", 0, 0},
                              {"I6", "memory belongs to objects, objects to the directory", 0, 0},
                              {std::string(somebody_inside), "nobody inside for longer than a change takes", 0, 0},
                              {"I10", "who is attached: sessions, threads", 0, 0},
                              {"I13", "handles in values, and the marks of both sides", 0, 0}};
    }

    CheckReport run() {
        ++of("layout").checked;
        if (const char* what = segment_.header_damage()) tell("layout", "", what);
        const segment::Regions& regions = segment_.regions();
        for (const std::uint64_t domain : {regions.segment_domain, regions.directory_domain, regions.sessions_domain})
            at_rest(*segment_.at<tx::DomainRep>(domain), "");
        step("", [&] { page_table(); });
        step("", [&] { sessions(); });
        step("", [&] { directory(); });
        std::vector<ObjectEntry> entries;
        step("", [&] { entries = directory_.list(); });
        for (const ObjectEntry& entry : entries) {
            ++report_.objects;
            ++of("layout").checked;
            ++of("I1").checked;
            step(entry.label(), [&] { object(entry); });
        }
        return std::move(report_);
    }

  private:
    InvariantReport& of(std::string_view invariant) {
        for (InvariantReport& each : report_.invariants)
            if (each.invariant == invariant) return each;
        return report_.invariants.emplace_back(InvariantReport{std::string(invariant), "", 0, 0});
    }
    void tell(std::string_view invariant, std::string object, std::string text) {
        ++of(invariant).violations;
        if (report_.violations.size() < most_violations)
            report_.violations.push_back({std::string(invariant), std::move(object), std::move(text)});
    }
    template <typename Fn>
    void step(const std::string& object, Fn&& fn) {
        ++of(somebody_inside).checked;
        try {
            fn();
        } catch (const segment::Damage& damage) {
            tell("layout", object, damage.what);
        } catch (const heap::Destroyed&) {  // erased meanwhile
        } catch (const tx::Busy&) {
            tell(somebody_inside, object, "a process has been inside for too long");
        }
    }
    void locked(std::uint64_t words) { report_.most_words_locked = std::max(report_.most_words_locked, words); }

    // A lock that is seen free between two looks that are equal: then nobody was inside, and what is half done was left so.
    void at_rest(const tx::DomainRep& domain, const std::string& object) {
        ++of("I2").checked;
        const std::uint64_t sequence = tx::sequence_of(domain), count = __atomic_load_n(&domain.log_count, __ATOMIC_ACQUIRE);
        if ((sequence % 2 == 0 && count == 0) || !domain.mutex.sound()) return;
        if (!tx::seen_free(domain) || !tx::unchanged_since(domain, sequence)) return;
        tell("I2", object, sequence % 2 != 0 ? "its number is odd, and nobody is inside" : "its undo log is not empty, and nobody is inside");
    }

    void page_table() {
        const heap::Extents extents(segment_);
        const auto violation = [&](const char* text) { tell("I6", "", text); };
        const auto found = [&](const heap::Extent& extent) { extents_.push_back(extent); };
        auto& domain = *segment_.at<tx::DomainRep>(segment_.regions().segment_domain);
        if (domain.mutex.owner_died()) const tx::DomainLock mend(segment_, domain, segment_.lock_deadline());
        copy_.wipe();
        if (extents.copy_to(copy_.segment())) {
            ++report_.copied;
            const heap::Extents still(copy_.segment());
            still.verify(violation);
            still.for_each(found);
        } else {
            ++report_.in_pieces;
            locked(blocks_per_visit * 8);
            std::uint64_t at = 0;
            do at = extents.verify_some(at, blocks_per_visit, violation, found);
            while (at != 0);
        }
        report_.extents = extents_.size();
        of("I6").checked += extents_.size();
    }

    void directory() {
        const auto violation = [&](std::uint32_t id, std::string text) {
            tell("I6", id == 0 ? "" : "#" + std::to_string(id), std::move(text));
        };
        const std::uint64_t count = std::min(directory_.high_water(), segment_.regions().object_capacity);
        of("I6").checked += count;
        copy_.wipe();
        const auto ownerless = [&](const containers::Directory& of_then) {
            for (const heap::Extent& extent : extents_)
                if (!of_then.has_owner(extent) && directory_.is_stray(extent))
                    violation(extent.owner, "extent of an object that is not there");
        };
        if (directory_.copy_to(copy_.segment())) {
            ++report_.copied;
            const containers::Directory still(copy_.segment());
            still.verify_lists(violation);
            ownerless(still);
        } else {
            ++report_.in_pieces;
            locked(names_per_visit * 64);
            std::uint32_t at = 1;
            do at = directory_.verify_some(at, names_per_visit, violation);
            while (at != 0);
            ownerless(directory_);
        }
        std::sort(extents_.begin(), extents_.end(), [](const heap::Extent& a, const heap::Extent& b) {
            return a.owner != b.owner ? a.owner < b.owner : a.offset < b.offset;
        });
    }

    void sessions() {
        const sync::Sessions sessions(segment_);
        for (std::uint32_t index = 0; index < segment::max_sessions; ++index) {
            const auto info = sessions.info(index);
            if (!info) continue;
            ++of("I10").checked;
            if (info->identity.pid <= 0) tell("I10", "", "session " + std::to_string(index) + ": not the number of a process");
        }
    }

    std::vector<std::uint64_t> tagged(std::uint32_t id) const {
        auto at = std::lower_bound(extents_.begin(), extents_.end(), id,
                                   [](const heap::Extent& extent, std::uint32_t owner) { return extent.owner < owner; });
        std::vector<std::uint64_t> found;
        for (; at != extents_.end() && at->owner == id; ++at) found.push_back(at->offset);
        return found;
    }

    void object(const ObjectEntry& entry) {
        const std::string name = entry.label();
        const containers::Inspection::Tell tell_of = [&](const char* invariant, std::string text) {
            tell(invariant, name, std::move(text));
        };
        std::vector<std::uint64_t> extents = tagged(entry.ref.id);
        const ObjectCopy::Taken taken = copy_.take(entry.ref);
        at_rest(heap::object_at(segment_, entry.ref.id).domain, name);
        if (taken == ObjectCopy::Taken::whole) {
            ++report_.copied;
            locked(copy_.bytes_locked() / 8);
            verify_object(copy_.segment(), entry.ref, entry.kind, tell_of);
            of("I13").checked += check_handles(copy_.segment(), directory_, entry,
                                               [&](std::string text) { tell("I13", name, std::move(text)); });
            // Tagged, and in none of its lists: asked for under the lock, as they may have been on their way.
            std::erase_if(extents, [&](std::uint64_t extent) { return copy_.lists(extent); });
            if (extents.empty()) return;
            containers::Inspection rest(segment_, entry.ref, std::move(extents), tell_of);
            rest.extents();
            return locked(rest.most_words());
        }
        ++report_.in_pieces;
        copy_.wipe();
        containers::Inspection inspection(segment_, entry.ref, std::move(extents), tell_of);
        inspection.run();
        locked(inspection.most_words());
        report_.visits += inspection.visits();
    }

    const segment::Segment& segment_;
    const containers::Directory& directory_;
    ObjectCopy copy_;
    CheckReport report_;
    std::vector<heap::Extent> extents_;  // by owner, once the directory has been seen
};

}  // namespace

CheckReport check(const segment::Segment& segment, const containers::Directory& directory) {
    return Check(segment, directory).run();
}

}  // namespace muster::session

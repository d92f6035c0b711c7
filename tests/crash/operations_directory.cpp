#include <csignal>
#include <map>
#include <stdexcept>

#include "containers/directory.hpp"
#include "crash/operations.hpp"
#include "support/child.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using heap::Kind;
using segment::Segment;

std::string objects(const Segment& segment) {
    const std::vector<containers::ObjectEntry> entries = Directory(segment).list();
    std::string text;
    for (const containers::ObjectEntry& entry : entries)
        text += " " + std::to_string(static_cast<int>(entry.kind)) + "/" + entry.name + "/" + std::to_string(entry.holders);
    return std::to_string(entries.size()) + ":" + text;
}

std::string objects_and_marks(const Segment& segment) {
    std::string text = objects(segment);
    for (const containers::ObjectEntry& entry : Directory(segment).list())
        text += (entry.stored ? " stored" : " -") + std::string(entry.with_handles ? " with handles" : "");
    const auto& root = *segment.at<containers::DirectoryRep>(segment.regions().directory_root);
    return text + ", " + std::to_string(root.collections) + " collections";
}

void make_named(const Segment& segment, const char* name, Kind kind = Kind::dict) {
    Directory(segment).open_or_create(name, kind, {});
}

// Three names that one bucket has in this segment, and in copies of it; looked for once.
const std::vector<std::string>& of_one_bucket(const Segment& segment) {
    static std::map<std::uint64_t, std::vector<std::string>> known;
    std::vector<std::string>& names = known[segment.hash_seed()];
    const auto bucket = [&](const std::string& name) {
        const std::uint64_t hash = segment::hash_bytes(name.data(), name.size(), segment.hash_seed());
        return hash & (segment.regions().object_capacity - 1);
    };
    for (int i = 0; names.size() < 3; ++i)
        if (std::string name = "name " + std::to_string(i); names.empty() || bucket(name) == bucket(names[0]))
            names.push_back(name);
    return names;
}
std::function<void(const Segment&)> one_bucket(std::size_t count) {
    return [count](const Segment& segment) {
        for (std::size_t i = 0; i < count; ++i) make_named(segment, of_one_bucket(segment)[i].c_str(), Kind::lock);
    };
}

void fill_directory(const Segment& segment) {
    make_named(segment, "first");
    make_named(segment, "second", Kind::lock);
    Directory(segment).create(Kind::list, 3u);
}

}  // namespace

std::vector<Operation> directory_operations() {
    std::vector<Operation> all;
    all.push_back({"directory: open_or_create, the first",
                   [](const Segment&) {}, [](const Segment& s) { make_named(s, "first"); }, objects});
    all.push_back({"directory: open_or_create, in a fresh entry", fill_directory,
                   [](const Segment& s) { make_named(s, "third", Kind::queue); }, objects});
    all.push_back({"directory: open_or_create, in a freed entry",
                   [](const Segment& s) {
                       fill_directory(s);
                       Directory(s).erase("first");
                   },
                   [](const Segment& s) { make_named(s, "other"); }, objects});
    all.push_back({"directory: create", fill_directory,
                   [](const Segment& s) { Directory(s).create(Kind::list, 700u); }, objects});
    all.push_back({"directory: erase", fill_directory, [](const Segment& s) { Directory(s).erase("first"); }, objects});
    all.push_back({"directory: hold", fill_directory, [](const Segment& s) { Directory(s).hold({3, 1}, 900u); }, objects});
    all.push_back({"directory: release, still held",
                   [](const Segment& s) {
                       fill_directory(s);
                       Directory(s).hold({3, 1}, 900u);
                   },
                   [](const Segment& s) { Directory(s).release({3, 1}, 900u); }, objects});
    all.push_back({"directory: release, the last", fill_directory,
                   [](const Segment& s) { Directory(s).release({3, 1}, 3u); }, objects});
    const auto stored = [](const Segment& s) {
        fill_directory(s);
        Directory(s).note_stored({1, 1}, {3, 1});
    };
    const auto unreached = [stored](const Segment& s) {
        stored(s);
        Directory(s).release({3, 1}, 3u);
        Directory(s).begin_collection();
    };
    all.push_back({"directory: note_stored", fill_directory,
                   [](const Segment& s) { Directory(s).note_stored({1, 1}, {3, 1}); },
                   objects_and_marks});
    all.push_back({"directory: note_stored, in itself", fill_directory,
                   [](const Segment& s) { Directory(s).note_stored({3, 1}, {3, 1}); },
                   objects_and_marks});
    all.push_back({"directory: release, the last of what was stored", stored,
                   [](const Segment& s) { Directory(s).release({3, 1}, 3u); }, objects_and_marks});
    all.push_back({"directory: begin_collection", stored, [](const Segment& s) { Directory(s).begin_collection(); },
                   objects_and_marks});
    all.push_back({"directory: free_unreached", unreached,
                   [](const Segment& s) {
                       const heap::ObjectRef garbage[]{{3, 1}};
                       Directory(s).free_unreached(1, garbage);
                   },
                   objects_and_marks});
    all.push_back({"directory: release_all",
                   [](const Segment& s) {
                       fill_directory(s);
                       Directory(s).create(Kind::dict, 3u);
                       Directory(s).hold({3, 1}, 900u);
                   },
                   [](const Segment& s) { Directory(s).release_all(3u); }, objects, true, true});
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, objects}); };
    add("directory: close, of all there is", fill_directory, [](const Segment& s) { Directory(s).close(); });
    all.back().in_steps = true;
    all.back().contents = [](const Segment& s) { return objects(s) + (Directory(s).closed() ? " closed" : ""); };
    add("directory: open_or_create, a longest name", fill_directory,
        [](const Segment& s) { make_named(s, std::string(heap::max_name, 'n').c_str()); });
    add("directory: open_or_create, in a bucket that others share", one_bucket(2),
        [](const Segment& s) { make_named(s, of_one_bucket(s)[2].c_str(), Kind::lock); });
    add("directory: open_or_create, where entries get memory", [](const Segment& s) {
        for (int i = 0; i < 64; ++i) make_named(s, ("lock " + std::to_string(i)).c_str(), Kind::lock);
    }, [](const Segment& s) { make_named(s, "one more"); });
    add("directory: erase, the only one", [](const Segment& s) { make_named(s, "first"); },
        [](const Segment& s) { Directory(s).erase("first"); });
    for (const std::size_t i : {0u, 1u, 2u}) {
        static constexpr const char* names[]{"directory: erase, the last of a bucket",
                                             "directory: erase, in the middle of a bucket",
                                             "directory: erase, the first of a bucket"};
        add(names[i], one_bucket(3), [i](const Segment& s) { Directory(s).erase(of_one_bucket(s)[i]); });
    }
    add("directory: create, the first", [](const Segment&) {},
        [](const Segment& s) { Directory(s).create(Kind::queue, 0u); });
    add("directory: create, a lock", fill_directory, [](const Segment& s) { Directory(s).create(Kind::lock, 5u); });
    add("directory: erase, an object with much memory",
        [](const Segment& s) {
            fill_directory(s);
            heap::ObjectLock lock(s, {1, 1});
            heap::Heap heap = lock.heap();
            for (int i = 0; i < 3; ++i) heap.grow(40'000);
        },
        [](const Segment& s) { Directory(s).erase("first"); });
    // Erased while somebody was inside, who then died: it waits to be taken apart.
    all.push_back({"directory: finish_erased",
                   [](const Segment& s) {
                       fill_directory(s);
                       Shared<bool> inside;
                       Child other([&] {
                           const heap::ObjectLock lock(s, {1, 1});
                           *inside = true;
                           for (;;) ::pause();
                           return 0;
                       });
                       if (!eventually([&] { return *inside; })) throw std::runtime_error("nobody is inside");
                       Directory(s).erase("first");
                       other.kill(SIGKILL);
                       other.join();
                   },
                   [](const Segment& s) { Directory(s).finish_erased(); },
                   [](const Segment& s) {
                       return objects(s) + ", " + std::to_string(heap::Extents(s).used_bytes()) + " bytes";
                   }});
    all.back().right_too = [](const std::string& state, const std::string& after) {
        return state.starts_with(after.substr(0, after.find(',')));  // with fewer of its extents, or none
    };
    return all;
}

}  // namespace muster::test

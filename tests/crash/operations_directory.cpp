#include "containers/directory.hpp"
#include "crash/operations.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using heap::Kind;
using segment::Segment;

std::string objects(const Segment& segment) {
    std::string text = std::to_string(Directory(segment).live()) + ":";
    for (const containers::ObjectEntry& entry : Directory(segment).list())
        text += " " + std::to_string(static_cast<int>(entry.kind)) + "/" + entry.name + "/" + std::to_string(entry.holders);
    return text;
}

void make(const Segment& segment, const char* name, Kind kind = Kind::dict) {
    Directory(segment).open_or_create(name, kind, {});
}

void fill(const Segment& segment) {
    make(segment, "first");
    make(segment, "second", Kind::lock);
    Directory(segment).create(Kind::list, 3u);
}

}  // namespace

std::vector<Operation> directory_operations() {
    std::vector<Operation> all;
    all.push_back({"directory: open_or_create, the first", [](const Segment&) {}, [](const Segment& s) { make(s, "first"); }, objects});
    all.push_back({"directory: open_or_create, in a fresh entry", fill, [](const Segment& s) { make(s, "third", Kind::queue); }, objects});
    all.push_back({"directory: open_or_create, in a freed entry",
                   [](const Segment& s) {
                       fill(s);
                       Directory(s).erase("first");
                   },
                   [](const Segment& s) { make(s, "other"); }, objects});
    all.push_back({"directory: create", fill, [](const Segment& s) { Directory(s).create(Kind::list, 700u); }, objects});
    all.push_back({"directory: erase", fill, [](const Segment& s) { Directory(s).erase("first"); }, objects});
    all.push_back({"directory: hold", fill, [](const Segment& s) { Directory(s).hold({3, 1}, 900u); }, objects});
    all.push_back({"directory: release, still held",
                   [](const Segment& s) {
                       fill(s);
                       Directory(s).hold({3, 1}, 900u);
                   },
                   [](const Segment& s) { Directory(s).release({3, 1}, 900u); }, objects});
    all.push_back({"directory: release, the last", fill, [](const Segment& s) { Directory(s).release({3, 1}, 3u); }, objects});
    all.push_back({"directory: release_all",
                   [](const Segment& s) {
                       fill(s);
                       Directory(s).create(Kind::dict, 3u);
                       Directory(s).hold({3, 1}, 900u);
                   },
                   [](const Segment& s) { Directory(s).release_all(3u); }, objects, true, true});
    return all;
}

}  // namespace muster::test

// A damaged realm, as the input says, and then what the service does with it, what musterctl shows of it and what
// clients do in it. Required: every call returns, soon, or throws muster::Error; nothing outside the mapping is touched.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <muster/dict.hpp>
#include <muster/list.hpp>
#include <muster/lock.hpp>
#include <muster/queue.hpp>
#include <muster/value.hpp>

#include "handles/object_state.hpp"
#include "image.hpp"
#include "session/realm.hpp"

namespace {

using namespace muster;
using namespace std::chrono_literals;

constexpr std::size_t most_patches = 12, most_steps = 16;

// What a call may do: return, or say in the documented way why not.
template <typename Fn>
void call(Fn&& fn) {
    try {
        fn();
    } catch (const Error&) {
    }
}

void serve(session::Realm& realm, unsigned what) {
    switch (what % 10) {
        case 0: call([&] { (void)realm.check(); }); break;
        case 1: call([&] { (void)realm.objects(); }); break;
        case 2: call([&] { (void)realm.sessions(); }); break;
        case 3:
            call([&] { (void)realm.memory(); });
            call([&] { (void)realm.object_count(); });
            if (what >= 40) call([&] { (void)realm.blocked(); });  // reads /proc: slow
            (void)realm.session_count();
            (void)realm.instance();
            break;
        case 4:
            call([&] { (void)realm.reclaim_dead({}); });
            call([&] { (void)realm.sweep_expired(); });
            call([&] {
                (void)realm.has_candidates();
                while (!realm.collect(true, 100'000).done) {
                }
            });
            break;
        case 5: call([&] { (void)realm.reclaim(0, 1); }); break;
        case 6: call([&] { (void)realm.session_is(1, 1, 1); }); break;
        case 7: call([&] { realm.erase("dict"); }); break;
        case 8: call([&] { realm.erase("list"); }); break;
        default: call([&] { realm.erase("queue"); });
    }
}

class Client {
  public:
    explicit Client(segment::Segment segment) {
        segment.limit_waits(1ms);
        session_ = session::Session::local(std::move(segment));
    }
    void step(unsigned what, std::uint8_t by) {
        switch (what % 32) {
            case 0: show(); break;
            case 1: with<Dict<>>("dict", [&](auto& d) { d.insert_or_assign("key 4", std::string(by, 'n')); }); break;
            case 2: with<Dict<>>("dict", [&](auto& d) { d.insert_or_assign(by + 1000, std::string(by * 9u, 'n')); }); break;
            case 3: with<Dict<>>("dict", [&](auto& d) { d.insert_or_assign("big", std::string(by * 200u, 'n')); }); break;
            case 4: with<Dict<>>("dict", [&](auto& d) { (void)d.get(int{by}); (void)d.contains("key 1"); }); break;
            case 5: with<Dict<>>("dict", [&](auto& d) { (void)d.erase(3 * (by % 14)); });
                with<Dict<>>("dict", [&](auto& d) {
                    d.set("key 2", by, std::chrono::nanoseconds(by % 3));
                    (void)d.expire(by % 14, std::chrono::hours(1));
                    (void)d.persist("key 3");
                    (void)d.ttl("key 2");
                }); break;
            case 6: with<Dict<>>("dict", [&](auto& d) { (void)d.popitem(); }); break;
            case 7: with<Dict<>>("dict", [&](auto& d) { d.clear(); }); break;
            case 8: with<Dict<>>("dict", [&](auto& d) {
                    for (int i = 0; i < by; ++i) d.insert_or_assign(10'000 + i, i);
                }); break;
            case 9: with<List<>>("list", [&](auto& l) { l.push_back(std::string(by, 'n')); }); break;
            case 10: with<List<>>("list", [&](auto& l) { l.insert(by * 3, std::string(by, 'n')); }); break;
            case 11: with<List<>>("list", [&](auto& l) { (void)l.pop(by * 3 - 300); }); break;
            case 12: with<List<>>("list", [&](auto& l) { l.set(by * 2, std::string(by, 'n')); }); break;
            case 13: with<List<>>("list", [&](auto& l) { l.erase_slice(by, by * 2 + 1); }); break;
            case 14: with<List<>>("list", [&](auto& l) { l.reverse(); }); break;
            case 15: with<List<>>("list", [&](auto& l) { l.sort(); }); break;
            case 16: with<List<>>("list", [&](auto& l) { l.extend(std::vector<Value>(by, Value("extended"))); }); break;
            case 17: with<List<>>("list", [&](auto& l) { (void)l.find(Value("absent")); (void)l.count(Value(1)); }); break;
            case 18: with<List<>>("short", [&](auto& l) { l.clear(); }); break;
            case 19: with<List<>>("short", [&](auto& l) { (void)l.pop(); l.push_back(by); }); break;
            case 20: with<Queue<>>("queue", [&](auto& q) { q.put_nowait(std::string(by, 'n')); }); break;
            case 21: with<Queue<>>("queue", [&](auto& q) { q.put_nowait(std::string(by * 100u, 'n')); }); break;
            case 22: with<Queue<>>("queue", [&](auto& q) { for (int i = 0; i < by; ++i) (void)q.get_nowait(); }); break;
            case 23: with<Queue<>>("queue", [&](auto& q) { (void)q.peek(); (void)q.size(); (void)q.full(); }); break;
            case 24: with<Queue<>>("queue", [&](auto& q) { q.clear(); }); break;
            case 25: with<Queue<>>("empty", [&](auto& q) { (void)q.get_for(1ms); q.close(); }); break;
            case 26: with<Lock>("lock", [&](auto& l) { if (l.try_lock_for(2ms)) l.unlock(); }); break;
            case 27: with<Lock>("lock", [&](auto& l) { (void)l.owner(); (void)l.previous_owner_died(); l.unlock(); }); break;
            case 28: directory([&](auto& d) { (void)d.open_or_create("new", heap::Kind::dict, {}); }); break;
            case 29: directory([&](auto&) { session_->release(session_->create(heap::Kind::list, {})); });
                with<List<>>("list", [&](auto& l) {
                    l.push_back(to_value(l.ref()));
                    (void)l.snapshot();
                    if (by % 2 == 0) (void)l.pop();
                }); break;
            case 30: directory([&](auto& d) { (void)d.erase(by % 2 == 0 ? "dict" : "short"); }); break;
            default: directory([&](auto& d) { (void)d.list(); (void)d.find_any("list"); });
        }
    }

  private:
    template <typename Handle, typename Fn>
    void with(const char* name, Fn&& fn) {
        constexpr heap::Kind kind = std::is_same_v<Handle, Dict<>>    ? heap::Kind::dict
                                    : std::is_same_v<Handle, List<>>  ? heap::Kind::list
                                    : std::is_same_v<Handle, Queue<>> ? heap::Kind::queue
                                    : std::is_same_v<Handle, RLock>   ? heap::Kind::rlock
                                                                      : heap::Kind::lock;
        directory([&](const containers::Directory& directory) {
            const auto found = directory.find(name, kind);
            if (!found) return;
            Handle handle(std::make_shared<detail::ObjectState>(session_, *found, kind, name));
            call([&] { fn(handle); });
        });
    }
    // The layers below the handles throw these; muster::Manager names them.
    template <typename Fn>
    void directory(Fn&& fn) {
        try {
            call([&] {
                containers::Directory d = session_->directory();
                fn(d);
            });
        } catch (const segment::Damage&) {
        } catch (const tx::Busy&) {
        } catch (const containers::WrongKind&) {
        } catch (const containers::TooManyObjects&) {
        } catch (const containers::Closed&) {
        } catch (const heap::OutOfMemory&) {
        }
    }
    void show() {
        for (const char* name : {"dict", "new"}) with<Dict<>>(name, [](auto& d) { (void)d.items(); });
        for (const char* name : {"list", "short"}) with<List<>>(name, [](auto& l) { (void)l.snapshot(); });
        for (const char* name : {"queue", "empty"}) with<Queue<>>(name, [](auto& q) { (void)q.snapshot(); });
        with<Lock>("lock", [](auto& l) { (void)l.owner(), (void)l.token(), (void)l.locked(); });
    }

    std::shared_ptr<session::Session> session_;
};

void run(fuzz::Image& image, fuzz::Input& input) {
    static constexpr std::uint8_t usual[] = {0, 64, 4, 1, 2, 3, 0};
    std::uint8_t steps[most_steps] = {};
    std::size_t count = input.byte() % (most_steps + 1);
    for (std::size_t i = 0; i < count; ++i) steps[i] = input.byte();
    if (count == 0) std::copy(std::begin(usual), std::end(usual), steps), count = std::size(usual);
    image.restore();
    image.patch(input, most_patches);
    // One side after the other, in the order of the input: each maps the segment anew.
    for (std::size_t i = 0; i < count;) {
        if (steps[i] < 64) {
            std::optional<session::Realm> realm;
            call([&] { realm.emplace(session::Realm::adopt(image.file(), "fuzz")); });
            if (!realm) return;
            for (; i < count && steps[i] < 64; ++i) serve(*realm, steps[i]);
        } else {
            if (image.occupied()) return;
            std::optional<Client> client;
            call([&] { client.emplace(segment::Segment::open(image.file(), "fuzz")); });
            if (!client) return;
            for (; i < count && steps[i] >= 64; ++i) client->step(steps[i], static_cast<std::uint8_t>(steps[i] * 37 + i));
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::Image& image = []() -> fuzz::Image& {
        static fuzz::Image made;
        made.restore();
        if (!made.fence()) std::fputs("segment: the mapping has no guard pages\n", stderr);
        return made;
    }();
    fuzz::Input input(data, size);
    run(image, input);
    return 0;
}

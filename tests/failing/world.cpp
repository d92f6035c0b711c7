#include "failing/world.hpp"

#include <algorithm>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include <muster/ipc.hpp>


namespace muster::test {
namespace {

// A text in short: its letter and its length.
std::string shown(const std::string& text) {
    return text.empty() ? "-" : text.substr(0, 1) + std::to_string(text.size());
}
template <typename Items>
std::string all(const Items& items) {
    std::string out;
    for (const auto& item : items) out += " " + shown(item);
    return out;
}

// What an operation must give. (Catch's own would catch what it throws.)
void expect(bool right) {
    if (!right) throw std::logic_error("another result");
}

// Where memory ends meanwhile, a beginning of what there is, and the rest stays.
template <typename Items>
void expect_beginning(const Items& all, const Items& got, std::size_t left) {
    expect(!got.empty() && got.size() + left == all.size() && std::equal(got.begin(), got.end(), all.begin()));
}

}  // namespace

World::World() {
    for (const char letter : std::string("abc")) {
        dict.set(std::string(1, letter), text(letter));
        list.push_back(text(letter));
        queue.put(text(letter));
        latest.put(text(letter));
        lowest.put(text(letter));
        set.add(std::string(1, letter));
        counter.increment(std::string(1, letter), letter);
        space.set(std::string(1, letter), text(letter));
        pipe.second.send(text(letter));
    }
    list.push_back(text('l', 20'000));
    queue.put(text('q', 20'000));
    dict.set("large", text('d', 20'000));
    nested.set("a", {manager.list<int>(), manager.list<int>()});
    jobs.put(manager.list<int>());
    lock.lock();
    lock.unlock();
    rlock.lock();
    (void)pipe.first.poll();
}

std::string World::state() const {
    std::ostringstream out;
    for (const auto& [key, held] : dict.items()) out << " " << key << "=" << shown(held);
    out << "\nlist" << all(list.snapshot()) << "\nqueue" << all(queue.snapshot()) << " unfinished " << queue.unfinished()
        << " leased " << queue.leased() << (queue.closed() ? " closed" : "") << "\nlatest" << all(latest.snapshot())
        << "\nlowest" << all(lowest.snapshot()) << " leased " << lowest.leased() << " dead " << lowest.dead_letters().size()
        << "\nset" << all(set.snapshot()) << "\ncounter";
    for (const auto& [key, count] : counter.snapshot()) out << " " << key << "=" << count;
    out << "\nspace";
    for (const auto& [name, held] : space.snapshot()) out << " " << name << "=" << shown(held.get<std::string>());
    out << "\nnested";
    for (const std::string& name : nested.keys()) out << " " << name;
    out << "\njobs " << jobs.size() << " leased " << jobs.leased() << "\nvalue " << value.get() << " array";
    for (const int number : array.snapshot()) out << " " << number;
    out << "\nlock " << lock.locked() << " rlock " << rlock.levels() << " semaphore " << semaphore.get_value() << "/"
        << semaphore.held() << " event " << event.is_set() << " barrier " << barrier.n_waiting() << barrier.broken()
        << " waiting " << condition.n_waiting() << " message " << pipe.first.poll() << "\nnames " << manager.names().size();
    session::Realm daemon = realm.daemon();
    while (!daemon.collect(true, 100'000).done) {
    }
    std::uint32_t holders = 0;
    for (const session::ObjectInfo& object : daemon.objects()) holders += object.holders;
    out << " holders " << holders << " objects " << daemon.object_count() << " sessions " << daemon.session_count();
    return out.str();
}

std::string World::violations() const {
    std::string found;
    for (const auto& violation : realm.daemon().check().violations) found += violation.object + ": " + violation.text + "\n";
    return found;
}

std::vector<Operation> operations() {
    using namespace std::chrono_literals;
    const std::string large(20'000, 'z');
    return {
        {"dict set", [](World& w) { w.dict.set("new", text('n')); }},
        {"dict set, large", [=](World& w) { w.dict.set("a", large); }},
        {"dict set, expiring", [](World& w) { w.dict.set("new", text('n'), 1h); }},
        {"dict insert", [](World& w) { w.dict.insert("new", text('n')); }},
        {"dict setdefault", [](World& w) { w.dict.setdefault("a", text('n')); }},
        {"dict update, pairs", [](World& w) { w.dict.update({{"x", text('x')}, {"y", text('y')}}); }, true},
        {"dict update, a function", [](World& w) { w.dict.update("a", [](auto now) { return *now + text('n'); }); }},
        {"dict compare_and_set", [](World& w) { w.dict.compare_and_set("a", text('a'), text('n')); }},
        {"dict expire", [](World& w) { w.dict.expire("a", 1h); }},
        {"dict persist", [](World& w) { w.dict.persist("a"); }},
        {"dict erase", [](World& w) { w.dict.erase("a"); }},
        {"dict pop", [](World& w) { expect(w.dict.pop("b") == text('b')); }},
        {"dict pop, large", [](World& w) { expect(w.dict.pop("large") == text('d', 20'000)); }},
        {"dict popitem", [](World& w) { expect(w.dict.popitem().second.front() == 'd'); }},
        {"dict clear", [](World& w) { w.dict.clear(); }},
        {"list push_back", [](World& w) { w.list.push_back(text('n')); }},
        {"list extend", [=](World& w) { w.list.extend(std::vector<std::string>(100, large.substr(0, 300))); }},
        {"list insert", [](World& w) { w.list.insert(1, text('n')); }},
        {"list set", [=](World& w) { w.list.set(0, large); }},
        {"list update", [](World& w) { w.list.update(0, [](const auto& now) { return now + text('n'); }); }},
        {"list remove", [](World& w) { w.list.remove(text('b')); }},
        {"list erase", [](World& w) { w.list.erase(0); }},
        {"list erase_slice", [](World& w) { w.list.erase_slice(0, {}, 2); }},
        {"list sort", [](World& w) { w.list.sort(true); }},
        {"list reverse", [](World& w) { w.list.reverse(); }},
        {"list pop", [](World& w) { expect(w.list.pop(1) == text('b')); }},
        {"list pop, large", [](World& w) { expect(w.list.pop() == text('l', 20'000)); }},
        {"list clear", [](World& w) { w.list.clear(); }},
        {"queue put", [](World& w) { w.queue.put(text('n')); }},
        {"queue put, large", [=](World& w) { w.queue.put(large); }},
        {"queue put_many", [](World& w) { expect(w.queue.try_put_many({text('n'), text('m')}) == 2); }},
        {"queue get", [](World& w) { expect(w.queue.get() == text('a')); }},
        {"queue get_many", [](World& w) {
             const std::vector<std::string> all{text('a'), text('b'), text('c')};
             const auto got = w.queue.get_many(3);
             expect_beginning(all, got, w.queue.size() - 1);
         }, true},
        {"queue drain", [](World& w) {
             const std::vector<std::string> all{text('a'), text('b'), text('c'), text('q', 20'000)};
             const auto got = w.queue.drain();
             expect_beginning(all, got, w.queue.size());
         }, true},
        {"queue consume", [](World& w) { expect(*w.queue.consume().begin() == text('a')); }},
        {"queue get_leased, ack", [](World& w) { w.queue.get_leased().ack(); }},
        {"queue get_leased, nack", [](World& w) { w.queue.get_leased().nack(); }},
        {"queue task_done", [](World& w) { w.queue.task_done(); }},
        {"queue clear", [](World& w) { w.queue.clear(); }},
        {"queue close", [](World& w) { w.queue.close(); }},
        {"stack get", [](World& w) { expect(w.latest.get() == text('c')); }},
        {"stack drain", [](World& w) {
             const std::vector<std::string> all{text('c'), text('b'), text('a')};
             const auto got = w.latest.drain();
             expect_beginning(all, got, w.latest.size());
         }, true},
        {"priority get", [](World& w) { expect(w.lowest.get() == text('a')); }},
        {"stack put", [](World& w) { w.latest.put(text('n')); }},
        {"priority put", [](World& w) { w.lowest.put(text('n')); }},
        {"priority put_many", [](World& w) { (void)w.lowest.try_put_many({text('n'), text('m')}); }, true},
        {"priority lease, dead letters", [](World& w) {
             w.lowest.get_leased().nack();
             w.lowest.retry_dead_letters();
         }, true},
        {"set add", [](World& w) { w.set.add(text('n')); }},
        {"set pop", [](World& w) { expect(w.set.pop() == "c"); }},
        {"set discard", [](World& w) { w.set.discard("a"); }},
        {"counter increment", [](World& w) { w.counter.increment(text('n')); }},
        {"counter set", [](World& w) { w.counter.set("a", 1); }},
        {"namespace set", [](World& w) { w.space.set("n", text('n')); }},
        {"namespace update", [](World& w) { w.space.update<std::string>("a", [](const auto& now) { return now + "n"; }); }},
        {"namespace erase", [](World& w) { w.space.erase("a"); }},
        {"value set", [](World& w) { w.value.set(9); }},
        {"value fetch_add", [](World& w) { w.value.fetch_add(9); }},
        {"array set", [](World& w) { w.array.set(1, 9); }},
        {"array fill", [](World& w) { w.array.fill(9); }},
        {"array update", [](World& w) { w.array.update([](auto numbers) { numbers[0] = 9; }); }},
        {"lock lock", [](World& w) { w.lock.lock(); }},
        {"rlock lock", [](World& w) { w.rlock.lock(); }},
        {"rlock unlock", [](World& w) { w.rlock.unlock(); }},
        {"semaphore acquire", [](World& w) { w.semaphore.acquire(); }},
        {"semaphore try_acquire_for", [](World& w) { expect(w.semaphore.try_acquire_for(1h)); }},
        {"semaphore release", [](World& w) { w.semaphore.release(); }},
        {"condition", [](World& w) {
             const std::unique_lock held(w.condition);
             (void)w.condition.wait_for(1ns);
             w.condition.notify_all();
         }},
        {"event set", [](World& w) { w.event.set(); }},
        {"barrier wait", [](World& w) { w.barrier.wait(); }},
        {"barrier abort", [](World& w) { w.barrier.abort(); }},
        {"pipe send", [](World& w) { w.pipe.second.send(text('n')); }},
        {"pipe recv", [](World& w) { expect(w.pipe.first.recv() == text('a')); }},
        {"pipe recv_bytes", [](World& w) { expect(w.pipe.first.recv_bytes(1000).size() > 700); }},
        {"pipe made", [](World& w) { w.manager.pipe<std::string>().second.send(text('n')); }},
        {"object made", [](World& w) { (void)w.manager.dict<std::string, int>("new object"); }},
        {"object opened", [](World& w) { (void)w.manager.list<std::string>("list"); }},
        {"anonymous object", [](World& w) { w.manager.queue<std::string>().put(text('n')); }},
        {"object erased", [](World& w) { expect(w.manager.erase("set")); w.set = w.manager.set<std::string>("set"); }, true},
        {"semaphore erased", [](World& w) { expect(w.manager.erase("spare")); }},
        {"watch", [](World& w) {
             auto watch = w.dict.watch("a");
             w.dict.set("a", text('n'));
             (void)watch.wait_for(1s);
         }, true},
        {"wait_any", [](World& w) { expect(wait_any({w.queue, w.event}).size() == 1); }},
        {"handles stored", [](World& w) { w.nested.set("n", {w.manager.list<int>(), w.manager.list<int>()}); }},
        {"handles stored, of others", [](World& w) { w.nested.insert("n", w.nested.at("a")); }},
        {"handles taken", [](World& w) { expect(w.nested.pop("a")->size() == 2); }},
        {"handles taken out of a queue", [](World& w) { (void)w.jobs.get(); }},
        {"handles leased", [](World& w) { (void)w.jobs.get_leased(); }},
        {"handles read", [](World& w) { expect(w.nested.at("a").size() == 2); }},
        {"transact", [](World& w) {
             w.manager.transact([&](Transaction& t) {
                 t(w.dict).set("new", t(w.queue).get());
                 t(w.list).push_back(t(w.dict).at("a"));
                 t(w.counter).increment("a");
                 t(w.queue).put(text('n'));
             });
         }},
    };
}

}  // namespace muster::test

#include "outside/rows.hpp"

#include <stdexcept>

namespace outside {
namespace {

using muster::Manager;
using Dict = muster::Dict<std::string, std::string>;
using List = muster::List<std::string>;
using Queue = muster::Queue<std::string>;

template <typename Items>
std::string text(const Items& items) {
    std::string all = "[";
    for (const auto& item : items) {
        if constexpr (requires { item.second; })
            all += item.first + "=" + item.second + ",";
        else
            all += item + ",";
    }
    return all + "]";
}

const std::string large(9000, 'l');

Row dict_row(const Manager& manager, const std::string& name, std::size_t others, std::function<void(Dict&)> change) {
    Dict dict = manager.dict<std::string, std::string>("outside-dict");
    Row row;
    row.name = "Dict::" + name;
    row.reset = [dict, others]() mutable {
        dict.clear();
        for (std::size_t i = 0; i < others; ++i) dict.insert_or_assign("other" + std::to_string(i), "value");
        dict.insert_or_assign("key", "old");
    };
    row.operation = [dict, change]() mutable { change(dict); };
    row.look = [dict] { return text(dict.snapshot()); };
    row.wait = [dict]() mutable { dict.insert_or_assign("other0", "value"); };
    return row;
}

Row list_row(const Manager& manager, const std::string& name, std::size_t size, std::function<void(List&)> change) {
    List list = manager.list<std::string>("outside-list");
    Row row;
    row.name = "List::" + name;
    row.reset = [list, size]() mutable {
        std::vector<std::string> items;
        for (std::size_t i = 0; i < size; ++i) items.push_back("item" + std::to_string(i));
        list.clear();
        list.extend(items);
    };
    row.operation = [list, change]() mutable { change(list); };
    row.look = [list] { return text(list.snapshot()); };
    // Nothing that shows: writes what is there, at the place that no operation below changes.
    row.wait = [list]() mutable { list.set(1, "item1"); };
    return row;
}

Row put_row(const Manager& manager, const std::string& name, const std::string& item) {
    Queue queue = manager.queue<std::string>("outside-put");
    Row row;
    row.name = name;
    row.reset = [queue]() mutable { queue.clear(); };
    row.operation = [queue, item]() mutable { queue.put(item); };
    row.look = [queue] { return text(queue.snapshot()); };
    row.wait = [queue]() mutable { (void)queue.get(); };
    row.waits_before = true;
    row.may_wait = [queue] { return queue.empty(); };
    row.let_on = [queue]() mutable { queue.put("another"); };
    row.settled = {"[]", "[another,]"};  // let on when it had the item already, and had not yet said so
    return row;
}

Row get_row(const Manager& manager, const std::string& name, const std::string& item) {
    Queue queue = manager.queue<std::string>("outside-get", {.maxsize = 1});
    Row row;
    row.name = name;
    row.reset = [queue, item]() mutable {
        queue.clear();
        queue.put(item);
    };
    row.operation = [queue]() mutable { (void)queue.get(); };
    row.look = [queue] { return text(queue.snapshot()); };
    row.wait = [queue]() mutable { queue.put("waiter's"); };
    row.waits_before = true;
    row.may_wait = [queue] {
        const auto first = queue.peek();
        return first && *first != "waiter's";
    };
    row.let_on = [queue]() mutable { (void)queue.get(); };
    row.settled = {"[waiter's,]"};
    return row;
}

Row lock_row(const Manager& manager, bool unlock) {
    muster::Lock lock = manager.lock("outside-lock");
    Row row;
    row.name = unlock ? "Lock::unlock" : "Lock::lock";
    row.reset = [lock]() mutable {
        if (lock.try_lock_for(patience)) return lock.unlock();
        throw std::runtime_error("the lock is held");
    };
    if (unlock)
        row.prepare = [lock]() mutable { lock.lock(); };
    else
        row.prepare = [lock]() mutable {
            lock.lock();
            lock.unlock();
        };
    row.operation = [lock, unlock]() mutable { unlock ? lock.unlock() : lock.lock(); };
    row.look = [reset = row.reset] {
        reset();
        return "free";
    };
    row.wait = row.reset;
    row.waits_before = unlock;
    row.settled = {"free"};
    return row;
}

}  // namespace

std::vector<Row> rows(const Manager& m) {
    std::vector<Row> all = {
        dict_row(m, "insert_or_assign, a new key", 3, [](Dict& d) { d.insert_or_assign("new", "value"); }),
        dict_row(m, "insert_or_assign, a key that is there", 3, [](Dict& d) { d.insert_or_assign("key", "new"); }),
        dict_row(m, "insert_or_assign, a large value", 3, [](Dict& d) { d.insert_or_assign("key", large); }),
        dict_row(m, "insert_or_assign, where the index grows", 12, [](Dict& d) { d.insert_or_assign("new", "value"); }),
        dict_row(m, "erase", 3, [](Dict& d) { d.erase("key"); }),
        dict_row(m, "erase, one of many", 40, [](Dict& d) { d.erase("other20"); }),
        list_row(m, "push_back", 3, [](List& l) { l.push_back("new"); }),
        list_row(m, "push_back, behind many", 200, [](List& l) { l.push_back("new"); }),
        list_row(m, "insert, near the front", 3, [](List& l) { l.insert(2, "new"); }),
        list_row(m, "insert, in the middle of many", 200, [](List& l) { l.insert(100, "new"); }),
        list_row(m, "pop, the last", 3, [](List& l) { (void)l.pop(); }),
        list_row(m, "pop, from the middle of many", 200, [](List& l) { (void)l.pop(100); }),
        list_row(m, "assign_slice, of another length", 6, [](List& l) { l.assign_slice(2, 4, {"a", large, "c"}); }),
        list_row(m, "assign_slice, with a step", 6, [](List& l) { l.assign_slice(2, {}, {"a", "b"}, 2); }),
        list_row(m, "*=, three times", 3, [](List& l) { l *= 3; }),
        put_row(m, "Queue::put", "item"),
        put_row(m, "Queue::put, a large item", large),
        get_row(m, "Queue::get", "item"),
        get_row(m, "Queue::get, a large item", large),
        lock_row(m, false),
        lock_row(m, true)};
    Row cold = lock_row(m, false);
    cold.name = "Lock::lock, the first of a process";
    cold.prepare = {};
    cold.cold = true;
    all.push_back(cold);
    return all;
}

void erase_all(const Manager& manager) {
    for (const std::string& name : manager.names())
        if (name.starts_with("outside-")) manager.erase(name);
}

}  // namespace outside

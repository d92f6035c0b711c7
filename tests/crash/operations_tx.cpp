// The transaction itself, at the bound of its log (I5).
#include <array>

#include "crash/subject.hpp"

namespace muster::test {
namespace {

using heap::Heap;
using heap::ObjectLock;
using segment::Segment;
using tx::Tx;

constexpr std::uint64_t log_bound = heap::object_log_capacity, fixed_log_bound = segment::fixed_log_capacity;

struct Words {
    std::array<tx::Cell<std::uint64_t>, log_bound> all;
};
struct WordsRep {
    tx::Cell<std::uint64_t> words, done;
};

WordsRep& words_root(const ObjectLock& lock) { return heap::root_of<WordsRep>(lock.object()); }
Words& words(const ObjectLock& lock) { return *lock.segment().at<Words>(words_root(lock).words); }

// As many words of the subject's as its log has entries: all of them 7.
void make_words(const Segment& segment) {
    containers::Directory(segment).create(heap::Kind::dict, living.index);
    ObjectLock lock(segment, subject);
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        const std::uint64_t block = heap.allocate(tx, sizeof(Words));
        for (auto& word : segment.at<Words>(block)->all) Tx::init(word, 7);
        tx.set(words_root(lock).words, block);
    });
}

// fn(tx, lock) as one change of the subject.
template <typename Fn>
std::function<void(const Segment&)> words_change(Fn fn) {
    return [fn](const Segment& segment) {
        const ObjectLock lock(segment, subject);
        Tx tx(segment, lock.object().domain);
        fn(tx, lock);
        tx.commit();
    };
}

template <typename Word>
std::string runs(std::uint64_t count, Word&& word) {
    std::string text;
    for (std::uint64_t i = 0, begin = 0; i < count; ++i)
        if (i + 1 == count || word(i + 1) != word(i)) {
            text += std::to_string(i + 1 - begin) + " x " + std::to_string(word(i)) + " ";
            begin = i + 1;
        }
    return text;
}
std::string words_seen(const Segment& segment) {
    const ObjectLock lock(segment, subject);
    const Words& subject_words = words(lock);
    return runs(log_bound, [&](std::uint64_t i) { return subject_words.all[i].get(); }) + "done " +
           std::to_string(words_root(lock).done);
}

// The same for a fixed domain: pids of sessions that nobody has claimed yet.
tx::Cell<std::uint64_t>& unclaimed_pid(const Segment& segment, std::uint64_t i) {
    return segment.at<sync::SessionRep>(segment.regions().sessions, segment::max_sessions)[segment::max_sessions - 1 - i].pid;
}
std::string unclaimed_pids(const Segment& segment) {
    const tx::DomainLock lock(segment, sessions_domain(segment), base::Deadline::never());
    return runs(fixed_log_bound, [&](std::uint64_t i) { return unclaimed_pid(segment, i).get(); });
}

}  // namespace

std::vector<Operation> transaction_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto fn) {
        all.push_back({name, make_words, words_change(fn), words_seen});
        all.back().real_containers = false;
        all.back().log_entries = log_bound;
    };
    add("tx: set, as many words as the log holds", [](Tx& tx, const ObjectLock& lock) {
        for (auto& word : words(lock).all) tx.set(word, 8);
    });
    add("tx: set, one word as often as the log allows", [](Tx& tx, const ObjectLock& lock) {
        for (std::uint64_t i = 0; i < log_bound; ++i) tx.set(words(lock).all[3], 100 + i);
    });
    add("tx: write, as many words as the log holds", [](Tx& tx, const ObjectLock& lock) {
        const std::string text(sizeof(Words), 'x');
        tx.write(&words(lock), text.data(), text.size());
    });
    add("tx: save, memory that is used again", [](Tx& tx, const ObjectLock& lock) {
        for (auto& word : words(lock).all) {
            tx.save(&word);
            Tx::init(word, 9);
        }
    });
    add("tx: save_words, memory that is used again", [](Tx& tx, const ObjectLock& lock) {
        tx.save_words(&words(lock), log_bound);
        for (auto& word : words(lock).all) Tx::init(word, 9);
    });
    // One change, then as much as the log holds, which is taken back.
    add("tx: roll_back, as many words as the log holds", [](Tx& tx, const ObjectLock& lock) {
        tx.set(words_root(lock).done, 1);
        tx.commit();
        for (auto& word : words(lock).all) tx.set(word, 8);
        tx.roll_back();
    });
    all.push_back({"tx: set, as many words as a fixed log holds", [](const Segment&) {},
                   [](const Segment& segment) {
                       const tx::DomainLock lock(segment, sessions_domain(segment), base::Deadline::never());
                       Tx tx(segment, sessions_domain(segment));
                       for (std::uint64_t i = 0; i < fixed_log_bound; ++i) tx.set(unclaimed_pid(segment, i), 8);
                       tx.commit();
                   },
                   unclaimed_pids});
    all.back().log_entries = fixed_log_bound;
    return all;
}

}  // namespace muster::test

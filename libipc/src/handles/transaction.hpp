// What a transaction remembers: what it has read of each object, and what it is going to write.
//
// While the user's function runs nothing is locked. What it reads of an object was so under the sequence number that is kept
// with it. When that number has changed, all that was read is looked at again: if it is still so, the new number will do; if
// not, the function has to run again (Conflict). After every read the other objects' numbers are looked at, too, so that the
// function never sees two moments at once. At the commit all objects are locked, in ascending id (I11), looked at once more,
// and changed by heap::mutate_together.
// What values name that were read or are going to be written is held until the transaction has ended: so a handle can be
// opened, and what is taken out of an object is held before it is gone from it (nesting.hpp).
// Thread safety: one thread.
#pragma once

#include <list>
#include <map>
#include <vector>

#include <muster/detail/transaction.hpp>

#include "handles/nesting.hpp"
#include "handles/object_state.hpp"
#include "handles/queue.hpp"

namespace muster::detail {

inline constexpr const char* in_transact = "transact";  // the operation, in messages

inline std::string_view text_in(Bytes bytes) noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes bytes_in(std::string_view text) noexcept { return std::as_bytes(std::span(text.data(), text.size())); }

class TransactionCore;

// One object's part.
class Work {
  public:
    Work(TransactionCore& core, std::shared_ptr<ObjectState> state);
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    virtual ~Work() = default;

    virtual bool changes() const = 0;
    // Looks again: is what was read still so? `locked`: the caller holds the object's lock.
    virtual bool still_so(bool locked) = 0;
    // Under the locks of all objects. check() throws where it cannot be done; what prepare() did is undone by undo(), what
    // is left after the change is cleared away by done(): changes that nobody sees.
    virtual void check() {}
    virtual void prepare(heap::ObjectLock&) {}
    virtual void undo(heap::ObjectLock&) noexcept {}
    virtual void apply(tx::Tx& tx, heap::Heap& heap) = 0;
    virtual void done(heap::ObjectLock&) noexcept {}
    virtual void wake() {}  // without any lock

    ObjectState& state() const noexcept { return *state_; }
    heap::ObjectRef ref() const noexcept { return state_->ref; }
    tx::DomainRep& domain() const;

    // Something was read, and it was so under that number.
    bool seen = false;
    std::uint64_t sequence = 0;

  protected:
    const segment::Segment& segment() const;
    // Runs `look`, which reads the object, until nobody got in between; then keep(), so that still_so() knows of it.
    // copied(): the value that was read, if it was one.
    template <typename Look, typename Keep, typename Copied>
    void read_object(Look&& look, Keep&& keep, Copied&& copied);
    template <typename Look, typename Keep>
    void read_object(Look&& look, Keep&& keep) {
        read_object(look, keep, [] { return Bytes(); });
    }
    // A value for the caller, whose handles can be opened.
    void give(std::string_view value, Buffer& out);
    // What is going to be written: the objects that it names are held until the transaction has ended.
    void enter(const char* operation, Bytes value) {
        if (may_hold_handles(value)) entering_.emplace_back(*state_, operation, value);
    }
    TransactionCore& core_;
    std::shared_ptr<ObjectState> state_;

  private:
    // What the value names. False: something has gone that was there when it was read, perhaps; read it again.
    bool hold(Bytes value);
    std::list<Entering> entering_;
    std::shared_ptr<Kept> kept_;
};

class TransactionCore {
  public:
    explicit TransactionCore(std::shared_ptr<session::Session> session) : session_(std::move(session)) {}

    // The part of the object that `state` names. Throws invalid_argument, limit_exceeded, destroyed.
    template <typename Kind>
    Kind& part(const std::shared_ptr<ObjectState>& state) {
        if (Work* known = find(*state)) return static_cast<Kind&>(*known);
        auto made = std::make_unique<Kind>(*this, state);
        Kind& kind = *made;
        works_.push_back(std::move(made));
        return kind;
    }
    bool commit();
    void again();
    unsigned attempt() const noexcept { return attempt_; }
    const segment::Segment& segment() const noexcept { return session_->segment(); }
    [[noreturn]] void conflict() {
        doomed_ = true;  // also when the function catches it
        throw Conflict{};
    }
    // Everything that was read was so at one moment, not long ago. Throws Conflict.
    void look_at_all();
    // The number is odd for long: somebody is inside.
    void wait_for(const Work& work) const { const heap::ObjectLock held(segment(), work.ref()); }

  private:
    using Locks = std::array<std::optional<heap::ObjectLock>, tx::Joint::most>;

    Work* find(const ObjectState& state);
    std::vector<Work*> in_order() const;
    // Those of `works` that are `wanted`, by id; while it waits for one it holds no other.
    void lock(const std::vector<Work*>& works, Locks& locks);
    void change(const std::vector<Work*>& works, Locks& locks);

    std::shared_ptr<session::Session> session_;
    std::vector<std::unique_ptr<Work>> works_;
    unsigned attempt_ = 1;
    bool doomed_ = false;
};

template <typename Look, typename Keep, typename Copied>
void Work::read_object(Look&& look, Keep&& keep, Copied&& copied) {
    constexpr int patience = 200;
    for (int odd = 0;;) {
        const std::uint64_t now = tx::sequence_of(domain());
        if (now % 2 != 0) {
            if (++odd % patience == 0) core_.wait_for(*this);
            base::relax();
            continue;
        }
        if (seen && now != sequence) {  // what was read before has to be of the same moment
            if (!still_so(false)) core_.conflict();
            if (tx::unchanged_since(domain(), now)) sequence = now;
            continue;
        }
        look();
        if (!tx::unchanged_since(domain(), now)) continue;
        if (!hold(copied())) continue;
        sequence = now;
        seen = true;
        keep();
        break;
    }
    core_.look_at_all();
}

class TableWork final : public Work {
  public:
    using Work::Work;
    bool read(Bytes key, Buffer& value);
    bool has(Bytes key);
    void write(Bytes key, Bytes original, Bytes value);
    bool remove(Bytes key);
    std::uint64_t size();

    bool changes() const override { return !writes_.empty(); }
    bool still_so(bool locked) override;
    void prepare(heap::ObjectLock& lock) override;
    void apply(tx::Tx& tx, heap::Heap& heap) override;

  private:
    struct Read {
        bool present = false, with_value = false;
        std::string value;
    };
    struct Write {
        std::string key, original;
        std::optional<std::string> value;  // none: it goes
    };
    containers::Table table() const { return {segment(), ref()}; }
    Read& look(Bytes key, bool with_value);
    const Write* written(Bytes key) const;

    std::map<std::string, Read, std::less<>> reads_;
    std::optional<std::uint64_t> size_;
    std::vector<Write> writes_;  // a key that goes and comes again has two
    std::map<std::string, std::size_t, std::less<>> latest_;
};

class ListWork final : public Work {
  public:
    using Work::Work;
    std::uint64_t size();
    void read(std::ptrdiff_t index, Buffer& value);
    void write(std::ptrdiff_t index, Bytes value);
    void append(Bytes value);
    void take(Buffer& value);

    bool changes() const override { return !sets_.empty() || !appended_.empty() || (size_ && kept_ < *size_); }
    bool still_so(bool locked) override;
    void prepare(heap::ObjectLock& lock) override;
    void undo(heap::ObjectLock& lock) noexcept override;
    void apply(tx::Tx& tx, heap::Heap& heap) override;
    void done(heap::ObjectLock& lock) noexcept override { undo(lock); }

  private:
    containers::Sequence sequence_of() const { return {segment(), ref()}; }
    std::uint64_t resolve(const char* operation, std::ptrdiff_t index);
    const std::string& item(std::uint64_t index);

    std::optional<std::uint64_t> size_;  // of the list
    std::uint64_t kept_ = 0;             // of its items; those behind have been taken
    std::map<std::uint64_t, std::string> reads_, sets_;
    std::vector<std::string> appended_;
    // What becomes of it under the lock: what takes the place of an item that goes is set there.
    std::vector<std::pair<std::uint64_t, const std::string*>> final_sets_;
    std::uint64_t final_size_ = 0;
};

class QueueWork final : public Work {
  public:
    QueueWork(TransactionCore& core, std::shared_ptr<ObjectState> state);
    std::uint64_t size();
    void put(Bytes item);
    bool get(Buffer& item);

    bool changes() const override { return taken_ != 0 || own_taken_ < puts_.size(); }
    bool still_so(bool locked) override;
    void check() override;
    void apply(tx::Tx& tx, heap::Heap& heap) override;
    void wake() override;

  private:
    struct Item {
        std::string bytes;
        bool returned;  // a lease that was given back
    };
    containers::Queue queue() const { return {segment(), ref()}; }
    std::uint64_t put_count() const noexcept { return puts_.size() - own_taken_; }
    std::size_t place_of_put(Bytes item) const;
    const Item* next_there();  // of the queue's own; null: none is left
    bool own_comes_first(const Item& there) const;

    const containers::Order order_;
    std::vector<Item> first_;  // the queue's first items, as far as they were looked at
    bool end_ = false;         // there are no more
    bool closed_ = false;      // ... and the queue is closed
    std::optional<std::uint64_t> size_;
    std::size_t taken_ = 0;      // of the first
    std::vector<std::string> puts_;  // of a priority queue: lowest first, equal ones as they came
    std::size_t own_taken_ = 0;  // of what was put; last in first out: they are gone from there
    std::vector<std::uint64_t> places_;  // of what is put, where it is not put at the end
};

class ArrayWork final : public Work {
  public:
    using Work::Work;
    std::uint64_t length();
    std::uint64_t read(std::uint64_t index);
    void write(std::uint64_t index, std::uint64_t bits) { writes_.insert_or_assign(index, bits); }

    bool changes() const override { return !writes_.empty(); }
    bool still_so(bool locked) override;
    void apply(tx::Tx& tx, heap::Heap& heap) override;

  private:
    containers::Scalars scalars() const { return {segment(), ref()}; }

    std::map<std::uint64_t, std::uint64_t> reads_, writes_;  // bits by index
};

}  // namespace muster::detail

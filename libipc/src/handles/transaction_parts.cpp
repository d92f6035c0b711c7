// What a transaction does with a table, a list.
#include <muster/dict.hpp>
#include <muster/list.hpp>

#include "handles/transaction.hpp"

namespace muster::detail {

// --- tables ---

TableWork::Read& TableWork::look(Bytes key, bool with_value) {
    auto found = reads_.find(text_in(key));
    if (found != reads_.end() && (found->second.with_value || !found->second.present || !with_value)) return found->second;
    Read fresh;
    Buffer value;
    read_object([&] { fresh.present = with_value ? table().get(key, value) : table().contains(key); },
                [&] {
                    fresh.with_value = with_value;
                    if (with_value && fresh.present) fresh.value = text_in(value.bytes());
                    found = reads_.insert_or_assign(std::string(text_in(key)), std::move(fresh)).first;
                },
                [&] { return with_value && fresh.present ? value.bytes() : Bytes(); });
    return found->second;
}

const TableWork::Write* TableWork::written(Bytes key) const {
    const auto found = latest_.find(text_in(key));
    return found == latest_.end() ? nullptr : &writes_[found->second];
}

bool TableWork::read(Bytes key, Buffer& value) {
    if (const Write* write = written(key)) {
        if (write->value) give(*write->value, value);
        return write->value.has_value();
    }
    const Read& read = look(key, true);
    if (read.present) give(read.value, value);
    return read.present;
}

bool TableWork::has(Bytes key) {
    if (const Write* write = written(key)) return write->value.has_value();
    return look(key, false).present;
}

void TableWork::write(Bytes key, Bytes original, Bytes value) {
    check_size(state(), in_transact, "a key", key.size(), DictBase::max_key);
    check_size(state(), in_transact, "a value", value.size(), DictBase::max_value);
    enter(in_transact, value);
    const auto found = latest_.find(text_in(key));
    if (found != latest_.end() && writes_[found->second].value) {
        writes_[found->second].value = text_in(value);
        return;
    }
    latest_.insert_or_assign(std::string(text_in(key)), writes_.size());
    writes_.push_back({std::string(text_in(key)), std::string(text_in(original)), std::string(text_in(value))});
}

bool TableWork::remove(Bytes key) {
    if (!has(key)) return false;
    const auto found = latest_.find(text_in(key));
    if (found != latest_.end()) {
        writes_[found->second].value.reset();
        return true;
    }
    latest_.emplace(text_in(key), writes_.size());
    writes_.push_back({std::string(text_in(key)), {}, {}});
    return true;
}

std::uint64_t TableWork::size() {
    if (!size_) {
        std::uint64_t now = 0;
        read_object([&] { now = table().size(); }, [&] { size_ = now; });
    }
    std::uint64_t size = *size_;
    for (const auto& [key, index] : latest_) {
        size += writes_[index].value ? 1 : 0;
        size -= look(bytes_in(key), false).present ? 1 : 0;
    }
    return size;
}

bool TableWork::still_so(bool) {
    if (size_ && table().size() != *size_) return false;
    Buffer value;
    for (const auto& [key, read] : reads_) {
        const bool present = read.with_value ? table().get(bytes_in(key), value) : table().contains(bytes_in(key));
        if (present != read.present) return false;
        if (read.with_value && present && text_in(value.bytes()) != read.value) return false;
    }
    return true;
}

void TableWork::prepare(heap::ObjectLock& lock) {
    std::uint64_t more = 0;
    for (const Write& write : writes_)
        if (write.value) ++more;
    table().reserve(lock, more);
}

void TableWork::apply(tx::Tx& tx, heap::Heap& heap) {
    containers::Table to = table();
    for (const Write& write : writes_) {
        if (write.value)
            to.set_within(tx, heap, bytes_in(write.key), bytes_in(write.original), bytes_in(*write.value));
        else
            to.remove_within(tx, heap, bytes_in(write.key));
    }
}

// --- lists ---

std::uint64_t ListWork::size() {
    if (!size_) {
        std::uint64_t now = 0;
        read_object([&] { now = sequence_of().size(); }, [&] { size_ = kept_ = now; });
    }
    return kept_ + appended_.size();
}

std::uint64_t ListWork::resolve(const char* what, std::ptrdiff_t index) {
    const std::uint64_t all = size();
    const std::ptrdiff_t at = index < 0 ? index + static_cast<std::ptrdiff_t>(all) : index;
    if (at < 0 || static_cast<std::uint64_t>(at) >= all)
        throw Error(Errc::index_error, what, state().subject(),
                    "index " + std::to_string(index) + " of " + std::to_string(all) + " elements");
    return static_cast<std::uint64_t>(at);
}

const std::string& ListWork::item(std::uint64_t index) {
    if (index >= kept_) return appended_[index - kept_];
    if (const auto set = sets_.find(index); set != sets_.end()) return set->second;
    if (const auto read = reads_.find(index); read != reads_.end()) return read->second;
    Buffer value;
    bool found = false;
    const std::string* item = nullptr;
    read_object([&] { found = sequence_of().get(index, value); },
                [&] {
                    if (!found) throw segment::Damage{"list: fewer items than its size"};
                    item = &reads_.emplace(index, text_in(value.bytes())).first->second;
                },
                [&] { return found ? value.bytes() : Bytes(); });
    return *item;
}

void ListWork::read(std::ptrdiff_t index, Buffer& value) { give(item(resolve("get", index)), value); }

void ListWork::write(std::ptrdiff_t index, Bytes value) {
    check_size(state(), in_transact, "an element", value.size(), ListBase::max_value);
    enter(in_transact, value);
    const std::uint64_t at = resolve("set", index);
    if (at >= kept_)
        appended_[at - kept_] = text_in(value);
    else
        sets_.insert_or_assign(at, std::string(text_in(value)));
}

void ListWork::append(Bytes value) {
    check_size(state(), in_transact, "an element", value.size(), ListBase::max_value);
    enter(in_transact, value);
    appended_.emplace_back(text_in(value));
}

void ListWork::take(Buffer& value) {
    if (appended_.empty()) {
        give(item(resolve("pop", -1)), value);
        sets_.erase(--kept_);
    } else {
        give(appended_.back(), value);
        appended_.pop_back();
    }
}

bool ListWork::still_so(bool) {
    if (size_ && sequence_of().size() != *size_) return false;
    Buffer value;
    for (const auto& [index, read] : reads_)
        if (!sequence_of().get(index, value) || text_in(value.bytes()) != read) return false;
    return true;
}

void ListWork::prepare(heap::ObjectLock& lock) {
    containers::Sequence list = sequence_of();
    const std::uint64_t there = list.size(), kept = size_ ? kept_ : there;
    final_sets_.clear();
    for (const auto& [index, value] : sets_) final_sets_.emplace_back(index, &value);
    Strings behind;
    for (std::size_t i = 0; i < appended_.size(); ++i) {
        if (kept + i < there)
            final_sets_.emplace_back(kept + i, &appended_[i]);
        else
            behind.add(bytes_in(appended_[i]));
    }
    final_size_ = kept + appended_.size();
    list.stage(lock, behind);
}

void ListWork::undo(heap::ObjectLock& lock) noexcept {
    try {
        sequence_of().drop_staged(lock);
    } catch (...) {  // whoever changes the list next does it
    }
}

void ListWork::apply(tx::Tx& tx, heap::Heap& heap) {
    containers::Sequence list = sequence_of();
    for (const auto& [index, value] : final_sets_) list.set_within(tx, heap, index, bytes_in(*value));
    list.resize_within(tx, final_size_);
}

// --- what the user's side calls ---

std::size_t TablePart::size() {
    return guarded(work_->state(), "size", [&] { return static_cast<std::size_t>(work_->size()); });
}
bool TablePart::read(Bytes key, Buffer& value) {
    return guarded(work_->state(), "get", [&] { return work_->read(key, value); });
}
bool TablePart::has(Bytes key) {
    return guarded(work_->state(), "contains", [&] { return work_->has(key); });
}
void TablePart::write(Bytes key, Bytes original, Bytes value) { work_->write(key, original, value); }
bool TablePart::remove(Bytes key) {
    return guarded(work_->state(), "erase", [&] { return work_->remove(key); });
}

void TablePart::throw_absent(const char* what, Bytes key) const { throw_absent_key(work_->state(), what, key); }
void TablePart::throw_overflow(const char* what) const { throw_count_overflow(work_->state(), what); }

std::size_t ListPart::size() {
    return guarded(work_->state(), "size", [&] { return static_cast<std::size_t>(work_->size()); });
}
void ListPart::read(std::ptrdiff_t index, Buffer& value) {
    guarded(work_->state(), "get", [&] { work_->read(index, value); });
}
void ListPart::write(std::ptrdiff_t index, Bytes value) {
    guarded(work_->state(), "set", [&] { work_->write(index, value); });
}
void ListPart::append(Bytes value) { work_->append(value); }
void ListPart::take(Buffer& value) {
    guarded(work_->state(), "pop", [&] { work_->take(value); });
}

}  // namespace muster::detail

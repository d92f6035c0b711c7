// The bytes under muster::Transaction. Internal.
#pragma once

#include <memory>

#include <muster/detail/object.hpp>

namespace muster::detail {

class Realm;
class TransactionCore;  // libipc/src/handles/transaction.hpp, as the next ones
class TableWork;
class ListWork;
class QueueWork;
class ArrayWork;

// Thrown through the transaction's function: it has to run again.
struct Conflict {};

class TablePart {
  public:
    explicit TablePart(TableWork& work) noexcept : work_(&work) {}
    std::size_t size();
    [[nodiscard]] bool empty() { return size() == 0; }

  protected:
    bool read(Bytes key, Buffer& value);
    bool has(Bytes key);
    void write(Bytes key, Bytes original, Bytes value);
    bool remove(Bytes key);  // was it there?
    [[noreturn]] void throw_absent(const char* operation, Bytes key) const;
    [[noreturn]] void throw_overflow(const char* operation) const;

  private:
    TableWork* work_;
};

class ListPart {
  public:
    explicit ListPart(ListWork& work) noexcept : work_(&work) {}
    std::size_t size();
    [[nodiscard]] bool empty() { return size() == 0; }

  protected:
    void read(std::ptrdiff_t index, Buffer& value);
    void write(std::ptrdiff_t index, Bytes value);
    void append(Bytes value);
    void take(Buffer& value);

  private:
    ListWork* work_;
};

class QueuePart {
  public:
    explicit QueuePart(QueueWork& work) noexcept : work_(&work) {}
    std::size_t size();
    [[nodiscard]] bool empty() { return size() == 0; }

  protected:
    void put(Bytes item);
    bool get(Buffer& item);
    [[noreturn]] void throw_empty() const;

  private:
    QueueWork* work_;
};

class ArrayPart {
  public:
    explicit ArrayPart(ArrayWork& work) noexcept : work_(&work) {}

  protected:
    std::size_t length();
    std::uint64_t read(std::uint64_t index);
    void write(std::uint64_t index, std::uint64_t bits);
    // The element that a Python index means. Throws index_error.
    std::uint64_t position(const char* operation, std::ptrdiff_t index);

  private:
    ArrayWork* work_;
};

class DictBase;
class ListBase;
class QueueBase;
class ScalarsBase;

class TransactionBase {
  public:
    explicit TransactionBase(const Realm& realm);
    ~TransactionBase();
    TableWork& part(const DictBase& handle);
    ListWork& part(const ListBase& handle);
    QueueWork& part(const QueueBase& handle);
    ArrayWork& part(const ScalarsBase& handle);
    bool commit();  // false: run it again
    void again();
    unsigned attempt() const noexcept;

  private:
    std::unique_ptr<TransactionCore> core_;
};

}  // namespace muster::detail

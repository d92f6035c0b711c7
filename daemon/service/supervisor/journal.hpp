// What must outlive the service about forked processes, which have no record at the keeper: a memfd that the keeper
// holds, with one slot for each.
//
// The service may be killed between any two stores. A slot counts from the store of its id on, which comes last; that
// and how a process ended are one word each; so every slot read later is a whole one. Only services of the same
// program use it: another layout version is started afresh. Thread safety: the service's one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/base.hpp"
#include "service/supervisor/process.hpp"

namespace muster::service {

class Journal {
  public:
    static Journal create(std::uint32_t slots);
    // Nothing when it is not one of ours. Throws when there is no memory for it.
    static std::optional<Journal> adopt(base::UniqueFd memfd);

    Journal(Journal&& other) noexcept;
    Journal& operator=(Journal&& other) noexcept;
    ~Journal();

    int memfd() const noexcept { return memfd_.get(); }

    // Writes a process down, or what has become of one that is there. Without a free slot it is not kept.
    void record(const Process& process) noexcept;
    void erase(std::uint64_t id) noexcept;

    // Everything written down; a process that has not ended comes without its pidfd.
    std::vector<ProcessPtr> read() const;
    // Above every id ever recorded.
    std::uint64_t next_id() const noexcept;

  private:
    struct Header;
    struct Slot;
    Journal(base::UniqueFd memfd, void* memory, std::size_t size);
    Header& header() const noexcept;
    Slot* slots() const noexcept;
    void index();

    base::UniqueFd memfd_;
    void* memory_ = nullptr;
    std::size_t size_ = 0;
    std::map<std::uint64_t, std::uint32_t> used_;  // by id
    std::vector<std::uint32_t> free_;
};

}  // namespace muster::service

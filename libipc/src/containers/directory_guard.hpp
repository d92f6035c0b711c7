// The directory's lock. Private to the two files that Directory is written in.
#pragma once

#include "containers/directory.hpp"

namespace muster::containers {

// Holds the directory's domain; what a dead predecessor left half done is finished first.
class Directory::Guard {
  public:
    explicit Guard(Directory& directory)
        : lock_(directory.segment_, directory.domain_, patience_of(directory)) {
        if (directory.domain_.unreconciled != 0) {
            directory.sweep();
            tx::reconciled(directory.domain_);
        }
    }

  private:
    static base::Deadline patience_of(const Directory& directory) noexcept {
        return directory.patience_ ? base::Deadline::after(*directory.patience_) : directory.segment_.lock_deadline();
    }
    tx::DomainLock lock_;
};

}  // namespace muster::containers

// Calls by the type of what they give. Internal; Backend is InThreads or InProcesses of detail/task.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <muster/detail/call.hpp>

namespace muster {

// What comes with a call that is not waited for, all of it if wanted; contract: <muster/pool.hpp>.
template <typename T>
struct Callbacks {
    std::string name = {};  // for messages
    std::function<void(const T&)> callback = {};
    std::function<void(std::exception_ptr)> error_callback = {};
    std::size_t chunk = 0;  // of map_async and starmap_async: so many items are one task; 0: as map
};
template <>
struct Callbacks<void> {
    std::string name = {};
    std::function<void()> callback = {};
    std::function<void(std::exception_ptr)> error_callback = {};
    std::size_t chunk = 0;
};

}  // namespace muster

namespace muster::detail {

// void as a value.
template <typename T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
// What a map gives: nothing of a function that gives nothing.
template <typename R>
using ListOf = std::conditional_t<std::is_void_v<R>, void, std::vector<Stored<R>>>;

template <typename Fn>
auto stored_result(Fn&& fn) -> Stored<std::decay_t<decltype(fn())>> {
    if constexpr (std::is_void_v<decltype(fn())>) {
        fn();
        return {};
    } else {
        return fn();
    }
}

template <typename T>
class ValueCall : public Call {
  public:
    ValueCall(std::size_t parts, Callbacks<T> callbacks)
        : Call(parts, std::move(callbacks.name)), callback_(std::move(callbacks.callback)),
          error_callback_(std::move(callbacks.error_callback)) {}
    bool has_callbacks() const noexcept final { return callback_ || error_callback_; }
    // Of one that is ready and has no error.
    Stored<T>& value() noexcept { return *value_; }

  protected:
    std::optional<Stored<T>> value_;

  private:
    void call_back(const std::exception_ptr& error) final {
        if (error) {
            if (error_callback_) error_callback_(error);
        } else if (callback_) {
            if constexpr (std::is_void_v<T>) callback_();
            else callback_(std::as_const(*value_));
        }
    }
    const decltype(Callbacks<T>::callback) callback_;
    const std::function<void(std::exception_ptr)> error_callback_;
};

template <typename R, typename Backend>
class ApplyCall final : public ValueCall<R> {
  public:
    explicit ApplyCall(Callbacks<R> callbacks = {}) : ValueCall<R>(1, std::move(callbacks)) {}
    void put(Stored<R> value) { this->value_.emplace(std::move(value)); }

  private:
    void decode(std::size_t, Reader& in) override { put(Backend::template decode<R>(in)); }
};

// How `count` things are cut into parts.
struct Chunks {
    std::size_t count, size;
    std::size_t parts() const noexcept { return count == 0 ? 0 : (count - 1) / size + 1; }
    std::size_t begin(std::size_t part) const noexcept { return part * size; }
    std::size_t length(std::size_t part) const noexcept { return std::min(size, count - begin(part)); }
    // As Python's: four a worker, unless told.
    static Chunks of(std::size_t count, std::size_t given, std::size_t workers) noexcept {
        return {count, given != 0 ? given : std::max<std::size_t>((count + 4 * workers - 1) / (4 * workers), 1)};
    }
};

template <typename R>
struct Outcome {
    std::optional<Stored<R>> value;
    std::exception_ptr error;
};
// Runs `make` for a value; catches what it throws.
template <typename R, typename Make>
Outcome<R> outcome_of(Make&& make) {
    try {
        return {make(), {}};
    } catch (...) {
        return {{}, std::current_exception()};
    }
}

template <typename R, typename Backend>
class MapCall final : public ValueCall<ListOf<R>> {
  public:
    MapCall(Chunks chunks, Callbacks<ListOf<R>> callbacks)
        : ValueCall<ListOf<R>>(chunks.parts(), std::move(callbacks)), chunks_(chunks), parts_(chunks.parts()) {}
    // All values of a part; throws the first error of it.
    template <typename Next>
    void put(std::size_t part, Next&& next) {
        std::exception_ptr error;  // the others are run all the same
        std::vector<Stored<R>> values;
        values.reserve(chunks_.length(part));
        for (std::size_t i = 0; i < chunks_.length(part); ++i) {
            Outcome<R> outcome = outcome_of<R>([&] { return next(i); });
            if (outcome.error && !error) error = outcome.error;
            if (!error) values.push_back(std::move(*outcome.value));
        }
        if (error) std::rethrow_exception(error);
        parts_[part] = std::move(values);
    }
    std::optional<std::size_t> place(std::size_t part, std::size_t item) const override { return chunks_.begin(part) + item; }

  private:
    void decode(std::size_t part, Reader& in) override {
        in.begin_array_of(chunks_.length(part));
        put(part, [&](std::size_t) { return Backend::template outcome<R>(in); });
    }
    void assemble() override {
        if constexpr (std::is_void_v<R>) {
            this->value_.emplace();
        } else if (parts_.size() == 1) {
            this->value_.emplace(std::move(parts_[0]));
        } else {
            std::vector<R> all;
            all.reserve(chunks_.count);
            for (auto& part : parts_) {
                for (auto&& value : part) all.push_back(std::move(value));
                part = {};
            }
            this->value_.emplace(std::move(all));
        }
    }

    const Chunks chunks_;
    std::vector<std::vector<Stored<R>>> parts_;
};

// Results one by one, in their order or as they come.
template <typename R>
class StreamCall : public Call {
  public:
    using Part = std::vector<Outcome<R>>;
    StreamCall(Chunks chunks, bool ordered)
        : Call(chunks.parts()), chunks_(chunks), ordered_(ordered), parts_(chunks.parts()), there_(chunks.parts()) {}

    // The next part; none when all were given. Throws timeout, deadlock.
    std::optional<Part> next(const char* operation, Timeout timeout) {
        std::unique_lock hold(mutex_);
        if (given_ == parts_.size()) return {};
        const auto there = [&] { return ordered_ ? bool(there_[given_]) : given_ < order_.size(); };
        const auto has = [&] { return there() || abandoned_; };
        if (!has()) {
            check_may_wait();
            const auto wait = [&] {
                if (!timeout) return changed_.wait(hold, has), true;
                if (*timeout > std::chrono::hours(24 * 365)) return changed_.wait(hold, has), true;
                return changed_.wait_for(hold, *timeout, has);
            };
            if (!wait()) throw Error(Errc::timeout, operation, "the next result");
        }
        if (!there()) {  // the error stands for all that will not come
            given_ = parts_.size();
            Part last;
            last.push_back({{}, abandoned_});
            return last;
        }
        const std::size_t part = ordered_ ? given_ : order_[given_];
        ++given_;
        return std::move(parts_[part]);
    }
    template <typename Next>
    void put(std::size_t part, Next&& next) {
        Part outcomes;
        outcomes.reserve(chunks_.length(part));
        for (std::size_t i = 0; i < chunks_.length(part); ++i) outcomes.push_back(outcome_of<R>([&] { return next(i); }));
        parts_[part] = std::move(outcomes);
    }
    std::optional<std::size_t> place(std::size_t part, std::size_t item) const override { return chunks_.begin(part) + item; }

  protected:
    const Chunks chunks_;

  private:
    void arrived(std::size_t part, std::exception_ptr error) override {
        if (error) parts_[part].assign(chunks_.length(part), Outcome<R>{{}, error});
        there_[part] = 1;
        order_.push_back(part);
        changed_.notify_all();
    }
    void abandoned(const std::exception_ptr& error) override {
        abandoned_ = error;
        changed_.notify_all();
    }

    const bool ordered_;
    std::vector<Part> parts_;
    std::vector<char> there_;
    std::vector<std::size_t> order_;  // of their arrival
    std::size_t given_ = 0;
    std::exception_ptr abandoned_;
};
template <typename R, typename Backend>
class StreamCallOf final : public StreamCall<R> {
  public:
    using StreamCall<R>::StreamCall;

  private:
    void decode(std::size_t part, Reader& in) override {
        in.begin_array_of(this->chunks_.length(part));
        this->put(part, [&](std::size_t) { return Backend::template outcome<R>(in); });
    }
};

}  // namespace muster::detail

// How a function and its arguments get to a worker, and its result back, by type. Internal.
//
// To a process they go as bytes: the address of a function of ours that knows their types (the worker was forked, so all
// functions are where they are here), those of the callable, and the arguments as values (codec.hpp).
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/codec.hpp>
#include <muster/detail/typed_call.hpp>

namespace muster::detail {

// A type as it is kept for a call: text by value.
template <typename T>
struct KeptAs { using type = T; };
template <>
struct KeptAs<const char*> { using type = std::string; };
template <>
struct KeptAs<char*> { using type = std::string; };
template <>
struct KeptAs<std::string_view> { using type = std::string; };
template <typename T>
using Argument = typename KeptAs<std::decay_t<T>>::type;

// No handles in it.
template <typename T>
inline constexpr bool is_plain = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string>;
template <typename T>
inline constexpr bool is_plain<std::vector<T>> = is_plain<T>;
template <typename... T>
inline constexpr bool is_plain<std::tuple<T...>> = (is_plain<T> && ...);
template <typename A, typename B>
inline constexpr bool is_plain<std::pair<A, B>> = is_plain<A> && is_plain<B>;

// A map calls with an item, a starmap with what is in it.
struct WithItem {
    template <typename F, typename Item>
    static decltype(auto) call(F& function, Item&& item) { return std::invoke(function, std::forward<Item>(item)); }
    template <typename F, typename Item>
    using Result = std::decay_t<std::invoke_result_t<F&, Item>>;
};
struct WithFields {
    template <typename F, typename Item>
    static decltype(auto) call(F& function, Item&& item) { return std::apply(function, std::forward<Item>(item)); }
    template <typename F, typename Item>
    using Result = std::decay_t<decltype(std::apply(std::declval<F&>(), std::declval<Item>()))>;
};

// --- callables as bytes -----------------------------------------------------------------------------------------------

template <typename F>
inline constexpr bool may_travel = std::is_trivially_copyable_v<F>;

template <typename F, typename R, typename... Arguments>
constexpr void check_travels() {
    static_assert(may_travel<F>,
                  "a task for another process is a function, or a callable that can be copied as bytes: a lambda without "
                  "captures or with plain values. std::function, and a lambda that captures strings, containers or handles, "
                  "cannot: give those as arguments");
    static_assert((Storable<Arguments> && ...), "an argument of a task for another process has no muster::codec");
    static_assert(std::is_void_v<R> || Storable<Stored<R>>, "the result of a task for another process has no muster::codec");
}

template <typename F>
void write_callable(Writer& out, const F& function) {
    out.binary(std::as_bytes(std::span<const F>(&function, 1)));
}

// The callable in its own place: it need not be one that can be made of nothing.
template <typename F>
class Callable {
  public:
    explicit Callable(Reader& in) {
        const auto bytes = in.binary();
        if (bytes.size() != sizeof(F)) throw_wrong_length(sizeof(F), bytes.size());
        std::memcpy(place_, bytes.data(), sizeof(F));
    }
    F& operator*() noexcept { return *std::launder(reinterpret_cast<F*>(place_)); }

  private:
    alignas(F) std::byte place_[sizeof(F)];
};

template <typename R, typename Fn>
void write_result(Writer& out, AtWork& work, Fn&& fn) {
    if constexpr (std::is_void_v<R>) {
        fn();
        out.nil();
    } else if constexpr (is_plain<R>) {
        const R result = fn();
        codec<R>::encode(out, result);
    } else {
        auto result = std::make_shared<const R>(fn());
        codec<R>::encode(out, *result);
        work.keep(std::move(result));
    }
}

template <typename R, typename F, typename... Arguments>
void run_apply(Reader& in, Writer& out, AtWork& work) {
    in.begin_array_of(1 + sizeof...(Arguments));
    Callable<F> function(in);
    std::tuple<Arguments...> arguments{codec<Arguments>::decode(in)...};  // braces: in this order
    in.end();
    write_result<R>(out, work, [&]() -> R { return std::apply(*function, std::move(arguments)); });
}

// Each item's outcome is its own: [true, value] or [false, error].
template <typename R, typename With, typename F, typename Item>
void run_chunk(Reader& in, Writer& out, AtWork& work) {
    in.begin_array_of(2);
    Callable<F> function(in);
    const std::size_t count = in.begin_array();
    out.begin_array(count);
    Writer outcome;
    for (std::size_t i = 0; i < count; ++i) {
        work.at(i);
        Item item = codec<Item>::decode(in);
        outcome.clear();
        try {
            outcome.begin_array(2);
            outcome.boolean(true);
            write_result<R>(outcome, work, [&]() -> R { return With::call(*function, std::move(item)); });
            outcome.end();
        } catch (...) {
            outcome.clear();
            outcome.begin_array(2);
            outcome.boolean(false);
            write_current_error(outcome);
        }
        out.raw(outcome.bytes());
    }
    in.end();
    in.end();
    out.end();
}

// --- tasks ------------------------------------------------------------------------------------------------------------

template <typename Run>
class LocalTaskOf final : public LocalTask {
  public:
    LocalTaskOf(std::shared_ptr<Call> call, std::size_t part, Run run) : call_(std::move(call)), part_(part), run_(std::move(run)) {}
    bool run() noexcept override {
        try {
            run_();
        } catch (...) {
            return call_->fail(part_, std::current_exception());
        }
        return call_->stored(part_);
    }

  private:
    std::shared_ptr<Call> call_;
    std::size_t part_;
    Run run_;
};
template <typename Run>
Task local_task(std::shared_ptr<Call> call, std::size_t part, Run run) {
    Task task;
    task.local = std::make_unique<LocalTaskOf<Run>>(call, part, std::move(run));
    task.call = std::move(call);
    task.part = part;
    return task;
}

// For threads: anything that can be called.
struct InThreads {
    template <typename R>
    [[noreturn]] static Stored<R> decode(Reader&) { throw_not_encoded(); }
    template <typename R>
    [[noreturn]] static Stored<R> outcome(Reader&) { throw_not_encoded(); }

    template <typename R, typename CallType, typename F, typename... Arguments>
    static Task apply(std::shared_ptr<CallType> call, F function, std::tuple<Arguments...> arguments) {
        auto run = [call = call.get(), function = std::move(function), arguments = std::move(arguments)]() mutable {
            call->put(stored_result([&] { return std::apply(function, std::move(arguments)); }));
        };
        return local_task(std::move(call), 0, std::move(run));
    }
    template <typename R, typename With, typename CallType, typename F, typename Item>
    static Task chunk(std::shared_ptr<CallType> call, std::size_t part, const F& function, std::vector<Item> items) {
        auto run = [call = call.get(), part, function = F(function), items = std::move(items)]() mutable {
            call->put(part, [&](std::size_t i) {
                return stored_result([&]() -> R { return With::call(function, std::move(items[i])); });
            });
        };
        return local_task(std::move(call), part, std::move(run));
    }
};

// For processes: what can travel.
struct InProcesses {
    template <typename R>
    static Stored<R> decode(Reader& in) { return codec<Stored<R>>::decode(in); }
    template <typename R>
    static Stored<R> outcome(Reader& in) {
        in.begin_array_of(2);
        if (!in.boolean()) throw_error_of(in);
        Stored<R> value = decode<R>(in);
        in.end();
        return value;
    }

    template <typename R, typename CallType, typename F, typename... Arguments>
    static Task apply(std::shared_ptr<CallType> call, const F& function, std::tuple<Arguments...> arguments) {
        check_travels<F, R, Arguments...>();
        Task task;
        Writer body;
        body.begin_array(1 + sizeof...(Arguments));
        write_callable(body, function);
        std::apply([&](const Arguments&... each) { (codec<Arguments>::encode(body, each), ...); }, arguments);
        task.body.assign(body.bytes().begin(), body.bytes().end());
        if constexpr (!(is_plain<Arguments> && ...))
            task.kept = std::make_shared<std::tuple<Arguments...>>(std::move(arguments));
        task.run = &run_apply<R, F, Arguments...>;
        task.call = std::move(call);
        return task;
    }
    template <typename R, typename With, typename CallType, typename F, typename Item>
    static Task chunk(std::shared_ptr<CallType> call, std::size_t part, const F& function, std::vector<Item> items) {
        check_travels<F, R, Item>();
        Task task;
        Writer body;
        body.begin_array(2);
        write_callable(body, function);
        body.begin_array(items.size());
        for (const Item& item : items) codec<Item>::encode(body, item);
        task.body.assign(body.bytes().begin(), body.bytes().end());
        if constexpr (!is_plain<Item>) task.kept = std::make_shared<std::vector<Item>>(std::move(items));
        task.run = &run_chunk<R, With, F, Item>;
        task.call = std::move(call);
        task.part = part;
        return task;
    }
};

// A call's parts, all at once; a call without any is over.
template <typename Backend, typename R, typename With, typename CallType, typename F, typename Item>
void submit_chunks(PoolCore& core, const char* operation, const std::shared_ptr<CallType>& call, const F& function,
                   std::vector<Item> items, Chunks chunks) {
    std::vector<Task> tasks;
    tasks.reserve(chunks.parts());
    for (std::size_t part = 0; part < chunks.parts(); ++part) {
        const auto first = std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(chunks.begin(part)));
        std::vector<Item> some(first, first + static_cast<std::ptrdiff_t>(chunks.length(part)));
        tasks.push_back(Backend::template chunk<R, With>(call, part, function, std::move(some)));
    }
    core.submit(operation, std::move(tasks));
    if (chunks.parts() == 0) call->finish();
}

}  // namespace muster::detail

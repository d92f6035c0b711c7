#include "pool/worker.hpp"

#include <chrono>
#include <thread>

#include <muster/detail/call.hpp>

namespace muster::pool {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using muster::detail::Encoded;

constexpr auto pause_without_memory = 10ms;
constexpr int tries_without_memory = 500;

void begin_message(Writer& out, Message kind, std::uint32_t item, std::size_t place) {
    out.clear();
    out.begin_array(4);
    out.integer(static_cast<std::uint8_t>(kind));
    out.integer(item);
    out.integer(place);
}
// Of the exception that is being handled.
void write_error_message(Writer& out, Message kind, std::uint32_t item, std::size_t place) {
    begin_message(out, kind, item, place);
    muster::detail::write_current_error(out);
}

class Working {
  public:
    explicit Working(WorkerTask& task) : task_(task), place_(*task.place) {}

    // Takes an item and does what there is to do; gives the number of its tasks that were run. Throws closed.
    unsigned run_item() {
        auto lease = task_.tasks.lease(item_);
        const Encoded bytes = item_.bytes();
        Reader in(bytes, Reader::Of::value, bytes.origin);
        const std::size_t count = in.begin_array() - 1;
        const auto number = in.integer<std::uint32_t>();
        if (lease.deliveries() > 1) {  // what becomes of it the parent knows
            begin_message(out_, Message::returned, number, 0);
            out_.nil();
            task_.results.put(out_.bytes());
            lease.ack();
            return 0;
        }
        const auto begin = Clock::now();
        place_.claim.store(Claim{number, 0, static_cast<std::uint16_t>(count)}.packed(), std::memory_order_release);
        unsigned done = 0;
        for (std::size_t at = 0; place_.advance(at); ++done) {
            if (count == 1) {
                run(in, number, at);
            } else {
                Reader one(in.raw(), Reader::Of::value, bytes.origin);
                run(one, number, at);
            }
        }
        lease.ack();
        const auto spent = std::chrono::nanoseconds(Clock::now() - begin).count();
        place_.busy_ns.fetch_add(static_cast<std::uint64_t>(spent), std::memory_order_relaxed);
        place_.tasks.fetch_add(done, std::memory_order_relaxed);
        place_.claim.store(0, std::memory_order_release);
        return done;
    }

  private:
    void run(Reader& in, std::uint32_t item, std::size_t at) {
        muster::detail::AtWork work(&place_.thing);
        work.at(0);
        try {
            in.begin_array_of(2);
            const auto function = reinterpret_cast<muster::detail::RunTask>(in.integer<std::uintptr_t>());
            begin_message(out_, Message::outcome, item, at);
            function(in, out_, work);
            in.end();
            out_.end();
        } catch (...) {
            write_error_message(out_, Message::error, item, at);
        }
        send(item, at);
    }

    // What does not go into the queue is told.
    void send(std::uint32_t item, std::size_t at) {
        for (int tries = 0;; ++tries) {
            try {
                return task_.results.put(out_.bytes());
            } catch (const Error& error) {
                if (error.errc() == Errc::closed || tries == tries_without_memory) throw;
                if (tries != 0 && error.errc() != Errc::out_of_memory) throw;
                if (tries == 0) write_error_message(out_, Message::error, item, at);
            }
            if (tries != 0) std::this_thread::sleep_for(pause_without_memory);
        }
    }

    WorkerTask& task_;
    Place& place_;
    muster::detail::Buffer item_;
    Writer out_;
};

bool initialize(const WorkerTask& task) {
    try {
        if (task.initializer) task.initializer();
        return true;
    } catch (...) {
        Writer out;
        write_error_message(out, Message::not_ready, 0, 0);
        Lane(task.results).put(out.bytes());
        return false;
    }
}

}  // namespace

int work(WorkerTask& task) {
    if (!initialize(task)) return EXIT_FAILURE;
    task.place->ready.store(1, std::memory_order_release);
    Working working(task);
    try {
        for (unsigned done = 0; !task.most_tasks || done < *task.most_tasks;) done += working.run_item();
    } catch (const Error& error) {  // the pool's end, or the realm's; tasks' errors do not come here
        if (error.errc() != Errc::closed && error.errc() != Errc::destroyed) throw;
    }
    return EXIT_SUCCESS;
}

}  // namespace muster::pool

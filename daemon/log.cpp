#include "log.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "base/base.hpp"
#include "printable.hpp"

namespace muster {
namespace {

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        // The first line that finds no room waits a little; then lines are dropped until there is room again.
        pollfd room{STDERR_FILENO, POLLOUT, 0};
        if (::poll(&room, 1, dropped_ == 0 ? 200 : 0) != 1 || (room.revents & POLLOUT) == 0) {
            ++dropped_;
            return;
        }
        if (dropped_ > 0) {
            const std::string note = "musterd: " + std::to_string(dropped_) + " lines of log were dropped\n";
            dropped_ = 0;
            write(note.data(), note.size());
        }
        write(line.data(), line.size());
    }
    void flush_() override {}

  private:
    static void write(const char* bytes, std::size_t size) {
        [[maybe_unused]] const auto written =
            base::retry_interrupted([&] { return ::write(STDERR_FILENO, bytes, size); });
    }
    std::size_t dropped_ = 0;
};

// "warning: " and "error: ", nothing for the everyday.
class Severity final : public spdlog::custom_flag_formatter {
  public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        const std::string_view text = message.level >= spdlog::level::err    ? "error: "
                                      : message.level == spdlog::level::warn ? "warning: "
                                                                             : "";
        out.append(text.data(), text.data() + text.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Severity>(); }
};

// The journal's "<N>".
class Priority final : public spdlog::custom_flag_formatter {
  public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        const char digit = message.level >= spdlog::level::critical ? '2'
                           : message.level == spdlog::level::err    ? '3'
                           : message.level == spdlog::level::warn   ? '4'
                           : message.level == spdlog::level::info   ? '6'
                                                                    : '7';
        for (const char c : {'<', digit, '>'}) out.push_back(c);
    }
    std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Priority>(); }
};

// The text: one line, whatever names and words of clients are in it.
class Text final : public spdlog::custom_flag_formatter {
  public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        append_printable(out, {message.payload.data(), message.payload.size()});
    }
    std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Text>(); }
};

}  // namespace

bool is_journal(int fd) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat info {};
    if (!stream || ::fstat(fd, &info) != 0) return false;
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

void set_up_log(const std::string& level) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<Severity>('*').add_flag<Priority>('&').add_flag<Text>('v');
    formatter->set_pattern(is_journal(STDERR_FILENO) ? "%&%v" : "%H:%M:%S.%e musterd: %*%v");
    auto sink = std::make_shared<StderrSink>();
    sink->set_formatter(std::move(formatter));
    auto logger = std::make_shared<spdlog::logger>("musterd", std::move(sink));
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace muster

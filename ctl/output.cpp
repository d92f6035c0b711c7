#include "ctl/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/base.hpp"

namespace muster::ctl {
namespace {

const char* code_of(Style style) noexcept {
    switch (style) {
        case Style::plain:
            return "";
        case Style::strong:
            return "\x1b[1m";
        case Style::dim:
            return "\x1b[2m";
        case Style::good:
            return "\x1b[32m";
        case Style::bad:
            return "\x1b[31m";
        case Style::busy:
            return "\x1b[33m";
    }
    return "";
}

std::string dress(std::string_view text, Style style, bool colour) {
    if (!colour || style == Style::plain) return std::string(text);
    return code_of(style) + std::string(text) + "\x1b[0m";
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Columns on the screen, taking each code point for one.
std::size_t width_of(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool terminal_with_colour() noexcept {
    const char* term = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
           std::string_view(term) != "dumb";
}

}  // namespace

void Table::add(std::vector<Cell> row) {
    MUSTER_CHECK(row.size() == columns_.size());
    for (auto& cell : row) cell.text = printable(cell.text);
    rows_.push_back(std::move(row));
}

std::string Table::text(bool colour) const {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        widths.push_back(width_of(columns_[c].title));
        for (const auto& row : rows_) widths[c] = std::max(widths[c], width_of(row[c].text));
    }
    std::string all;
    const auto put = [&](std::size_t c, std::string_view text, Style style) {
        const std::string gap(widths[c] - width_of(text), ' ');
        const bool last = c + 1 == columns_.size();
        if (c > 0) all += "  ";
        if (columns_[c].right) all += gap;
        all += dress(text, style, colour);
        if (!columns_[c].right && !last) all += gap;
        if (last) all += '\n';
    };
    for (std::size_t c = 0; c < columns_.size(); ++c) put(c, columns_[c].title, Style::strong);
    for (const auto& row : rows_)
        for (std::size_t c = 0; c < row.size(); ++c) put(c, row[c].text, row[c].style);
    return all;
}

Output::Output() : colour_(terminal_with_colour()) {}

void Output::line(std::string_view text) { write_all(STDOUT_FILENO, std::string(text) + "\n"); }

void Output::table(const Table& table) { write_all(STDOUT_FILENO, table.text(colour_)); }

void Output::json(const nlohmann::json& value) {
    const int indent = ::isatty(STDOUT_FILENO) == 1 ? 2 : -1;
    line(value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string Output::styled(std::string_view text, Style style) const { return dress(text, style, colour_); }

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EPIPE) {
            return;
        } else if (errno != EINTR) {
            base::throw_errno(errno, "print", "stdout", "write");
        }
    }
}

void complain(std::string_view text) noexcept {
    try {
        write_all(STDERR_FILENO, "musterctl: " + std::string(text) + "\n");
    } catch (const std::exception&) {
        return;  // nowhere left to say it
    }
}

std::string printable(std::string_view text) {
    std::string shown;
    for (const char c : text) {
        if (!is_control(c)) {
            shown += c;
            continue;
        }
        char escape[5];
        std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        shown += escape;
    }
    return shown;
}

std::string one_line(std::string_view text) {
    std::string line(text);
    std::replace_if(line.begin(), line.end(), is_control, ' ');
    return line;
}

}  // namespace muster::ctl

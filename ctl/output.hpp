// What musterctl prints: results on stdout, one line per error on stderr. Thread safety: complain() from any
// thread, the rest from one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace muster::ctl {

enum class Style { plain, strong, dim, good, bad, busy };

struct Cell {
    Cell(std::string content, Style look = Style::plain) : text(std::move(content)), style(look) {}
    Cell(const char* content, Style look = Style::plain) : text(content), style(look) {}
    std::string text;
    Style style;
};

// Columns as wide as their widest cell. Control characters in cells are shown as \xNN.
class Table {
  public:
    struct Column {
        std::string title;
        bool right = false;
    };
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<Cell> row);  // as many cells as columns
    std::string text(bool colour) const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

// stdout: colour and indented JSON on a terminal (unless NO_COLOR is set or TERM is dumb), bare and compact
// elsewhere.
class Output {
  public:
    Output();
    void line(std::string_view text);  // as it is, with a newline
    void table(const Table& table);
    void json(const nlohmann::json& value);
    std::string styled(std::string_view text, Style style) const;

  private:
    bool colour_;
};

// Writes all of it. A reader that has gone away (EPIPE) is no error: the rest is dropped. Throws
// Error(system) else.
void write_all(int fd, std::string_view text);
// "musterctl: TEXT" on stderr, in one write.
void complain(std::string_view text) noexcept;
// Control characters as \xNN, so that no name steers the terminal.
std::string printable(std::string_view text);
// Line ends and the like as spaces.
std::string one_line(std::string_view text);

}  // namespace muster::ctl

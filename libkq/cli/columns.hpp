// SPDX-License-Identifier: Apache-2.0
//
// What a verb prints: a schema of named columns, and rows of cells. The same rows go to people
// (text, wide), awk (tsv), programs (json, jsonl) and templates; see cli/row_printer.hpp.
//
// units    cells hold base units: bytes, milliseconds (since 1970 for an instant), counts
// source   kq-formats(7), "Results"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kq {

struct Cell;
using CellList = std::vector<Cell>;
using CellMap = std::vector<std::pair<std::string, Cell>>;

// A value of a row. Nothing (monostate) is unknown: null in JSON, "-" elsewhere.
struct Cell {
    std::variant<std::monostate, bool, std::int64_t, std::string, CellList, CellMap> value;

    Cell() = default;
    Cell(bool v) : value(v) {}
    Cell(int v) : value(std::int64_t{v}) {}
    Cell(std::int64_t v) : value(v) {}
    Cell(std::string v) : value(std::move(v)) {}
    Cell(std::string_view v) : value(std::string(v)) {}
    Cell(const char* v) : value(std::string(v)) {}
    Cell(CellList v) : value(std::move(v)) {}
    Cell(CellMap v) : value(std::move(v)) {}

    bool is_unknown() const { return std::holds_alternative<std::monostate>(value); }
    friend bool operator==(const Cell&, const Cell&) = default;
};

using Row = std::vector<Cell>;  // one cell a column, in the order of the schema

enum class ColumnKind : std::uint8_t {
    text,      // left-aligned
    count,     // right-aligned
    bytes,     // right-aligned; `text` on a terminal may write 12.0MiB
    duration,  // milliseconds
    instant,   // milliseconds since 1970
    list,      // commas between the elements
    map,       // key=value pairs, commas between them
};

struct Column {
    std::string name;  // in JSON and templates; upper case in headings
    ColumnKind kind = ColumnKind::text;
    std::string sentence;
    bool wide_only = false;  // not shown by `text`
};

struct Schema {
    std::string name;  // "kq.topics.list/1"
    std::vector<Column> columns;
};

}  // namespace kq

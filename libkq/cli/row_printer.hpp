// SPDX-License-Identifier: Apache-2.0
//
// RowPrinter: the rows of a verb in the format that was asked for: text and wide (aligned, for
// people), tsv, json (one document), jsonl, or a template with %{column}.
//
// shape    create(), add() each row in the order it is to appear, fail() each item that failed,
//          finish(); text, wide and json are written by finish(), the others row by row. For
//          people several tables may follow one another, each ended by finish()
// errors   usage: a format, column or template that does not exist, with the nearest name
// source   kq-formats(7), "Results"
#pragma once

#include <string>
#include <vector>

#include "cli/columns.hpp"
#include "cli/console.hpp"
#include "cli/formats.hpp"
#include "cli/options.hpp"

namespace kq {

struct RowOptions {
    std::vector<std::string> columns;  // --columns: these, in this order
    bool header = false;               // --header: tsv begins with the names
    bool raw_units = false;            // --raw-units: bytes as a number on a terminal too
};
std::vector<Option> row_options(RowOptions& options);

class RowPrinter {
public:
    static Result<RowPrinter> create(Console& console, const Schema& schema, const Setting& format,
                                     const RowOptions& options);

    // Whether a person reads it: then a verb that changes things says so in a sentence instead.
    bool for_people() const { return form_ == Form::text || form_ == Form::wide; }

    // Requires: one cell for each column of the schema.
    void add(Row row);
    // Reports an item that failed, on standard error, and in the `errors` of a json document.
    // Answers the exit status of the problem.
    int fail(const Problem& problem);
    void finish();

private:
    enum class Form : std::uint8_t { text, wide, tsv, json, jsonl, templated };
    // Of a template: a literal, or a column.
    struct Piece {
        std::string literal;
        int column = -1;
    };

    RowPrinter(Console& console, const Schema& schema) : console_(&console), schema_(schema) {}
    Status choose_columns(const RowOptions& options);
    Status parse_template(std::string_view text);
    Result<int> find_column(std::string_view name) const;
    std::string text_of(const Cell& cell, const Column& column) const;
    void print_table();
    void print_tsv(const Row& row);
    void print_template(const Row& row);
    void append_item(Bytes& out, const Row& row) const;

    Console* console_;
    Schema schema_;
    Form form_ = Form::text;
    std::vector<std::size_t> shown_;  // columns, in order
    std::vector<Piece> pieces_;
    bool friendly_ = false;  // 12.0MiB instead of 12582912
    std::vector<Row> rows_;
    std::vector<std::string> errors_;  // as JSON
};

// The sort order of problems does not matter; their exit status does: the one they share, or
// exit_partial when they differ or something worked.
int exit_of_items(const std::vector<int>& exits);

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "cli/row_printer.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/config_value.hpp"
#include "cli/instants.hpp"
#include "cli/json_text.hpp"
#include "cli/record_template.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

// Elements and pairs with commas between them, as tsv and text write them.
std::string plain_text(const Cell& cell) {
    struct Writer {
        std::string operator()(std::monostate) const { return "-"; }
        std::string operator()(bool yes) const { return yes ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(const CellList& list) const {
            std::string out;
            for (const Cell& one : list)
                out += (out.empty() ? "" : ",") + plain_text(one);
            return out.empty() ? "-" : out;
        }
        std::string operator()(const CellMap& map) const {
            std::string out;
            for (const auto& [name, value] : map) {
                out += (out.empty() ? "" : ",") + name + "=" + plain_text(value);
            }
            return out.empty() ? "-" : out;
        }
    };
    return std::visit(Writer{}, cell.value);
}

std::string tsv_text(const std::string& text) {
    std::string out;
    for (char c : text) {
        if (c == '\t') {
            out += "\\t";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\\') {
            out += "\\\\";
        } else {
            out += c;
        }
    }
    return out;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '_' ? '-' : c;
    });
    return text;
}

bool aligns_right(ColumnKind kind) {
    return kind == ColumnKind::count || kind == ColumnKind::bytes || kind == ColumnKind::duration;
}

constexpr std::string_view bold = "\x1b[1m";
constexpr std::string_view plain_again = "\x1b[0m";

}  // namespace

std::vector<Option> row_options(RowOptions& options) {
    return {
        {"--columns", "NAME,...", "print these columns, in this order", into_list(options.columns)},
        {"--header", "", "begin tsv with the names of the columns", into(options.header)},
        {"--raw-units", "", "print bytes and milliseconds as numbers on a terminal too",
         into(options.raw_units)}};
}

Result<RowPrinter> RowPrinter::create(Console& console, const Schema& schema, const Setting& format,
                                      const RowOptions& options) {
    RowPrinter printer(console, schema);
    constexpr std::array<Form, row_formats.size()> forms = {Form::text, Form::wide, Form::tsv,
                                                            Form::json, Form::jsonl};
    auto found = std::find(row_formats.begin(), row_formats.end(), format.value);
    if (format.value.find('%') != std::string::npos) {
        printer.form_ = Form::templated;
        auto parsed = printer.parse_template(format.value);
        if (!parsed.ok()) return wrong_format(format, parsed.error());
    } else if (found != row_formats.end()) {
        printer.form_ = forms[static_cast<std::size_t>(found - row_formats.begin())];
    } else {
        return no_such_format(format, row_formats);
    }
    if (options.header && !printer.for_people() && printer.form_ != Form::tsv) {
        if (format.origin == "--format") {
            return Error{Errc::usage, "--header goes with '-f tsv', not with " +
                                          in_quotes("-f " + format.value)};
        }
        printer.form_ = Form::tsv;  // an option counts before a variable or a file
    }
    KQ_TRY(printer.choose_columns(options));
    printer.friendly_ =
        printer.for_people() && !options.raw_units && console.process().is_terminal(Stream::out);
    if (printer.form_ == Form::tsv && options.header) {
        Row names_row;
        for (const Column& column : schema.columns)
            names_row.emplace_back(column.name);
        printer.print_tsv(names_row);
    }
    return printer;
}

Result<int> RowPrinter::find_column(std::string_view name) const {
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
        names.push_back(schema_.columns[i].name);
        if (names.back() == name) return static_cast<int>(i);
    }
    std::string message = "no column " + in_quotes(name) + "; there are";
    for (auto each : names)
        message += (each == names.front() ? " " : ", ") + std::string(each);
    auto nearest = nearest_word(name, names);
    if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
    return Error{Errc::usage, message};
}

Status RowPrinter::choose_columns(const RowOptions& options) {
    for (const std::string& name : options.columns) {
        KQ_LET(auto index, find_column(name));
        shown_.push_back(static_cast<std::size_t>(index));
    }
    if (!shown_.empty()) return done();
    for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
        if (form_ != Form::text || !schema_.columns[i].wide_only) shown_.push_back(i);
    }
    return done();
}

Status RowPrinter::parse_template(std::string_view text) {
    while (!text.empty()) {
        if (text.starts_with("%{")) {
            auto end = text.find('}');
            if (end == std::string_view::npos) {
                return Error{Errc::usage, "template: '%{' without its '}'"};
            }
            KQ_LET(auto column, find_column(text.substr(2, end - 2)));
            pieces_.push_back({{}, column});
            text.remove_prefix(end + 1);
        } else if (text.starts_with("%%")) {
            pieces_.push_back({"%", -1});
            text.remove_prefix(2);
        } else if (text.front() == '%') {
            return Error{Errc::usage, "template: " + in_quotes(text.substr(0, 2)) +
                                          " is no field; columns are written %{name}"};
        } else {
            auto end = std::min(text.size(), text.find('%'));
            KQ_LET(auto literal, unescape(text.substr(0, end)));
            pieces_.push_back({std::move(literal), -1});
            text.remove_prefix(end);
        }
    }
    return done();
}

void RowPrinter::add(Row row) {
    KQ_CHECK(row.size() == schema_.columns.size());
    switch (form_) {
        case Form::text:
        case Form::wide:
        case Form::json:
            rows_.push_back(std::move(row));
            break;
        case Form::tsv:
            print_tsv(row);
            break;
        case Form::jsonl:
            append_item(console_->buffer(), row);
            console_->buffer().push_back('\n');
            break;
        case Form::templated:
            print_template(row);
            break;
    }
}

int RowPrinter::fail(const Problem& problem) {
    if (form_ == Form::json) errors_.push_back(problem_json(problem));
    return console_->fail(problem);
}

void RowPrinter::append_item(Bytes& out, const Row& row) const {
    out.push_back('{');
    for (std::size_t i = 0; i < shown_.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_json_string(out, as_bytes(schema_.columns[shown_[i]].name));
        out.push_back(':');
        append_json(out, row[shown_[i]]);
    }
    out.push_back('}');
}

void RowPrinter::finish() {
    if (for_people()) {
        print_table();
        rows_.clear();  // what comes next is a table of its own
    }
    if (form_ != Form::json) return;
    Bytes& out = console_->buffer();
    append_text(out, "{\"schema\":" + json_string(schema_.name) + ",\"items\":[");
    for (const Row& row : rows_) {
        if (&row != &rows_.front()) out.push_back(',');
        append_item(out, row);
    }
    append_text(out, "],\"errors\":[");
    for (const std::string& error : errors_) {
        // {"error":{...}}\n: the inner object is what stands in the list.
        constexpr std::string_view opening = "{\"error\":";
        if (&error != &errors_.front()) out.push_back(',');
        append_text(
            out, std::string_view(error).substr(opening.size(), error.size() - opening.size() - 2));
    }
    append_text(out, "]}\n");
}

std::string RowPrinter::text_of(const Cell& cell, const Column& column) const {
    if (const auto* yes = std::get_if<bool>(&cell.value)) return *yes ? "yes" : "no";
    if (const auto* number = std::get_if<std::int64_t>(&cell.value); number && friendly_) {
        if (column.kind == ColumnKind::bytes) return human_bytes(*number);
        if (column.kind == ColumnKind::duration && *number >= 0) {
            return human_duration(Millis(*number));
        }
        if (column.kind == ColumnKind::instant) {
            Bytes out;
            append_rfc3339(out, wall_time(*number), Zone::local);
            return std::string(as_text(out));
        }
    }
    return visible(plain_text(cell));
}

void RowPrinter::print_table() {
    if (rows_.empty()) return;
    std::vector<std::vector<std::string>> lines(1);
    for (std::size_t index : shown_)
        lines[0].push_back(upper(schema_.columns[index].name));
    for (const Row& row : rows_) {
        auto& line = lines.emplace_back();
        for (std::size_t index : shown_) {
            line.push_back(text_of(row[index], schema_.columns[index]));
        }
    }
    std::vector<std::size_t> widths(shown_.size(), 0);
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            widths[i] = std::max(widths[i], columns_of(line[i]));
        }
    }
    const bool color = console_->color_on(Stream::out);
    Bytes& out = console_->buffer();
    for (const auto& line : lines) {
        const bool heading = color && &line == &lines.front();
        if (heading) append_text(out, bold);
        for (std::size_t i = 0; i < line.size(); ++i) {
            const std::string padding(widths[i] - columns_of(line[i]), ' ');
            const bool right = aligns_right(schema_.columns[shown_[i]].kind);
            if (i > 0) append_text(out, "  ");
            if (right) append_text(out, padding);
            append_text(out, line[i]);
            if (!right && i + 1 < line.size()) append_text(out, padding);
        }
        if (heading) append_text(out, plain_again);
        out.push_back('\n');
    }
}

void RowPrinter::print_tsv(const Row& row) {
    Bytes& out = console_->buffer();
    for (std::size_t i = 0; i < shown_.size(); ++i) {
        if (i > 0) out.push_back('\t');
        append_text(out, tsv_text(plain_text(row[shown_[i]])));
    }
    out.push_back('\n');
}

void RowPrinter::print_template(const Row& row) {
    Bytes& out = console_->buffer();
    for (const Piece& piece : pieces_) {
        append_text(out, piece.column < 0
                             ? piece.literal
                             : plain_text(row[static_cast<std::size_t>(piece.column)]));
    }
}

int exit_of_items(const std::vector<int>& exits) {
    if (exits.empty()) return exit_ok;
    const bool alike =
        std::adjacent_find(exits.begin(), exits.end(), std::not_equal_to<>()) == exits.end();
    return alike ? exits.front() : exit_partial;
}

}  // namespace kq

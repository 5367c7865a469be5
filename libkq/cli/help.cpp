// SPDX-License-Identifier: Apache-2.0
#include "cli/help.hpp"

#include <algorithm>

#include "cli/json_text.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

// Two columns: what one types, and what it means. Long words push the sentence to the next line.
constexpr std::size_t sentence_column = 34;

std::string line_of(const std::string& words, const std::string& sentence) {
    std::string line = "  " + words;
    if (sentence.empty()) return line + '\n';
    auto width = columns_of(line);
    if (width + 2 > sentence_column) {
        line += '\n';
        width = 0;
    }
    line.append(sentence_column - width, ' ');
    return line + sentence + '\n';
}

std::string words_of(const Option& option) {
    std::string words = option.names;
    if (auto comma = words.find(','); comma != std::string::npos) words.insert(comma + 1, " ");
    if (option.names.starts_with("--")) words.insert(0, "    ");  // under the other long names
    if (!option.value.empty()) words += ' ' + option.value;
    return words;
}

void add_options(std::string& out, std::string_view title, const std::vector<Option>& options) {
    if (options.empty()) return;
    out += '\n' + std::string(title) + ":\n";
    for (const Option& option : options) {
        std::string sentence = option.sentence;
        if (!option.default_text.empty()) sentence += " (default " + option.default_text + ")";
        out += line_of(words_of(option), sentence);
    }
}

void add_examples(std::string& out, const std::vector<Example>& examples) {
    if (examples.empty()) return;
    out += "\nExamples:\n";
    for (const Example& example : examples) {
        if (!example.sentence.empty()) out += "  # " + example.sentence + '\n';
        out += "  " + example.command + '\n';
    }
}

std::string operand_words(const Operand& operand) {
    std::string words = operand.name;
    if (operand.max > 1) words += "...";
    return operand.min == 0 ? "[" + words + "]" : words;
}

constexpr std::string_view kind_name(ColumnKind kind) {
    switch (kind) {
        case ColumnKind::text:
            return "text";
        case ColumnKind::count:
            return "number";
        case ColumnKind::bytes:
            return "bytes";
        case ColumnKind::duration:
            return "milliseconds";
        case ColumnKind::instant:
            return "milliseconds since 1970";
        case ColumnKind::list:
            return "list";
        case ColumnKind::map:
            return "map";
    }
    return "text";
}

std::vector<Option> joined(const std::vector<Option>& a, const std::vector<Option>& b) {
    std::vector<Option> all = a;
    all.insert(all.end(), b.begin(), b.end());
    return all;
}

}  // namespace

std::vector<Option> always_options() {
    return {{"-h,--help", "", "print this, examples first", {}},
            {"--version", "", "print one line", {}},
            {"--schema", "", "describe the columns of the output, without a network", {}}};
}

std::string usage_line(const Command& command, const Verb& verb) {
    std::string line = command.name;
    if (!verb.name.empty()) line += ' ' + verb.name;
    std::string operands;
    for (const Operand& operand : verb.operands)
        operands += ' ' + operand_words(operand);
    // Options of a command that follows are its own: ours stand before the "--".
    if (verb.is_followed_by_command()) return line + " [OPTION...] --" + operands;
    return line + operands + " [OPTION...]";
}

std::string short_help_text(const Command& command) {
    std::string out;
    if (command.verbs.empty()) {
        out = "usage: " + usage_line(command, command.bare) + '\n';
    } else {
        out = "usage: " + command.name + " VERB [OPERAND...] [OPTION...]\n";
        for (const Verb& verb : command.verbs)
            out += line_of(verb.name, verb.sentence);
    }
    return out + command.name + " --help begins with examples\n";
}

std::string help_text(const Command& command, const Verb* verb) {
    if (verb == nullptr && command.verbs.empty()) verb = &command.bare;
    const bool whole = verb == nullptr || verb == &command.bare;
    std::string title = command.name;
    if (!whole) title += ' ' + verb->name;
    std::string out = title + ": " + (whole ? command.sentence : verb->sentence) + '\n';
    add_examples(out, whole ? command.examples : verb->examples);
    out += "\nUsage:\n";
    const bool has_bare = command.verbs.empty() || command.bare.run != nullptr;
    if (has_bare && whole) out += "  " + usage_line(command, command.bare) + '\n';
    if (whole && !command.verbs.empty()) {
        for (const Verb& each : command.verbs) {
            out += line_of(usage_line(command, each), each.sentence);
        }
    } else if (!whole) {
        out += "  " + usage_line(command, *verb) + '\n';
    }
    if (verb != nullptr && !verb->operands.empty()) {
        out += "\nOperands:\n";
        for (const Operand& operand : verb->operands) {
            out += line_of(operand_words(operand), operand.sentence);
        }
    }
    if (whole && command.bare.run != nullptr && verb == nullptr) verb = &command.bare;
    if (verb != nullptr) add_options(out, "Options", verb->options);
    add_options(out, command.verbs.empty() ? "Common options" : "Options of every verb",
                joined(command.options, always_options()));
    return out + "\nManual: " + command.manual + '\n';
}

std::string schema_text(const Command& command, const Verb& verb, bool json) {
    if (json) {
        CellList columns;
        for (const Column& column : verb.schema.columns) {
            columns.emplace_back(CellMap{{"name", column.name},
                                         {"kind", kind_name(column.kind)},
                                         {"meaning", column.sentence}});
        }
        Bytes out;
        append_json(out, Cell(CellMap{{"schema", verb.schema.name}, {"columns", columns}}));
        out.push_back('\n');
        return std::string(as_text(out));
    }
    if (verb.schema.columns.empty()) {
        std::string name = verb.name.empty() ? command.name : command.name + ' ' + verb.name;
        return name + " prints no rows\n";
    }
    std::string out = "# " + verb.schema.name + '\n';
    for (const Column& column : verb.schema.columns) {
        out += column.name + '\t' + std::string(kind_name(column.kind)) + '\t' + column.sentence +
               '\n';
    }
    return out;
}

std::string schemas_text(const Command& command, bool json) {
    std::string out;
    for (const Verb& verb : command.verbs) {
        if (verb.schema.columns.empty()) continue;
        if (!out.empty() && !json) out += '\n';
        out += schema_text(command, verb, json);
    }
    return out;
}

}  // namespace kq

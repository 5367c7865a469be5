// SPDX-License-Identifier: Apache-2.0
//
// kq: `kq topics list` is `kq-topics list`; explains errors and settings. See kq(1).
#include <algorithm>
#include <array>

#include "base/config_value.hpp"
#include "base/posix_process.hpp"
#include "cli/console.hpp"
#include "cli/explain.hpp"
#include "cli/help.hpp"
#include "cli/options.hpp"
#include "cli/row_printer.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

struct Tool {
    std::string_view name;
    std::string_view sentence;
};
constexpr std::array<Tool, 4> tools = {{{"broker", "run a broker"},
                                        {"topics", "list, describe, create and delete topics"},
                                        {"produce", "send lines, files and records to a topic"},
                                        {"consume", "print the records of topics"}}};

bool is_tool(std::string_view name) {
    return std::any_of(tools.begin(), tools.end(),
                       [name](const Tool& tool) { return tool.name == name; });
}

// Becomes kq-NAME, which stands where we stand.
int become(Process& process, Console& console, std::string_view name,
           std::vector<std::string> words) {
    auto failed = process.replace_by(process.program_directory() + "/kq-" + std::string(name),
                                     std::move(words));
    return console.fail("cannot run kq-" + std::string(name), failed);
}

struct Words {
    std::vector<std::string> what;
    std::optional<std::string> format;
    RowOptions rows;
};

Command table(Words& words) {
    Command command{"kq", "run the programs of kq; explain errors and settings", "kq(1)"};
    for (const Tool& tool : tools) {
        command.verbs.push_back({std::string(tool.name), std::string(tool.sentence)});
    }
    command.verbs.push_back({"explain", "what an error code or a setting means, offline"});
    command.verbs.back().operands = {
        {"WHAT", "a code, its number, or the name of a setting", into(words.what)}};
    command.verbs.back().options = {{"-f,--format", "FORMAT",
                                     "text, tsv, json, jsonl, or a template with %{column}",
                                     into(words.format), "text"}};
    for (Option& option : row_options(words.rows)) {
        command.verbs.back().options.push_back(std::move(option));
    }
    command.verbs.back().schema = explain_schema();
    command.verbs.back().examples = {{"kq explain NOT_ENOUGH_REPLICAS", "why, and what helps"},
                                     {"kq explain retention.ms", "what a setting takes"},
                                     {"kq explain 5 -f json", "for a program"}};
    command.verbs.push_back({"help", "help of kq, or of one of its programs"});
    command.verbs.back().operands = {{"PROGRAM", "topics, produce, ...", into(words.what), 0, 1}};
    command.examples = {{"kq topics list", "the same as kq-topics list"},
                        {"kq help produce", "the same as kq-produce --help"},
                        {"kq explain UNKNOWN_TOPIC_OR_PARTITION", "why, and what helps"}};
    return command;
}

int help(Process& process, Console& console, const Command& command,
         const std::vector<std::string>& what) {
    if (what.empty() || what.front() == "help" || what.front() == "explain") {
        [[maybe_unused]] auto written = console.write(help_text(command, nullptr));
        return console.finish(exit_ok);
    }
    if (is_tool(what.front())) return become(process, console, what.front(), {"--help"});
    std::vector<std::string_view> names;
    for (const Tool& tool : tools)
        names.push_back(tool.name);
    auto nearest = nearest_word(what.front(), names);
    std::string message = "there is no program " + in_quotes(what.front());
    Problem problem{{}, Error{Errc::usage, message}};
    problem.tries = {nearest.empty() ? "kq help" : "kq help " + std::string(nearest)};
    return console.fail(problem);
}

int explain_to(Console& console, const Words& words) {
    auto format = choose_format(FormatFamily::rows, words.format, console.process());
    if (!format.ok()) return console.fail("", format.error());
    console.set_json_errors(is_json(format.value()));
    auto rows = RowPrinter::create(console, explain_schema(), format.value(), words.rows);
    if (!rows.ok()) return console.fail("", rows.error());
    auto explanations = explain(words.what.front());
    if (!explanations.ok()) {
        return console.fail("", Error{Errc::usage, explanations.error().message});
    }
    // Sentences want lines of their own, not columns, unless somebody chose some.
    const bool as_text = rows.value().for_people() && words.rows.columns.empty();
    std::string text;
    for (const Explanation& one : explanations.value()) {
        if (as_text) {
            text += (text.empty() ? "" : "\n") + text_of(one);
        } else {
            rows.value().add(row_of(one));
        }
    }
    [[maybe_unused]] auto written = console.write(text);
    if (!as_text) rows.value().finish();
    return console.finish(exit_ok);
}

int run(Process& process) {
    Console console(process, "kq");
    const auto& arguments = process.arguments();
    if (!arguments.empty() && is_tool(arguments.front())) {
        return become(process, console, arguments.front(),
                      {arguments.begin() + 1, arguments.end()});
    }
    Words words;
    const Command command = table(words);
    const Parsed parsed = parse(command, process);
    if (parsed.verb == nullptr) return parsed.exit;
    if (is_tool(parsed.verb->name)) {
        return console.fail("", Error{Errc::usage, "options of " + in_quotes(parsed.verb->name) +
                                                       " stand after it"});
    }
    if (parsed.verb->name == "help") return help(process, console, command, words.what);
    return explain_to(console, words);
}

}  // namespace
}  // namespace kq

int main(int argc, char** argv) {
    kq::PosixProcess process(argc, argv);
    return kq::run(process);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/console.hpp"

#include <chrono>

#include "cli/json_text.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

constexpr std::string_view bold_red = "\x1b[1;31m";
constexpr std::string_view plain = "\x1b[0m";
constexpr std::string_view erase_line = "\r\x1b[K";

constexpr std::chrono::milliseconds redraw_every{200};
constexpr std::chrono::seconds plain_line_every{10};

// What failed and why, without the tool's name and the code.
std::string message_of(const Problem& problem) {
    std::string why = problem.error.message.empty() ? std::string(sentence_of(problem.error.code))
                                                    : problem.error.message;
    return problem.what.empty() ? why : problem.what + ": " + why;
}

// A usage error needs no code in brackets: the exit status and the text say it.
bool has_worth_in_code(Errc code) {
    return code != Errc::usage && code != Errc::none;
}

}  // namespace

int exit_of(const Problem& problem) {
    return problem.exit >= 0 ? problem.exit : exit_of(problem.error.code);
}

std::string problem_text(std::string_view tool, const Problem& problem) {
    std::string out = std::string(tool) + ": " + visible(message_of(problem));
    const auto code = problem.error.code;
    if (has_worth_in_code(code)) out += " [" + std::string(name_of(code)) + "]";
    out += '\n';
    for (const std::string& line : problem.tries)
        out += "  try: " + line + '\n';
    if (has_worth_in_code(code)) out += "  see: kq explain " + std::string(name_of(code)) + '\n';
    return out;
}

std::string problem_json(const Problem& problem) {
    CellList tries;
    for (const std::string& line : problem.tries)
        tries.emplace_back(line);
    const auto code = problem.error.code;
    Cell target = problem.target.empty() ? Cell() : Cell(problem.target);
    Cell error(CellMap{{"error", CellMap{{"code", name_of(code)},
                                         {"number", static_cast<int>(code)},
                                         {"message", message_of(problem)},
                                         {"target", std::move(target)},
                                         {"retriable", is_retriable(code)},
                                         {"try", std::move(tries)},
                                         {"exit", exit_of(problem)}}}});
    Bytes out;
    append_json(out, error);
    out.push_back('\n');
    return std::string(as_text(out));
}

Console::Console(Process& process, std::string tool) : process_(process), tool_(std::move(tool)) {}

Console::~Console() {
    [[maybe_unused]] auto flushed = flush();  // who wants to know calls finish()
}

void Console::set_progress(When progress, bool plain_lines) {
    progress_on_ = progress == When::always ||
                   (progress == When::automatic && process_.is_terminal(Stream::err));
    progress_plain_ = plain_lines;
}

bool Console::color_on(Stream stream) const {
    if (color_ != When::automatic) return color_ == When::always;
    auto no_color = process_.variable("NO_COLOR");
    if (no_color && !no_color->empty()) return false;
    return process_.is_terminal(stream) && process_.variable("TERM") != "dumb";
}

Status Console::write(ByteView bytes) {
    append(out_, bytes);
    return drain();
}

Status Console::flush() {
    if (!output_error_ && !out_.empty()) {
        if (progress_stands_ && process_.is_terminal(Stream::out)) end_progress();
        auto written = process_.write(Stream::out, out_);
        if (!written.ok()) output_error_ = written.error();
    }
    out_.clear();
    if (output_error_) return *output_error_;
    return done();
}

void Console::say(std::string text) {
    // Results first: on a terminal both streams are one.
    [[maybe_unused]] auto flushed = flush();
    end_progress();
    [[maybe_unused]] auto written = process_.write(Stream::err, as_bytes(text));
}

void Console::note(std::string_view line) {
    if (!quiet_) say(std::string(line) + '\n');
}

void Console::tell(std::string_view line) {
    say(std::string(line) + '\n');
}

void Console::prompt(std::string_view text) {
    say(std::string(text));
}

void Console::warn(std::string_view line) {
    if (!quiet_) say(tool_ + ": warning: " + visible(line) + '\n');
}

void Console::progress(std::string_view line, MonoTime now, bool force) {
    if (force && !progress_on_) {
        say(std::string(line) + '\n');
        return;
    }
    if (!progress_on_ || (!force && now < next_progress_)) return;
    if (progress_plain_) {
        next_progress_ = now + plain_line_every;
        say(std::string(line) + '\n');
        return;
    }
    next_progress_ = now + redraw_every;
    auto columns = static_cast<std::size_t>(process_.terminal_columns());
    std::string text(erase_line);
    text += line.substr(0, columns > 1 ? columns - 1 : 1);
    progress_stands_ = true;
    [[maybe_unused]] auto written = process_.write(Stream::err, as_bytes(text));
}

void Console::end_progress() {
    if (!progress_stands_) return;
    progress_stands_ = false;
    [[maybe_unused]] auto written = process_.write(Stream::err, as_bytes(erase_line));
}

void Console::reader_is_gone() {
    output_error_ = Error{Errc::connection_closed, "nobody reads standard output"};
}

bool Console::is_output_error(const Error& error) const {
    return output_error_ && error.code == output_error_->code &&
           error.message == output_error_->message;
}

int Console::finish(int exit) {
    auto flushed = flush();
    end_progress();
    if (process_.signal() != 0) return exit_of_signal(process_.signal());
    if (flushed.ok() || output_error_told_) return exit;
    Problem problem{{}, flushed.error()};
    if (!change_.empty()) {
        problem.what = change_ + ", but it cannot be told";
        problem.exit = exit_partial;
    }
    return fail(problem);
}

int Console::fail(const Problem& problem) {
    auto flushed = flush();
    if (!flushed.ok() && flushed.code() == Errc::connection_closed) return exit_reader_gone;
    if (process_.signal() != 0 && problem.error.code == Errc::interrupted) {
        end_progress();
        return exit_of_signal(process_.signal());
    }
    output_error_told_ = output_error_told_ || (!flushed.ok() && is_output_error(problem.error));
    if (json_errors_) {
        say(problem_json(problem));
        return exit_of(problem);
    }
    std::string text = problem_text(tool_, problem);
    if (color_on(Stream::err)) {
        text.insert(tool_.size() + 1, plain);
        text.insert(0, bold_red);
    }
    say(std::move(text));
    return exit_of(problem);
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// Console: how a program talks. Results go to standard output through a large buffer; notes,
// warnings, progress and errors go to standard error, one line each, so that pipes stay clean.
//
// owner    the main thread
// errors   a reader that went away makes write() and flush() answer connection_closed: the program
//          ends with exit_reader_gone and no message (finish() and fail() see to it)
// source   kq(1), "Messages"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"
#include "cli/exit_codes.hpp"

namespace kq {

enum class When : std::uint8_t { automatic, always, never };

// What went wrong, in the words of the one who asked.
struct Problem {
    std::string what;  // "cannot create 'orders'"; "" when the error's message says it all
    Error error;
    std::string target = {};              // 'orders', for programs
    std::vector<std::string> tries = {};  // up to three command lines that can be pasted
    int exit = -1;                        // of the whole program; -1: as exit_of(error) says
};

// "kq-topics: cannot create 'orders': 3 replicas wanted, 1 broker is up [INVALID_...]", then the
// `try:` lines and `see: kq explain ...`, each with its newline.
std::string problem_text(std::string_view tool, const Problem& problem);
// {"error":{"code":...,"number":...,"message":...,"target":...,"retriable":...,"try":[...],"exit":4}}
std::string problem_json(const Problem& problem);
int exit_of(const Problem& problem);

class Console {
public:
    // `tool` is the name that opens every message.
    Console(Process& process, std::string tool);
    ~Console();  // flushes

    Process& process() { return process_; }
    const std::string& tool() const { return tool_; }

    // Settings, from the common options.
    void set_quiet(bool quiet) { quiet_ = quiet; }
    void set_json_errors(bool json) { json_errors_ = json; }
    void set_color(When color) { color_ = color; }
    void set_progress(When progress, bool plain_lines);
    bool quiet() const { return quiet_; }
    bool color_on(Stream stream) const;

    // Results. Bytes are kept until the buffer is full or flush().
    Status write(std::string_view text) { return write(as_bytes(text)); }
    Status write(ByteView bytes);
    Status flush();
    // The buffer itself, for those who format in place: append, then call drain(), which writes it
    // out when it has grown past its bound.
    Bytes& buffer() { return out_; }
    Status drain() { return out_.size() < flush_at_bytes ? done() : flush(); }

    void note(std::string_view line);  // unless --quiet
    void tell(std::string_view line);  // always: what a question is about
    void prompt(std::string_view text);
    void warn(std::string_view line);  // "TOOL: warning: ..."
    // One redrawn line on a terminal (or a line every 10 s with --progress plain); `now` drives it.
    bool progress_wanted() const { return progress_on_; }
    void progress(std::string_view line, MonoTime now, bool force = false);
    void end_progress();

    // "orders is made": output that cannot be written takes nothing of it back. finish() says so,
    // and answers exit_partial.
    void note_change(std::string what) { change_ = std::move(what); }

    // The end of the program: writes out what is left and answers the exit status, which is that
    // of the signal if one came, and exit_reader_gone if nobody took the output.
    int finish(int exit);
    // Nobody reads standard output any more, which was seen before anything was written to it.
    void reader_is_gone();
    // The write to standard output that failed, if one did: then it is what ended the program.
    const std::optional<Error>& output_error() const { return output_error_; }
    // Reports a problem and answers its exit status. Silent for a reader that went away, and for a
    // signal.
    int fail(const Problem& problem);
    int fail(std::string what, Error error) {
        return fail(Problem{std::move(what), std::move(error)});
    }

private:
    static constexpr std::size_t flush_at_bytes = 256 << 10;

    void say(std::string text);
    bool is_output_error(const Error& error) const;

    Process& process_;
    std::string tool_;
    Bytes out_;
    std::optional<Error> output_error_;  // of the first write that failed: nothing more is written
    bool output_error_told_ = false;
    std::string change_;  // what was done outside this process
    bool quiet_ = false;
    bool json_errors_ = false;
    When color_ = When::automatic;
    bool progress_on_ = false;
    bool progress_plain_ = false;
    bool progress_stands_ = false;  // on the terminal's last line, to be erased before other text
    MonoTime next_progress_{};
};

}  // namespace kq

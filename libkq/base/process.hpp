// SPDX-License-Identifier: Apache-2.0
//
// Process: the seam to what the operating system gives a command: arguments, environment, standard
// streams, terminals, signals. main() makes a PosixProcess; tests bring one of their own.
//
// owner    the main thread
// errors   interrupted        INT, TERM or HUP came while waiting
//          would_block        nothing came in the time given, or somebody asked for progress
//          connection_closed  nobody reads our output any more
//          not_found, permission_denied, disk_full, io_error
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kq {

enum class Stream { in, out, err };

// Bytes that come in order: standard input, a file, a pipe.
class Input {
public:
    virtual ~Input() = default;

    // Reads what is there, at most into.size() bytes; 0 at the end. Waits at most `wait`, or for
    // ever: then only a signal ends it early.
    virtual Result<std::size_t> read(MutableBytes into, std::optional<Millis> wait) = 0;

    // What ClientRuntime::poll_fd() can wait for, or -1.
    virtual int native_handle() const = 0;
};

class Process {
public:
    virtual ~Process() = default;

    // The words after the program's name.
    virtual const std::vector<std::string>& arguments() const = 0;
    virtual std::optional<std::string> variable(const std::string& name) const = 0;
    // Every variable whose name begins with `prefix`.
    virtual std::vector<std::pair<std::string, std::string>> variables(
        std::string_view prefix) const = 0;

    // Where the running program stands.
    virtual std::string program_directory() const = 0;
    // Becomes another program, with these words after its name. Answers only if that failed.
    virtual Error replace_by(const std::string& program, std::vector<std::string> words) = 0;

    // A path, or "-" for standard input: not_found where we were started without one.
    virtual Result<std::unique_ptr<Input>> open_input(const std::string& path) = 0;
    // What open_input() would say, as far as that is known without opening: nobody who writes into
    // a pipe is let go on, and no descriptor is taken.
    virtual Status check_input(const std::string& path) const = 0;
    // Writes all of it. `stream` is out or err. A standard output that we were started without has
    // no reader: connection_closed.
    virtual Status write(Stream stream, ByteView bytes) = 0;

    // Standard output, as ClientRuntime::watch_reader() takes it; -1 where there is none.
    virtual int output_handle() const = 0;

    virtual bool is_terminal(Stream stream) const = 0;
    virtual int terminal_columns() const = 0;  // 80 where nobody knows

    // From here on the first INT, TERM or HUP is only noted, and ends a wait in read(); the second
    // ends the process at once. A HUP that was ignored when we started (nohup) still is. `hook` is
    // called in the signal handler, also for USR1: it must be async-signal-safe, as
    // ClientRuntime::interrupt() is.
    using SignalHook = void (*)(void* context, int signal);
    virtual void watch_signals(SignalHook hook = nullptr, void* context = nullptr) = 0;
    // For a daemon: HUP does not end it. Before watch_signals().
    virtual void ignore_hangups() = 0;
    // The first INT, TERM or HUP since then, or 0.
    virtual int signal() const = 0;
    // Whether a terminal sent that, which sends it to the commands that we run, too.
    virtual bool signal_is_of_terminal() const = 0;
    // Whether USR1 came since the last call: somebody wants to see how far we are.
    virtual bool take_progress_request() = 0;
};

}  // namespace kq

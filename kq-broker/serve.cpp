// SPDX-License-Identifier: Apache-2.0
#include "base/machine.hpp"
#include "base/posix_file_system.hpp"
#include "cli/cluster_access.hpp"
#include "node.hpp"
#include "verbs.hpp"

namespace kq {

namespace {

bool has_terminal(const Process& process) {
    return process.is_terminal(Stream::in) || process.is_terminal(Stream::out) ||
           process.is_terminal(Stream::err);
}

}  // namespace

int start_failed(Console& console, const Error& why) {
    Problem problem{"cannot start", why};
    const auto elsewhere = [&](const std::vector<std::string>& dropped, std::string_view added) {
        return same_command(console.process(), console.tool(), dropped, added);
    };
    switch (why.code) {
        case Errc::port_in_use:
            problem.tries = {why.message.starts_with("the status port")
                                 ? elsewhere({"--http"}, "--http 127.0.0.1:0")
                                 : "kq-broker --listen 127.0.0.1:0 --data DIR"};
            break;
        case Errc::locked:
        case Errc::permission_denied:
            problem.tries = {"kq-broker --data DIR --listen 127.0.0.1:0"};
            break;
        case Errc::foreign_directory:
            problem.tries = {elsewhere({"--id"}, "--id N"), elsewhere({"--data"}, "--data DIR")};
            problem.exit = exit_usage;
            break;
        case Errc::disk_full:
            problem.tries = {elsewhere({"--data"}, "--data DIR")};
            problem.exit = exit_refused;
            break;
        case Errc::too_many_open_files:
            problem.tries = {"ulimit -n 1048576"};
            problem.exit = exit_refused;
            break;
        case Errc::io_error:
            problem.exit = exit_refused;
            break;
        case Errc::unreachable:  // an address that this machine does not have
            problem.exit = exit_refused;
            problem.tries = {elsewhere({"--listen", "--advertise"},
                                       "--listen 0.0.0.0:9092 --advertise HOST:9092")};
            break;
        default:
            break;
    }
    return console.fail(problem);
}

int stopped(Console& console, const Error& why) {
    Problem problem{"stopped", why};
    if (why.code == Errc::io_error || why.code == Errc::disk_full) problem.exit = exit_refused;
    return console.fail(problem);
}

int serve(Console& console, const BrokerCommandOptions& options) {
    PosixFileSystem files;
    auto settings = settle_broker(options, console.process(), files);
    if (!settings.ok()) return console.fail("", settings.error());
    tune_allocator();

    Node node(settings.value(), console.process());
    // A hang-up of the terminal stops the broker as TERM does. Without one a HUP asks a daemon to
    // read its files anew: there are none that could change under way.
    if (!has_terminal(console.process())) console.process().ignore_hangups();
    // From here on INT, TERM and HUP are noted; the loop looks when it is woken.
    console.process().watch_signals([](void* loop, int) { static_cast<EpollLoop*>(loop)->wake(); },
                                    &node.loop());
    auto opened = node.open();
    if (!opened.ok()) return start_failed(console, opened.error());
    bool ready = false;
    auto served = node.serve([&ready] { ready = true; });
    console.process().watch_signals(nullptr, nullptr);
    if (!served.ok())
        return ready ? stopped(console, served.error()) : start_failed(console, served.error());
    return exit_ok;
}

}  // namespace kq

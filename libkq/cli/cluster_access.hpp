// SPDX-License-Identifier: Apache-2.0
//
// ClusterAccess: what a verb works with once the command line is understood: settings, a runtime
// that signals can interrupt, the deadline of the whole command, and errors put into words that
// help.
//
// owner    the main thread; one at a time in a process, because signals are the process's
// errors   usage: a property or --resolve that cannot be
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "cli/common.hpp"
#include "cli/console.hpp"
#include "cli/exchange_notes.hpp"
#include "client/admin_types.hpp"
#include "client/options.hpp"
#include "client/runtime.hpp"

namespace kq {

class ClusterAccess {
public:
    // `default_timeout`: of the command when nobody set one; none: it may run for ever.
    ClusterAccess(Console& console, Settings settings, std::optional<Millis> default_timeout);
    ~ClusterAccess();
    ClusterAccess(const ClusterAccess&) = delete;
    ClusterAccess& operator=(const ClusterAccess&) = delete;

    Console& console() { return console_; }
    const Settings& settings() const { return settings_; }
    ClientRuntime& runtime() { return runtime_; }
    MonoTime now() const { return runtime_.clock().mono(); }
    WallTime wall_now() const { return runtime_.clock().wall(); }
    std::optional<MonoTime> deadline() const { return deadline_; }

    // USR1 ends waits with `interrupted` too, so that a long-running loop can show how far it is.
    void wake_for_progress() { wake_for_progress_ = true; }
    // Waits end, too, when whoever reads our output has gone: a program that waits for something to
    // print need not wait until then.
    void watch_reader();
    bool reader_is_gone() const { return runtime_.reader_is_gone(); }
    // After a wait was interrupted: whether that was for a last word, not for progress.
    bool stop_wanted() const { return console_.process().signal() != 0; }

    // The properties as each client takes them, with --resolve, giving up at the first failure to
    // reach anybody.
    Result<ClientOptions> client_options() const;
    Result<ProducerOptions> producer_options() const;
    Result<ConsumerOptions> consumer_options() const;

    // "waiting for HOST:PORT", when nothing was heard: on a terminal after half a second, elsewhere
    // as a warning after five (cli/trouble_notes.hpp).
    void awaiting(std::string what);
    void no_longer_awaiting() { waiting_.cancel(); }

    // The error in the words of who asked, with what to try next.
    Problem problem(std::string what, Error error,
                    const std::optional<AdvertisedTrouble>& trouble = std::nullopt) const;
    // The user's command line with the nearest topic in the place of one that is not there. Without
    // -y: a guess is never taken for an answer.
    std::vector<std::string> tries_for_missing(std::string_view name,
                                               const std::vector<std::string>& known) const;
    // A verb that changes things, in a context that forbids it.
    Status check_writable() const;

    // -v, at the end: how many requests were made, and the time since the beginning.
    void tell_work();

private:
    static void on_signal(void* self, int signal);
    void tell_settings();
    Status finish_options(ClientOptions& options) const;
    std::vector<std::string> tries_for_unreachable(
        const std::optional<AdvertisedTrouble>& trouble) const;

    Console& console_;
    Settings settings_;
    // Outlives every client: they are made later, and gone before.
    std::unique_ptr<ExchangeNotes> notes_;  // -v
    ClientRuntime runtime_;
    MonoTime began_;
    std::optional<MonoTime> deadline_;
    Timer waiting_;
    bool wake_for_progress_ = false;
};

// The user's command line with other options, to be pasted: those called `dropped` ("-r",
// "--replicas") are left out with their values, `added` comes last, but before `--`.
std::string same_command(Process& process, std::string_view tool,
                         const std::vector<std::string>& dropped, std::string_view added);
// With `word` replaced by another, and the options called `dropped`, which take no value, left out.
std::string same_command_with(Process& process, std::string_view tool, std::string_view word,
                              std::string_view by, const std::vector<std::string>& dropped);

}  // namespace kq

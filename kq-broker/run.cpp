// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include "base/child_process.hpp"
#include "base/machine.hpp"
#include "base/posix_file_system.hpp"
#include "net/descriptor_watch.hpp"
#include "node.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

// The command, from the moment the broker is ready until it ends.
class Child {
public:
    Child(Node& node, Process& process, const std::vector<std::string>& words)
        : node_(node), process_(process), words_(words) {}

    void start() {
        auto started = ChildProcess::start(words_, {{"KQ_BOOTSTRAP", node_.address()}});
        if (!started.ok()) {
            failure_ = started.error();
            return node_.stop();
        }
        child_ = std::make_unique<ChildProcess>(std::move(started).value());
        watch_ =
            std::make_unique<DescriptorWatch>(node_.loop(), child_->native_handle(),
                                              DescriptorWatch::For::reading, [this] { end(); });
    }
    // A signal to us is one to the command, whose end ends us. A terminal has sent it to the
    // command already.
    void pass_signal_on() {
        if (child_ == nullptr) return node_.stop();
        if (std::exchange(passed_, true) || process_.signal_is_of_terminal()) return;
        child_->signal(process_.signal());
    }
    const std::optional<Error>& failure() const { return failure_; }
    bool was_started() const { return child_ != nullptr; }
    int status() const { return status_; }

private:
    void end() {
        status_ = child_->collect();
        auto watch = std::move(watch_);
        node_.loop().post([dead = std::move(watch)] {});
        node_.stop();
    }

    Node& node_;
    Process& process_;
    const std::vector<std::string>& words_;
    std::unique_ptr<ChildProcess> child_;
    std::unique_ptr<DescriptorWatch> watch_;
    std::optional<Error> failure_;
    bool passed_ = false;
    int status_ = exit_ok;
};

}  // namespace

int run_command(Console& console, const BrokerCommandOptions& options,
                const std::vector<std::string>& command) {
    PosixFileSystem files;
    auto quiet = options;
    if (options.log_level == "info")
        quiet.log_level = "warn";  // the command's output is what counts
    auto settings = settle_broker(quiet, console.process(), files, true);
    if (!settings.ok()) return console.fail("", settings.error());
    tune_allocator();

    Node node(settings.value(), console.process());
    console.process().watch_signals([](void* loop, int) { static_cast<EpollLoop*>(loop)->wake(); },
                                    &node.loop());
    auto opened = node.open();
    if (!opened.ok()) return start_failed(console, opened.error());
    Child child(node, console.process(), command);
    node.on_signal([&child] { child.pass_signal_on(); });
    auto served = node.serve([&child] { child.start(); });
    console.process().watch_signals(nullptr, nullptr);
    if (child.failure()) {
        // As shells, env(1) and the like: no such command, or one that cannot be run.
        Problem problem{{}, *child.failure()};
        problem.exit = problem.error.code == Errc::not_found ? 127 : 126;
        return console.fail(problem);
    }
    if (!served.ok()) {
        return child.was_started() ? stopped(console, served.error())
                                   : start_failed(console, served.error());
    }
    return child.status();
}

}  // namespace kq

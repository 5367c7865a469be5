// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.hpp"

extern char** environ;

namespace kq {
namespace {

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& variables) {
    std::vector<std::string> out;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::string text = *entry;
        auto name = text.substr(0, text.find('='));
        bool replaced = false;
        for (const auto& variable : variables)
            replaced |= variable.first == name;
        if (!replaced) out.push_back(std::move(text));
    }
    for (const auto& [name, value] : variables)
        out.push_back(name + '=' + value);
    return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (auto& text : texts)
        out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

// In the new process, until it is the command. Other threads of ours may have held any lock when it
// was made, so nothing is called here that takes one.
[[noreturn]] void become_command(char* const* words, char* const* environment, pid_t parent,
                                 int failure_pipe) {
    // What we ignore, handle or block is ours; the command starts as if from a shell.
    struct sigaction as_usual {};
    as_usual.sa_handler = SIG_DFL;
    struct sigaction hangup {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    for (int number = 1; number < NSIG; ++number) {
        if (number == SIGHUP && hangup.sa_handler == SIG_IGN) continue;  // nohup
        ::sigaction(number, &as_usual, nullptr);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(128 + SIGTERM);  // too late to be told
    ::execvpe(words[0], words, environment);
    const int failure = errno;
    [[maybe_unused]] auto written = ::write(failure_pipe, &failure, sizeof(failure));
    ::_exit(127);
}

// What kept the command from running, or 0 when the pipe was closed by its start.
int failure_of(int pipe) {
    int failure = 0;
    while (true) {
        auto got = ::read(pipe, &failure, sizeof(failure));
        if (got < 0 && errno == EINTR) continue;
        return got == static_cast<ssize_t>(sizeof(failure)) ? failure : 0;
    }
}

Error cannot_run(const std::string& command, int failure) {
    auto code = failure == ENOENT   ? Errc::not_found
                : failure == EACCES ? Errc::permission_denied
                                    : Errc::io_error;
    return Error{code, "cannot run '" + command + "': " + std::generic_category().message(failure)};
}

}  // namespace

Result<ChildProcess> ChildProcess::start(
    const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& variables) {
    KQ_CHECK(!command.empty());
    auto words = command;
    auto environment = environment_with(variables);
    auto word_pointers = pointers_to(words);
    auto environment_pointers = pointers_to(environment);
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_run(command[0], errno);
    const pid_t self = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) become_command(word_pointers.data(), environment_pointers.data(), self, ends[1]);
    int failure = pid < 0 ? errno : 0;
    ::close(ends[1]);
    if (failure == 0) {
        failure = failure_of(ends[0]);
        if (failure != 0) ::waitpid(pid, nullptr, 0);
    }
    ::close(ends[0]);
    if (failure != 0) return cannot_run(command[0], failure);
    auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    return ChildProcess(pid, descriptor);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(other.pid_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      collected_(std::exchange(other.collected_, true)) {}

ChildProcess::~ChildProcess() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void ChildProcess::signal(int number) const {
    if (!collected_) ::kill(pid_, number);
}

int ChildProcess::collect() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR)
        continue;
    collected_ = true;
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

}  // namespace kq

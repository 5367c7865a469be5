// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.hpp"

#include <cerrno>
#include <system_error>

#include <signal.h>
#include <spawn.h>
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

}  // namespace

Result<ChildProcess> ChildProcess::start(
    const std::vector<std::string>& command,
    const std::vector<std::pair<std::string, std::string>>& variables) {
    KQ_CHECK(!command.empty());
    auto words = command;
    auto environment = environment_with(variables);
    auto word_pointers = pointers_to(words);
    auto environment_pointers = pointers_to(environment);
    // What we ignore or block is ours; the child starts as if from a shell.
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t every;
    sigset_t none;
    ::sigfillset(&every);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &every);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    pid_t pid = 0;
    int failure = ::posix_spawnp(&pid, words[0].c_str(), nullptr, &attributes, word_pointers.data(),
                                 environment_pointers.data());
    ::posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
        auto code = failure == ENOENT   ? Errc::not_found
                    : failure == EACCES ? Errc::permission_denied
                                        : Errc::io_error;
        return Error{
            code, "cannot run '" + command[0] + "': " + std::generic_category().message(failure)};
    }
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

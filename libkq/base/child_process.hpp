// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess: a command that we started and whose end we wait for. Should we end first, however
// that happens, it is sent TERM.
//
// owner    the thread that started it, which must live as long as the process: its end is what the
//          kernel tells the command of
// errors   not_found, permission_denied: the command cannot be run; io_error
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace kq {

class ChildProcess {
public:
    // `command` is looked up in PATH; it inherits our streams and our environment, with `variables`
    // set over it.
    static Result<ChildProcess> start(
        const std::vector<std::string>& command,
        const std::vector<std::pair<std::string, std::string>>& variables);
    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;
    // Does not end the child; waits for nothing.
    ~ChildProcess();

    // Readable once the child has ended.
    int native_handle() const { return descriptor_; }
    // Passes a signal on. Nothing after collect().
    void signal(int number) const;
    // Its exit status as a shell says it: 128 + n where signal n ended it. Waits for the end.
    int collect();

private:
    ChildProcess(int pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}

    int pid_;
    int descriptor_;
    bool collected_ = false;
};

}  // namespace kq

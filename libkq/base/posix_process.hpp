// SPDX-License-Identifier: Apache-2.0
//
// PosixProcess: the real Process. Making one lets a closed standard output be an error that write()
// reports, instead of a signal; and puts /dev/null where a standard stream was not handed to us at
// all, so that no socket or segment becomes one. Make it before anything else is opened.
#pragma once

#include <array>

#include "base/process.hpp"

namespace kq {

class PosixProcess final : public Process {
public:
    PosixProcess(int argc, const char* const* argv);

    const std::vector<std::string>& arguments() const override { return arguments_; }
    std::optional<std::string> variable(const std::string& name) const override;
    std::vector<std::pair<std::string, std::string>> variables(
        std::string_view prefix) const override;
    std::string program_directory() const override;
    Error replace_by(const std::string& program, std::vector<std::string> words) override;
    Result<std::unique_ptr<Input>> open_input(const std::string& path) override;
    Status check_input(const std::string& path) const override;
    Status write(Stream stream, ByteView bytes) override;
    int output_handle() const override;
    bool is_terminal(Stream stream) const override;
    int terminal_columns() const override;
    void watch_signals(SignalHook hook, void* context) override;
    void ignore_hangups() override;
    int signal() const override;
    bool signal_is_of_terminal() const override;
    bool take_progress_request() override;

private:
    bool is_missing(Stream stream) const;

    std::vector<std::string> arguments_;
    std::array<bool, 3> missing_{};  // in, out, err: closed when we began
    bool output_enlarged_ = false;
};

}  // namespace kq

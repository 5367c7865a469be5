// SPDX-License-Identifier: Apache-2.0
//
// FakeProcess: a Process whose arguments, variables and terminals a test chooses, and whose output
// it reads. The reader of standard output may go away, or its disk may be full.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/process.hpp"

namespace kq {

class FakeProcess final : public Process {
public:
    explicit FakeProcess(std::vector<std::string> words) : arguments_(std::move(words)) {}

    const std::vector<std::string>& arguments() const override { return arguments_; }
    std::optional<std::string> variable(const std::string& name) const override {
        auto found = environment.find(name);
        if (found == environment.end()) return std::nullopt;
        return found->second;
    }
    std::vector<std::pair<std::string, std::string>> variables(
        std::string_view prefix) const override {
        std::vector<std::pair<std::string, std::string>> found;
        for (const auto& entry : environment) {
            if (entry.first.starts_with(prefix)) found.emplace_back(entry);
        }
        return found;
    }
    std::string program_directory() const override { return "/bin"; }
    Error replace_by(const std::string& program, std::vector<std::string>) override {
        return Error{Errc::not_found, program};
    }
    Result<std::unique_ptr<Input>> open_input(const std::string& path) override {
        return Error{Errc::not_found, path};
    }
    Status check_input(const std::string& path) const override {
        return Error{Errc::not_found, path};
    }
    Status write(Stream stream, ByteView bytes) override {
        if (stream == Stream::err) {
            err += as_text(bytes);
            return done();
        }
        if (output_error) return *output_error;
        out += as_text(bytes);
        return done();
    }
    int output_handle() const override { return -1; }
    bool is_terminal(Stream) const override { return terminal; }
    int terminal_columns() const override { return 80; }
    void watch_signals(SignalHook, void*) override {}
    void ignore_hangups() override {}
    int signal() const override { return signal_number; }
    bool signal_is_of_terminal() const override { return false; }
    bool take_progress_request() override { return false; }

    std::map<std::string, std::string> environment;
    bool terminal = false;
    int signal_number = 0;
    std::optional<Error> output_error;
    std::string out;
    std::string err;

private:
    std::vector<std::string> arguments_;
};

}  // namespace kq

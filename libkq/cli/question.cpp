// SPDX-License-Identifier: Apache-2.0
#include "cli/question.hpp"

#include <array>

namespace kq {

Status ask(Console& console, const std::string& question, bool no_input) {
    Process& process = console.process();
    if (no_input || !process.is_terminal(Stream::in)) {
        return Error{Errc::usage, "nobody is there to ask; say --yes to go ahead"};
    }
    console.prompt(question + " [y/N] ");
    KQ_LET(auto input, process.open_input("-"));
    std::string answer;
    std::array<std::uint8_t, 256> bytes{};
    while (answer.find('\n') == std::string::npos && answer.size() < bytes.size()) {
        auto got = input->read(bytes, std::nullopt);
        if (got.code() == Errc::would_block) continue;
        if (!got.ok()) return got.error();
        if (got.value() == 0) break;
        answer += as_text(ByteView(bytes).first(got.value()));
    }
    answer = answer.substr(0, answer.find('\n'));
    if (answer == "y" || answer == "yes" || answer == "Y" || answer == "YES") return done();
    return Error{Errc::cancelled, "nothing was changed"};
}

}  // namespace kq

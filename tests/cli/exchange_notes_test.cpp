// SPDX-License-Identifier: Apache-2.0
#include "cli/exchange_notes.hpp"

#include <catch2/catch.hpp>

#include "cli/fake_process.hpp"

using namespace kq;

namespace {

const Endpoint broker{"::1", 9092};

Chain frame_of(std::size_t size) {
    Chain chain;
    chain.add(Bytes(size / 2, std::uint8_t{0xab}));
    chain.add(Bytes(size - size / 2, std::uint8_t{0x01}));
    return chain;
}

}  // namespace

TEST_CASE("a request is one line, with what it took or why nothing came", "[cli]") {
    Chain request = frame_of(41);
    Bytes answer(230);
    Exchange exchange{.broker = broker,
                      .api = "Metadata",
                      .version = 13,
                      .correlation_id = 2,
                      .request = request,
                      .answer = ByteView(answer),
                      .status = done(),
                      .took = std::chrono::microseconds(420)};
    CHECK(line_of(exchange) ==
          "Metadata v13 to [::1]:9092, number 2: 41 bytes, answered with 230 in 0.42 ms");
    exchange.answer.reset();
    CHECK(line_of(exchange) == "Metadata v13 to [::1]:9092, number 2: 41 bytes, no answer is owed");
    exchange.status = Error{Errc::connection_closed, "lost"};
    exchange.took = std::chrono::milliseconds(1500);
    CHECK(line_of(exchange) ==
          "Metadata v13 to [::1]:9092, number 2: 41 bytes, no answer in 1.50 s: lost "
          "[KQ_CONNECTION_CLOSED]");
}

TEST_CASE("bytes are sixteen a line, and the rest is counted", "[cli]") {
    Bytes bytes(300, std::uint8_t{0xff});
    CHECK(hex_lines(ByteView(bytes).first(2), 2, "> ") == "> ff ff");
    auto text = hex_lines(bytes, bytes.size(), "> ");
    CHECK(std::count(text.begin(), text.end(), '\n') == 16);
    CHECK(text.ends_with("\n> and 44 bytes more"));
    CHECK(hex_lines(ByteView(bytes).first(16), 16, "").size() == 47);
}

TEST_CASE("notes show frames only where that was asked for", "[cli]") {
    FakeProcess process({});
    Console console(process, "t");
    Chain request = frame_of(4);
    Bytes answer{std::uint8_t{0x7f}};
    for (bool with_bytes : {false, true}) {
        process.err.clear();
        ExchangeNotes notes(console, with_bytes);
        notes.on_exchange({.broker = broker,
                           .api = "Fetch",
                           .request = request,
                           .answer = ByteView(answer),
                           .status = done()});
        CHECK(notes.requests() == 1);
        CHECK(process.err.starts_with("# Fetch v0 to [::1]:9092, number 0: 4 bytes, answered"));
        CHECK((process.err.find("#   > ab ab 01 01\n#   < 7f\n") != std::string::npos) ==
              with_bytes);
    }
}

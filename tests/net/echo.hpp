// SPDX-License-Identifier: Apache-2.0
//
// Both ends of conversations that the network tests hold: one that answers every byte with the same
// byte, and one that talks and remembers.
#pragma once

#include <string>

#include "net/network.hpp"

namespace kq {

class Echo final : public ConnectionEvents {
public:
    Echo(Network& network, std::unique_ptr<Socket> socket)
        : connection(network.adopt(std::move(socket), *this)) {}
    void on_readable() override {
        Bytes buffer(1000);
        auto got = connection->receive(buffer);
        if (!got.ok()) {
            if (got.code() != Errc::would_block) connection = nullptr;
            return;
        }
        buffer.resize(got.value());
        heard.append(as_text(buffer));
        Chain chain;
        chain.add(std::move(buffer));
        connection->send(std::move(chain));
    }
    void on_closed(const Error&) override { connection = nullptr; }
    std::unique_ptr<Connection> connection;
    std::string heard;
};

class Talker final : public ConnectionEvents {
public:
    Talker(Network& network, const Endpoint& to) : connection(network.connect(to, *this)) {}
    Talker(Network& network, std::unique_ptr<Socket> socket)
        : connection(network.adopt(std::move(socket), *this)), connected(true) {}
    void on_connected() override { connected = true; }
    void on_readable() override {
        Bytes buffer(70'000);
        auto got = connection->receive(buffer);
        if (got.ok()) {
            heard.append(as_text(ByteView(buffer).first(got.value())));
        } else if (got.code() != Errc::would_block) {
            closed = got.code();
            connection = nullptr;
        }
    }
    void on_drained() override { ++drained; }
    void on_closed(const Error& why) override {
        closed = why.code;
        message = why.message;
        connection = nullptr;
    }
    void say(std::string_view text) {
        Chain chain;
        chain.add(to_bytes(as_bytes(text)));
        connection->send(std::move(chain));
    }

    std::unique_ptr<Connection> connection;
    bool connected = false;
    std::string heard;
    Errc closed = Errc::none;
    std::string message;
    int drained = 0;
};

}  // namespace kq

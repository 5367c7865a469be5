// SPDX-License-Identifier: Apache-2.0
//
// PocoConnection: one connected socket served by an EpollLoop.
//
// shape    Connecting -> Open -> Lingering -> Closed
//          Connecting: addresses are tried in turn. Lingering: everything was sent and our side is
//          shut; what the peer still says is read and dropped for a while, for closing with unread
//          bytes would reset the connection and take the last answer with it
// owner    its loop
#pragma once

#include <vector>

#include "net/poco_socket.hpp"

namespace kq {

class PocoConnection final : public Connection, private DescriptorEvents {
public:
    // A connected socket.
    PocoConnection(EpollLoop& loop, const PocoNetworkOptions& options,
                   std::unique_ptr<PocoSocket> socket, ConnectionEvents& events);
    // To be connected; `to` is what the user named, for messages.
    PocoConnection(EpollLoop& loop, const PocoNetworkOptions& options, Endpoint to,
                   ConnectionEvents& events);
    ~PocoConnection() override;

    // Outgoing: what the name stands for, or why it stands for nothing. Called once.
    void connect_to(std::vector<Poco::Net::SocketAddress> addresses, std::string why_none);
    // To call the above later: holds null once the connection is destroyed.
    std::shared_ptr<PocoConnection*> self() const { return self_; }

    Result<std::size_t> receive(MutableBytes into) override;
    void send(Chain chain) override;
    std::uint64_t unsent_bytes() const override {
        loop_.assert_here();
        return unsent_bytes_;
    }
    void pause_reading() override;
    void resume_reading() override;
    void close_after_sending() override;
    std::unique_ptr<Socket> detach() override;
    Endpoint peer() const override {
        loop_.assert_here();
        return peer_;
    }
    Endpoint local() const override {
        loop_.assert_here();
        return local_;
    }

private:
    enum class State { connecting, open, lingering, closed };
    enum class Sent { everything, full, failed };

    void on_events(std::uint32_t epoll_events) override;
    void try_next_address() KQ_ON(loop_);
    void address_failed(int number) KQ_ON(loop_);
    void finish_connecting() KQ_ON(loop_);
    void schedule_flush() KQ_ON(loop_);
    void flush() KQ_ON(loop_);
    Sent send_pieces() KQ_ON(loop_);
    Sent send_memory() KQ_ON(loop_);
    Sent send_file(const FileSlice& slice, bool more_follows) KQ_ON(loop_);
    Sent send_from_memory_file(const FileSlice& slice, bool more_follows) KQ_ON(loop_);
    Sent send_stopped() KQ_ON(loop_);
    void advance(std::uint64_t count) KQ_ON(loop_);
    void linger() KQ_ON(loop_);
    void update_interest() KQ_ON(loop_);
    void close(Error why) KQ_ON(loop_);
    void release() KQ_ON(loop_);

    EpollLoop& loop_;
    const PocoNetworkOptions& options_;
    ConnectionEvents& events_;
    Poco::Net::StreamSocket socket_ KQ_OWNED_BY(loop_);
    int fd_ KQ_OWNED_BY(loop_) = -1;
    State state_ KQ_OWNED_BY(loop_) = State::connecting;
    Endpoint peer_ KQ_OWNED_BY(loop_);
    Endpoint local_ KQ_OWNED_BY(loop_);

    std::vector<Poco::Net::SocketAddress> addresses_ KQ_OWNED_BY(loop_);
    std::size_t address_next_ KQ_OWNED_BY(loop_) = 0;
    std::string last_failure_ KQ_OWNED_BY(loop_);
    Timer timer_ KQ_OWNED_BY(loop_);  // of an attempt to connect, or of lingering

    std::vector<Chain::Piece> pieces_ KQ_OWNED_BY(loop_);
    std::size_t first_ KQ_OWNED_BY(loop_) = 0;         // piece that is being sent
    std::uint64_t first_sent_ KQ_OWNED_BY(loop_) = 0;  // bytes of it that are gone
    std::uint64_t unsent_bytes_ KQ_OWNED_BY(loop_) = 0;
    std::uint64_t turn_left_ KQ_OWNED_BY(loop_) = 0;  // bytes this flush may still send
    Error failure_ KQ_OWNED_BY(loop_){Errc::none};
    bool flush_scheduled_ KQ_OWNED_BY(loop_) = false;
    bool wants_write_ KQ_OWNED_BY(loop_) = false;
    bool is_reading_ KQ_OWNED_BY(loop_) = true;
    bool closing_ KQ_OWNED_BY(loop_) = false;
    std::uint32_t interest_ KQ_OWNED_BY(loop_) = 0;
    bool is_watched_ KQ_OWNED_BY(loop_) = false;
    std::uint64_t lingered_bytes_ KQ_OWNED_BY(loop_) = 0;
    const std::shared_ptr<PocoConnection*> self_;  // holds null once destroyed; read on the loop
};

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "net/sim_network.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

namespace kq {
namespace {

constexpr std::size_t window_bytes = 256 * 1024;
constexpr auto connect_limit = std::chrono::seconds(10);

// What the network tells the Connection that holds a side.
class Holder {
public:
    virtual void connected() = 0;
    virtual void could_not_connect(const std::string& why) = 0;
    virtual void heard() = 0;    // bytes, the end or a reset arrived
    virtual void drained() = 0;  // the last byte left

protected:
    ~Holder() = default;
};

// One end of a connection, whoever holds it: a Connection, or a Socket on its way between loops.
struct Side {
    std::string host;
    Endpoint local;
    Endpoint peer;
    std::shared_ptr<Side> other;  // until both are closed

    // Arrived and not read.
    std::deque<std::uint8_t> arrived;
    std::uint64_t received = 0;  // and read
    bool ended = false;          // the peer's end of stream arrived
    Errc broken = Errc::none;    // a reset arrived
    // Sent by us and not arrived at the peer.
    std::deque<std::uint8_t> outgoing;
    std::size_t in_flight = 0;
    bool end_queued = false;
    bool end_sent = false;
    bool closed = false;    // our side is gone
    bool graceful = false;  // closed after sending: what still comes is dropped, not answered
    bool cut = false;       // a reset is under way to both ends: nothing more gets away
    bool moving = false;    // a delivery of ours is scheduled
    Holder* holder = nullptr;
};

}  // namespace

struct SimNetwork::Hub : std::enable_shared_from_this<SimNetwork::Hub> {
    explicit Hub(SimScheduler& world_in) : world(world_in) {}

    struct Listening {
        SimLoop* loop;
        Callback<void(std::unique_ptr<Socket>)> on_accepted;
        bool paused = false;
        std::deque<std::unique_ptr<Socket>> waiting;
    };

    SimScheduler& world;
    std::chrono::nanoseconds least = std::chrono::microseconds(20);
    std::chrono::nanoseconds most = std::chrono::microseconds(500);
    double cut_chance = 0;
    std::map<Endpoint, std::shared_ptr<Listening>> listening;
    std::set<std::pair<std::string, std::string>> parted;
    std::set<std::string> refusing;
    std::vector<std::weak_ptr<Side>> sides;
    std::uint16_t next_port = 40000;

    std::chrono::nanoseconds delay() {
        auto spread = static_cast<std::uint64_t>((most - least).count()) + 1;
        return least +
               std::chrono::nanoseconds(static_cast<std::int64_t>(world.random().below(spread)));
    }
    bool is_parted(const std::string& a, const std::string& b) const {
        return parted.contains({std::min(a, b), std::max(a, b)});
    }
    void later(std::chrono::nanoseconds delay, Task task) {
        world.at(world.now() + delay, std::move(task));
    }

    std::vector<std::shared_ptr<Side>> live_sides() {
        std::vector<std::shared_ptr<Side>> live;
        std::erase_if(sides, [](const std::weak_ptr<Side>& side) { return side.expired(); });
        for (auto& side : sides)
            live.push_back(side.lock());
        return live;
    }

    void move_bytes(const std::shared_ptr<Side>& from);
    void deliver(const std::shared_ptr<Side>& from, std::vector<std::uint8_t> bytes);
    void cut(const std::shared_ptr<Side>& side);
    void hear_reset(const std::shared_ptr<Side>& side);
    void leave(const std::shared_ptr<Side>& side);
    void try_connect(const std::shared_ptr<Side>& side, MonoTime give_up);
};

namespace {

using Hub = SimNetwork::Hub;

class SimSocket final : public Socket {
public:
    SimSocket(std::shared_ptr<Hub> hub, std::shared_ptr<Side> side)
        : hub_(std::move(hub)), side_(std::move(side)) {}
    ~SimSocket() override {
        if (side_ != nullptr) hub_->leave(side_);
    }
    Endpoint peer() const override { return side_ != nullptr ? side_->peer : Endpoint{}; }
    std::shared_ptr<Side> take() { return std::exchange(side_, nullptr); }

private:
    std::shared_ptr<Hub> hub_;
    std::shared_ptr<Side> side_;
};

class SimConnection final : public Connection, private Holder {
public:
    SimConnection(std::shared_ptr<Hub> hub, SimLoop& loop, std::shared_ptr<Side> side,
                  ConnectionEvents& events, bool connected)
        : hub_(std::move(hub)),
          loop_(loop),
          side_(std::move(side)),
          events_(events),
          self_(std::make_shared<SimConnection*>(this)),
          connected_(connected) {
        side_->holder = this;
        if (connected_) schedule_reading();
    }
    ~SimConnection() override {
        *self_ = nullptr;
        if (side_ == nullptr) return;
        side_->holder = nullptr;
        hub_->leave(side_);
    }

    Result<std::size_t> receive(MutableBytes into) override {
        KQ_CHECK(!into.empty());
        if (side_ == nullptr) return Error{Errc::connection_closed, "closed"};
        auto& arrived = side_->arrived;
        if (side_->broken != Errc::none) {
            return Error{side_->broken, "the peer reset the connection"};
        }
        if (arrived.empty()) {
            if (side_->ended) return Error{Errc::connection_closed, "the peer closed"};
            return Error{Errc::would_block};
        }
        auto count = std::min(into.size(), arrived.size());
        std::copy_n(arrived.begin(), count, into.begin());
        arrived.erase(arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(count));
        side_->received += count;
        if (side_->other != nullptr) hub_->move_bytes(side_->other);  // the window opened
        return count;
    }

    void send(Chain chain) override {
        if (side_ == nullptr || closing_ || chain.empty()) return;
        queued_bytes_ += chain.size_bytes();
        queued_.add(std::move(chain));
        schedule_flush();
    }

    std::uint64_t unsent_bytes() const override {
        return queued_bytes_ + (side_ != nullptr ? side_->outgoing.size() : 0);
    }

    void pause_reading() override { reading_ = false; }
    void resume_reading() override {
        reading_ = true;
        schedule_reading();
    }
    void close_after_sending() override {
        if (side_ == nullptr || closing_) return;
        closing_ = true;
        reading_ = false;
        schedule_flush();
    }

    std::unique_ptr<Socket> detach() override {
        KQ_CHECK(side_ != nullptr && connected_ && unsent_bytes() == 0);
        side_->holder = nullptr;
        return std::make_unique<SimSocket>(hub_, std::exchange(side_, nullptr));
    }

    Endpoint peer() const override { return side_ != nullptr ? side_->peer : Endpoint{}; }
    Endpoint local() const override { return side_ != nullptr ? side_->local : Endpoint{}; }

private:
    // From the hub, outside every loop.
    void heard() override {
        post([](SimConnection& c) { c.read_or_close(); });
    }
    void connected() override {
        post([](SimConnection& c) {
            c.connected_ = true;
            auto self = c.self_;
            c.events_.on_connected();
            if (*self == nullptr) return;
            if (c.queued_bytes_ > 0 || c.closing_) c.schedule_flush();
            c.schedule_reading();
        });
    }
    void could_not_connect(const std::string& why) override {
        post([why](SimConnection& c) {
            c.close(
                Error{Errc::unreachable, "cannot connect to " + c.side_->peer.text() + ": " + why});
        });
    }
    void drained() override {
        post([](SimConnection& c) {
            if (c.side_ == nullptr || c.unsent_bytes() > 0) return;
            if (c.closing_) return c.close(Error{Errc::connection_closed, "closed"});
            c.events_.on_drained();
        });
    }

    template <class F>
    void post(F&& f) {
        loop_.post([self = self_, run = std::forward<F>(f)]() mutable {
            if (*self != nullptr && (*self)->side_ != nullptr) run(**self);
        });
    }

    void schedule_reading() {
        if (!connected_ || side_ == nullptr || reading_scheduled_ || !reading_) return;
        if (side_->arrived.empty() && !side_->ended && side_->broken == Errc::none) return;
        reading_scheduled_ = true;
        post([](SimConnection& c) {
            c.reading_scheduled_ = false;
            c.read_or_close();
        });
    }

    // Level-triggered: comes again in the next turn while something waits.
    void read_or_close() {
        if (!connected_) return;
        bool broken = side_->broken != Errc::none;
        bool something = !side_->arrived.empty() || side_->ended || broken;
        if (!something) return;
        auto self = self_;
        if (reading_) {
            events_.on_readable();
            if (*self == nullptr || side_ == nullptr) return;
            schedule_reading();
        } else if (broken) {
            close(Error{Errc::io_error, "the peer reset the connection"});
        }
    }

    void schedule_flush() {
        if (flush_scheduled_ || !connected_) return;
        flush_scheduled_ = true;
        loop_.at_flush([self = self_] {
            if (*self == nullptr) return;
            (*self)->flush_scheduled_ = false;
            (*self)->flush();
        });
    }

    void flush() {
        if (side_ == nullptr) return;
        // What is sent after the place of a cut must not arrive behind the gap.
        if (side_->cut) return drop_queued();
        auto& world = loop_.world();
        if (hub_->cut_chance > 0 && world.random().chance(hub_->cut_chance)) {
            // Some of what was to leave may still get away.
            if (!copy_out(world.random().below(queued_bytes_ + 1))) return;
            hub_->move_bytes(side_);
            hub_->cut(side_);
            return;
        }
        if (!copy_out(queued_bytes_)) return;
        if (closing_) {
            side_->end_queued = true;
            side_->graceful = true;
        }
        hub_->move_bytes(side_);
        if (side_ != nullptr && side_->outgoing.empty()) drained();
    }

    void drop_queued() {
        queued_bytes_ = 0;
        queued_ = Chain{};
    }

    // The first `limit` queued bytes become the network's; false when a file came up short.
    bool copy_out(std::uint64_t limit) {
        for (auto& piece : std::move(queued_).take_pieces()) {
            Bytes bytes;
            if (const auto* slice = std::get_if<FileSlice>(&piece)) {
                bytes.resize(static_cast<std::size_t>(slice->length));
                auto got = slice->file->pread(slice->position, bytes);
                if (!got.ok() || got.value() < bytes.size()) {
                    close(got.ok() ? Error{Errc::io_error, "a file became shorter than promised"}
                                   : got.error());
                    return false;
                }
            } else {
                bytes = to_bytes(std::get<SharedBytes>(piece).view());
            }
            auto count = std::min<std::uint64_t>(limit, bytes.size());
            side_->outgoing.insert(side_->outgoing.end(), bytes.begin(),
                                   bytes.begin() + static_cast<std::ptrdiff_t>(count));
            limit -= count;
        }
        drop_queued();
        return true;
    }

    void close(Error why) {
        if (side_ == nullptr) return;
        side_->holder = nullptr;
        hub_->leave(std::exchange(side_, nullptr));
        events_.on_closed(why);
    }

    std::shared_ptr<Hub> hub_;
    SimLoop& loop_;
    std::shared_ptr<Side> side_;  // null once closed
    ConnectionEvents& events_;
    std::shared_ptr<SimConnection*> self_;
    Chain queued_;
    std::uint64_t queued_bytes_ = 0;
    bool connected_;
    bool reading_ = true;
    bool reading_scheduled_ = false;
    bool flush_scheduled_ = false;
    bool closing_ = false;
};

class SimListener final : public Listener {
public:
    SimListener(std::shared_ptr<Hub> hub, Endpoint local, std::shared_ptr<Hub::Listening> state)
        : hub_(std::move(hub)), local_(std::move(local)), state_(std::move(state)) {}
    ~SimListener() override {
        auto found = hub_->listening.find(local_);
        if (found != hub_->listening.end() && found->second == state_) hub_->listening.erase(found);
    }
    Endpoint local() const override { return local_; }
    void pause() override { state_->paused = true; }
    void resume() override {
        state_->paused = false;
        while (!state_->waiting.empty() && !state_->paused) {
            auto socket = std::move(state_->waiting.front());
            state_->waiting.pop_front();
            state_->on_accepted(std::move(socket));
        }
    }

private:
    std::shared_ptr<Hub> hub_;
    Endpoint local_;
    std::shared_ptr<Hub::Listening> state_;
};

class HostNetwork final : public Network {
public:
    HostNetwork(std::shared_ptr<Hub> hub, SimLoop& loop, std::string host)
        : hub_(std::move(hub)), loop_(loop), host_(std::move(host)) {}

    Result<std::unique_ptr<Listener>> listen(
        const Endpoint& at, Callback<void(std::unique_ptr<Socket>)> on_accepted) override {
        Endpoint local{host_, at.port != 0 ? at.port : hub_->next_port++};
        if (hub_->listening.contains(local)) {
            return Error{Errc::port_in_use, "cannot listen on " + at.text() +
                                                ": another process listens on port " +
                                                std::to_string(at.port)};
        }
        auto state = std::make_shared<Hub::Listening>();
        state->loop = &loop_;
        state->on_accepted = std::move(on_accepted);
        hub_->listening[local] = state;
        return std::unique_ptr<Listener>(std::make_unique<SimListener>(hub_, local, state));
    }

    std::unique_ptr<Connection> adopt(std::unique_ptr<Socket> socket,
                                      ConnectionEvents& events) override {
        auto* raw = dynamic_cast<SimSocket*>(socket.get());
        KQ_CHECK(raw != nullptr);
        return std::make_unique<SimConnection>(hub_, loop_, raw->take(), events, true);
    }

    std::unique_ptr<Connection> connect(const Endpoint& to, ConnectionEvents& events) override {
        auto side = std::make_shared<Side>();
        side->host = host_;
        side->local = {host_, hub_->next_port++};
        side->peer = to;
        hub_->sides.push_back(side);
        auto connection = std::make_unique<SimConnection>(hub_, loop_, side, events, false);
        auto give_up = hub_->world.now() + connect_limit;
        hub_->later(hub_->delay(),
                    [hub = hub_, side, give_up] { hub->try_connect(side, give_up); });
        return connection;
    }

private:
    std::shared_ptr<Hub> hub_;
    SimLoop& loop_;
    std::string host_;
};

}  // namespace

void Hub::try_connect(const std::shared_ptr<Side>& side, MonoTime give_up) {
    auto* holder = side->holder;
    if (side->closed || holder == nullptr) return;
    if (is_parted(side->host, side->peer.host)) {
        if (world.now() >= give_up) return holder->could_not_connect("connection timed out");
        later(std::chrono::milliseconds(200),
              [self = shared_from_this(), side, give_up] { self->try_connect(side, give_up); });
        return;
    }
    auto found = listening.find(side->peer);
    if (found == listening.end() || refusing.contains(side->peer.host) ||
        found->second->loop->is_killed()) {
        return holder->could_not_connect("connection refused");
    }
    auto answering = std::make_shared<Side>();
    answering->host = side->peer.host;
    answering->local = side->peer;
    answering->peer = side->local;
    answering->other = side;
    side->other = answering;
    sides.push_back(answering);
    auto state = found->second;
    auto socket = std::make_shared<std::unique_ptr<Socket>>(
        std::make_unique<SimSocket>(shared_from_this(), answering));
    state->loop->post([state, socket] {
        if (state->paused) {
            state->waiting.push_back(std::move(*socket));
        } else {
            state->on_accepted(std::move(*socket));
        }
    });
    holder->connected();
}

// Takes what fits into the peer's window on its way, in pieces, one after the other.
void Hub::move_bytes(const std::shared_ptr<Side>& from) {
    auto to = from->other;
    if (to == nullptr || from->moving || from->broken != Errc::none) return;
    auto used = to->arrived.size() + from->in_flight;
    auto room = used < window_bytes ? window_bytes - used : 0;
    auto count = std::min(room, from->outgoing.size());
    bool end = from->end_queued && !from->end_sent && from->outgoing.empty();
    if (count == 0 && !end) return;
    // TCP keeps no frames together: a piece is anything from one byte to everything.
    if (count > 1 && world.random().chance(0.5)) {
        count = 1 + static_cast<std::size_t>(world.random().below(count));
    }
    std::vector<std::uint8_t> bytes(from->outgoing.begin(),
                                    from->outgoing.begin() + static_cast<std::ptrdiff_t>(count));
    from->outgoing.erase(from->outgoing.begin(),
                         from->outgoing.begin() + static_cast<std::ptrdiff_t>(count));
    from->in_flight += count;
    if (end) from->end_sent = true;
    from->moving = true;
    if (count > 0 && from->outgoing.empty()) {
        if (from->holder != nullptr) from->holder->drained();
    }
    later(delay(), [self = shared_from_this(), from, bytes = std::move(bytes)]() mutable {
        self->deliver(from, std::move(bytes));
    });
}

void Hub::deliver(const std::shared_ptr<Side>& from, std::vector<std::uint8_t> bytes) {
    auto to = from->other;
    if (to != nullptr && is_parted(from->host, to->host)) {
        later(std::chrono::milliseconds(50),
              [self = shared_from_this(), from, bytes = std::move(bytes)]() mutable {
                  self->deliver(from, std::move(bytes));
              });
        return;
    }
    from->moving = false;
    from->in_flight -= bytes.size();
    if (to == nullptr || from->broken != Errc::none || to->broken != Errc::none) return;
    if (to->closed && to->graceful) return move_bytes(from);
    if (to->closed) return hear_reset(from);  // bytes for nobody are answered with a reset
    to->arrived.insert(to->arrived.end(), bytes.begin(), bytes.end());
    if (from->end_sent) to->ended = true;
    world.note(bytes.size());
    if (to->holder != nullptr) to->holder->heard();
    move_bytes(from);
}

void Hub::hear_reset(const std::shared_ptr<Side>& side) {
    if (side->broken != Errc::none) return;
    side->broken = Errc::io_error;
    side->outgoing.clear();
    side->arrived.clear();
    if (side->holder != nullptr) side->holder->heard();
}

void Hub::cut(const std::shared_ptr<Side>& side) {
    auto other = side->other;
    side->cut = true;
    if (other != nullptr) other->cut = true;
    later(delay(), [self = shared_from_this(), side] { self->hear_reset(side); });
    if (other == nullptr) return;
    later(delay(), [self = shared_from_this(), other] { self->hear_reset(other); });
}

// Our side is gone: what was sent still arrives, then the end; unread bytes make it a reset.
void Hub::leave(const std::shared_ptr<Side>& side) {
    if (side->closed) return;
    side->closed = true;
    auto other = side->other;
    if (other == nullptr) return;
    if (other->closed) {
        side->other = nullptr;
        other->other = nullptr;
        return;
    }
    if (side->broken != Errc::none) return;
    if (!side->arrived.empty() && !side->graceful) {
        later(delay(), [self = shared_from_this(), other] { self->hear_reset(other); });
        return;
    }
    side->end_queued = true;
    move_bytes(side);
}

SimNetwork::SimNetwork(SimScheduler& world) : hub_(std::make_shared<Hub>(world)) {}
SimNetwork::~SimNetwork() {
    for (auto& side : hub_->live_sides())
        side->other = nullptr;
}

std::unique_ptr<Network> SimNetwork::network_for(SimLoop& loop, const std::string& host) {
    return std::make_unique<HostNetwork>(hub_, loop, host);
}

void SimNetwork::set_delay(std::chrono::nanoseconds least, std::chrono::nanoseconds most) {
    KQ_CHECK(least <= most);
    hub_->least = least;
    hub_->most = most;
}

void SimNetwork::set_cut_chance(double probability) {
    hub_->cut_chance = probability;
}

std::size_t SimNetwork::cut_all(const std::string& host) {
    std::size_t count = 0;
    for (auto& side : hub_->live_sides()) {
        if (side->host != host || side->closed || side->broken != Errc::none) continue;
        if (side->other == nullptr) continue;
        hub_->cut(side);
        ++count;
    }
    return count;
}

void SimNetwork::part(const std::string& a, const std::string& b) {
    hub_->parted.insert({std::min(a, b), std::max(a, b)});
}

void SimNetwork::join(const std::string& a, const std::string& b) {
    hub_->parted.erase({std::min(a, b), std::max(a, b)});
}

void SimNetwork::set_refuse(const std::string& host, bool refuse) {
    if (refuse) {
        hub_->refusing.insert(host);
    } else {
        hub_->refusing.erase(host);
    }
}

void SimNetwork::kill(const std::string& host) {
    std::erase_if(hub_->listening, [&](const auto& entry) { return entry.first.host == host; });
    cut_all(host);
}

std::size_t SimNetwork::connection_count() const {
    std::size_t count = 0;
    for (const auto& side : hub_->live_sides()) {
        if (!side->closed && side->broken == Errc::none && side->other != nullptr) ++count;
    }
    return count / 2;
}

std::uint64_t SimNetwork::received_from(const std::string& host) const {
    std::uint64_t bytes = 0;
    for (const auto& side : hub_->live_sides()) {
        if (side->closed || side->other == nullptr || side->other->closed) continue;
        if (side->other->host == host && side->local == side->other->peer) bytes += side->received;
    }
    return bytes;
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "client/connection.hpp"

#include <algorithm>

#include "protocol/frames.hpp"
#include "protocol/messages/18_api_versions.hpp"

namespace kq {
namespace {

constexpr std::size_t staging_bytes = 16 * 1024;
constexpr std::size_t buffers_max = 4;  // kept for reuse

// What a peer that is no Kafka broker says first, and what that tells a person.
struct Stranger {
    std::string_view first_bytes;
    std::string_view meaning;
};
constexpr Stranger strangers[] = {
    {"HTTP", "answers with HTTP: this is a web server's port, not a broker's"},
    {std::string_view("\x15\x03", 2), "answers with a TLS alert: it expects TLS on this port"},
    {std::string_view("\x16\x03", 2), "speaks TLS, but this client was told to use plain text"},
    {"SSH-", "answers with SSH: this is not a broker's port"},
    {"220 ", "greets like a mail or file server: this is not a broker's port"},
    {"-ERR", "answers like a Redis server: this is not a broker's port"},
};

}  // namespace

BrokerConnection::BrokerConnection(Loop& loop, Network& network, const Endpoint& to,
                                   Settings settings, Events events)
    : loop_(loop),
      to_(to),
      settings_(std::move(settings)),
      events_(std::move(events)),
      setup_timer_(loop),
      last_used_(loop.clock().mono()),
      deadline_timer_(loop),
      hold_timer_(loop) {
    loop_.assert_here();
    connection_ = network.connect(to_, *this);
    setup_timer_.set_after(settings_.setup_timeout, [this] {
        loop_.assert_here();
        end(Error{Errc::unreachable, "cannot reach " + name() + ": no answer within " +
                                         std::to_string(settings_.setup_timeout.count()) + " ms"});
    });
}

BrokerConnection::~BrokerConnection() = default;

std::string BrokerConnection::name() const {
    return to_.text();
}

Result<std::int16_t> BrokerConnection::version_for(const wire::ApiInfo& api,
                                                   std::int16_t cap) const {
    loop_.assert_here();
    auto found = offered_.find(api.key);
    if (found == offered_.end()) {
        return Error{Errc::unsupported, name() + " does not offer " + std::string(api.name)};
    }
    auto highest = std::min({api.versions.max, found->second.max, cap});
    if (highest < api.versions.min || highest < found->second.min) {
        return Error{Errc::unsupported, name() + " offers " + std::string(api.name) +
                                            " in versions " + std::to_string(found->second.min) +
                                            " to " + std::to_string(found->second.max) +
                                            ", this client knows " +
                                            std::to_string(api.versions.min) + " to " +
                                            std::to_string(std::min(api.versions.max, cap))};
    }
    return highest;
}

// ---- sending

Bytes BrokerConnection::header_for(const wire::ApiInfo& api, std::int16_t version) {
    return wire::encode_request_header({.api_key = api.key,
                                        .api_version = version,
                                        .correlation_id = next_correlation_id_,
                                        .client_id = settings_.client_id});
}

void BrokerConnection::send_frame(Chain frame, const wire::ApiInfo& api, std::int16_t version,
                                  MonoTime deadline, OnAnswer done) {
    KQ_CHECK(state_ == State::ready || state_ == State::negotiating);
    in_flight_.push_back({.correlation_id = next_correlation_id_,
                          .api = &api,
                          .version = version,
                          .deadline = deadline,
                          .done = std::move(done),
                          .sent = loop_.clock().mono(),
                          .request = settings_.observer != nullptr ? frame : Chain()});
    watch_deadline(deadline);
    put(std::move(frame));
}

void BrokerConnection::send_unanswered_frame(Chain frame, const wire::ApiInfo& api,
                                             std::int16_t version, Callback<void(Status)> sent) {
    KQ_CHECK(state_ == State::ready);
    if (settings_.observer != nullptr) {
        settings_.observer->on_exchange({.broker = to_,
                                         .api = api.name,
                                         .version = version,
                                         .correlation_id = next_correlation_id_,
                                         .request = frame,
                                         .answer = std::nullopt,
                                         .status = done()});
    }
    unanswered_.push_back(std::move(sent));
    put(std::move(frame));
}

void BrokerConnection::tell_observer(const Waiting& waiting, std::optional<ByteView> answer,
                                     const Status& status) {
    if (settings_.observer == nullptr) return;
    settings_.observer->on_exchange({.broker = to_,
                                     .api = waiting.api->name,
                                     .version = waiting.version,
                                     .correlation_id = waiting.correlation_id,
                                     .request = waiting.request,
                                     .answer = answer,
                                     .status = status,
                                     .took = loop_.clock().mono() - waiting.sent});
}

void BrokerConnection::put(Chain frame) {
    next_correlation_id_ = next_correlation_id_ == INT32_MAX ? 0 : next_correlation_id_ + 1;
    last_used_ = loop_.clock().mono();
    if (held_until_) {
        held_.push_back(std::move(frame));
    } else {
        connection_->send(std::move(frame));
    }
}

void BrokerConnection::hold_back(Millis duration) {
    loop_.assert_here();
    if (state_ != State::ready || duration <= Millis{0}) return;
    auto until = loop_.clock().mono() + duration;
    if (held_until_ && *held_until_ >= until) return;
    held_until_ = until;
    hold_timer_.set(until, [this] {
        loop_.assert_here();
        release_held();
    });
}

void BrokerConnection::release_held() {
    held_until_.reset();
    for (auto& frame : std::exchange(held_, {}))
        connection_->send(std::move(frame));
}

void BrokerConnection::on_drained() {
    loop_.assert_here();
    if (!held_.empty()) return;
    auto sent = std::exchange(unanswered_, {});
    for (auto& callback : sent)
        callback(done());
}

// ---- negotiation

void BrokerConnection::on_connected() {
    loop_.assert_here();
    state_ = State::negotiating;
    ask_versions(wire::api_versions_api.versions.max);
}

void BrokerConnection::ask_versions(std::int16_t version) {
    wire::ApiVersionsRequest request{.client_software_name = "kq",
                                     .client_software_version = KQ_VERSION};
    auto frame = wire::encode_frame(header_for(wire::api_versions_api, version), request, version);
    send_frame(std::move(frame), wire::api_versions_api, version, MonoTime::max(),
               [this](Result<Answer> answer) {
                   loop_.assert_here();
                   on_versions(std::move(answer));
               });
}

// A broker that does not know our version answers as if v0 had been asked, with the range of
// ApiVersions that it knows, or (before Kafka 2.4) with nothing: then v0 is asked.
void BrokerConnection::on_versions(Result<Answer> answer) {
    if (!answer.ok()) return;  // end() is at work
    const auto& got = answer.value();
    if (got.body.size() < 2) {
        return end(Error{Errc::malformed, name() + " sent a cut-off ApiVersions answer"});
    }
    auto code = errc_from_wire(load_be<std::int16_t>(got.body.data()));
    bool as_v0 = code == Errc::unsupported_version;
    auto versions = wire::decode<wire::ApiVersionsResponse>(got.body, as_v0 ? 0 : int{got.version});
    if (!versions.ok()) {
        return end(Error{Errc::malformed, name() + " sent an ApiVersions answer that is none: " +
                                              versions.error().message});
    }
    if (as_v0 && got.version > 0) {
        std::int16_t next = 0;
        for (const auto& api : versions.value().api_keys) {
            if (api.api_key != wire::api_versions_api.key) continue;
            next =
                std::min<std::int16_t>(api.max_version, static_cast<std::int16_t>(got.version - 1));
        }
        return ask_versions(std::max<std::int16_t>(next, 0));
    }
    if (code != Errc::none) {
        return end(Error{code, name() + " refused to tell its versions"});
    }
    for (const auto& api : versions.value().api_keys) {
        offered_[api.api_key] = {api.min_version, api.max_version};
    }
    state_ = State::ready;
    setup_timer_.cancel();
    hold_back(Millis{versions.value().throttle_time_ms});
    if (auto ready = std::exchange(events_.ready, nullptr); ready != nullptr) ready();
}

// ---- receiving

void BrokerConnection::on_readable() {
    loop_.assert_here();
    auto status = receive_some();
    if (!status.ok() && status.code() != Errc::would_block) on_closed(status.error());
}

// Reads until nothing waits or one long answer is whole.
Status BrokerConnection::receive_some() {
    while (state_ != State::closed) {
        if (frame_ != nullptr) {
            MutableBytes rest(frame_->data() + frame_filled_, frame_size_ - frame_filled_);
            KQ_LET(auto count, connection_->receive(rest));
            frame_filled_ += count;
            if (frame_filled_ < frame_size_) continue;
            ByteView whole(frame_->data(), frame_size_);
            KQ_TRY(on_frame(SharedBytes(std::exchange(frame_, nullptr), whole)));
            return done();
        }
        if (staging_.empty()) staging_.resize(staging_bytes);
        auto received = connection_->receive(
            MutableBytes(staging_.data() + staged_, staging_.size() - staged_));
        if (!received.ok()) {
            if (staged_ == 0) staging_ = Bytes();  // an idle connection owns no buffer
            return received.error();
        }
        auto count = staged_ + received.value();
        staged_ = 0;
        KQ_TRY(take_frames(ByteView(staging_.data(), count)));
    }
    return done();
}

// Cuts whole answers out of `bytes`, which lie in staging_; what is left begins a buffer of its
// own, or stays if not even the size is known.
Status BrokerConnection::take_frames(ByteView bytes) {
    while (bytes.size() >= 4) {
        auto size = load_be<std::int32_t>(bytes.data());
        KQ_TRY(check_size(size, bytes));
        auto frame_bytes = static_cast<std::size_t>(size);
        if (bytes.size() - 4 < frame_bytes) return begin_frame(bytes);
        KQ_TRY(on_frame(SharedBytes::copy_of(bytes.subspan(4, frame_bytes))));
        if (state_ == State::closed) return done();
        bytes = bytes.subspan(4 + frame_bytes);
    }
    std::copy(bytes.begin(), bytes.end(), staging_.begin());
    staged_ = bytes.size();
    return done();
}

Status BrokerConnection::begin_frame(ByteView bytes) {
    frame_size_ = static_cast<std::size_t>(load_be<std::int32_t>(bytes.data()));
    frame_ = buffer_of(frame_size_);
    bytes = bytes.subspan(4);
    std::copy(bytes.begin(), bytes.end(), frame_->begin());
    frame_filled_ = bytes.size();
    return done();
}

std::shared_ptr<Bytes> BrokerConnection::buffer_of(std::size_t size) {
    for (auto& buffer : buffers_) {
        if (buffer.use_count() == 1 && buffer->capacity() >= size) {
            buffer->resize(size);
            return buffer;
        }
    }
    auto fresh = std::make_shared<Bytes>(size);
    if (size > staging_bytes) {
        auto unused = std::find_if(buffers_.begin(), buffers_.end(),
                                   [](const auto& buffer) { return buffer.use_count() == 1; });
        if (unused != buffers_.end()) {
            *unused = fresh;  // it was too small
        } else if (buffers_.size() < buffers_max) {
            buffers_.push_back(fresh);
        }
    }
    return fresh;
}

Status BrokerConnection::check_size(std::int32_t size, ByteView first_bytes) const {
    if (size >= 4 && static_cast<std::uint32_t>(size) <= settings_.answer_bytes_max) return done();
    auto text = as_text(first_bytes);
    for (const auto& stranger : strangers) {
        if (text.starts_with(stranger.first_bytes)) {
            return Error{Errc::unreachable, name() + ' ' + std::string(stranger.meaning)};
        }
    }
    if (state_ == State::negotiating) {
        return Error{Errc::unreachable, name() + " answers with something that is not Kafka's"};
    }
    return Error{Errc::malformed, name() + " announces an answer of " + std::to_string(size) +
                                      " bytes; at most " +
                                      std::to_string(settings_.answer_bytes_max) + " are taken"};
}

Status BrokerConnection::on_frame(SharedBytes frame) {
    KQ_LET(auto correlation_id, wire::peek_correlation_id(frame.view()));
    if (in_flight_.empty() || in_flight_.front().correlation_id != correlation_id) {
        return Error{state_ == State::negotiating ? Errc::unreachable : Errc::malformed,
                     name() + " sent an answer that nobody asked for"};
    }
    const auto& front = in_flight_.front();
    auto answer = wire::decode_response_header(frame.view(), *front.api, front.version);
    if (!answer.ok()) {
        return Error{Errc::malformed, name() + " sent an answer with a bad header"};
    }
    auto waiting = std::move(in_flight_.front());
    in_flight_.pop_front();
    last_used_ = loop_.clock().mono();
    tell_observer(waiting, frame.view(), done());
    waiting.done(Answer{std::move(frame), answer.value().body, waiting.version});
    return done();
}

// ---- deadlines and the end

// One timer for the earliest deadline; it is only ever set earlier, and looks again when it fires.
void BrokerConnection::watch_deadline(MonoTime deadline) {
    if (deadline >= watched_deadline_) return;
    watched_deadline_ = deadline;
    deadline_timer_.set(deadline, [this] {
        loop_.assert_here();
        on_deadline();
    });
}

void BrokerConnection::on_deadline() {
    watched_deadline_ = MonoTime::max();
    if (in_flight_.empty()) return;
    auto earliest = std::min_element(
        in_flight_.begin(), in_flight_.end(),
        [](const Waiting& a, const Waiting& b) { return a.deadline < b.deadline; });
    if (earliest->deadline > loop_.clock().mono()) return watch_deadline(earliest->deadline);
    end(Error{Errc::deadline_passed, name() + " did not answer in time"});
}

void BrokerConnection::close(const Error& why) {
    loop_.assert_here();
    end(why);
}

void BrokerConnection::on_closed(const Error& why) {
    loop_.assert_here();
    if (state_ == State::connecting) {
        return end(Error{Errc::unreachable, why.message});  // names the address
    }
    bool orderly = why.code == Errc::connection_closed || why.code == Errc::io_error;
    if (state_ == State::negotiating && orderly) {
        return end(Error{Errc::unreachable,
                         name() + " closed the connection before it told its versions: it is no "
                                  "Kafka broker, or it expects TLS"});
    }
    if (!orderly) return end(why);
    end(Error{Errc::connection_closed, "the connection to " + name() + " was lost" +
                                           (why.message.empty() ? "" : ": " + why.message)});
}

void BrokerConnection::end(Error why) {
    if (state_ == State::closed) return;
    state_ = State::closed;
    setup_timer_.cancel();
    deadline_timer_.cancel();
    hold_timer_.cancel();
    connection_.reset();
    held_.clear();
    for (auto& waiting : std::exchange(in_flight_, {})) {
        tell_observer(waiting, std::nullopt, why);
        waiting.done(why);
    }
    for (auto& sent : std::exchange(unanswered_, {}))
        sent(why);
    events_.ready = nullptr;
    if (auto closed = std::exchange(events_.closed, nullptr); closed != nullptr) closed(why);
}

}  // namespace kq

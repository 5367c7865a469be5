// SPDX-License-Identifier: Apache-2.0
#include "broker/session.hpp"

#include <algorithm>

#include "broker/sessions.hpp"
#include "protocol/frames.hpp"
#include "protocol/messages/00_produce.hpp"

namespace kq {
namespace {

// A frame that has not come whole and is longer than this gets a buffer of its own.
constexpr std::size_t small_frame_bytes_max = 16 * 1024;
constexpr std::size_t receive_bytes_max = 256 * 1024;  // in one call
constexpr int receives_per_turn_max = 4;               // then the others' turn
constexpr std::string_view anonymous = "User:ANONYMOUS";

// What a client speaks that is no client of Kafka's, from the four bytes where a size should be;
// "" where nothing is known.
std::string_view foreign_speech(ByteView first) {
    if (first[0] == 0x16 && first[1] == 3) return "TLS";  // a handshake record of SSL 3 or TLS 1
    const auto text = as_text(first.first(4));
    for (const std::string_view start :
         {"GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI ", "HTTP"}) {
        if (text == start) return "HTTP";
    }
    return {};
}

}  // namespace

void RequestSlot::answer(Chain frame, Millis pause) {
    if (auto* open = session()) open->answer(*request_, std::move(frame), pause);
}

void RequestSlot::answer_nothing() {
    if (auto* open = session()) open->answer_nothing(*request_);
}

void RequestSlot::fail(const char* reason, const Error& why) {
    if (auto* open = session()) open->close(reason, why);
}

Session::Session(Sessions& sessions, std::unique_ptr<Socket> socket, std::uint64_t id,
                 std::string listener)
    : sessions_(sessions),
      loop_(sessions.loop_),
      id_(id),
      connection_(sessions.network_.adopt(std::move(socket), *this)),
      peer_(connection_->peer()),
      listener_(std::move(listener)),
      last_activity_(loop_.clock().mono()),
      half_frame_timer_(loop_),
      pause_timer_(loop_),
      self_(std::make_shared<Session*>(this)) {
    state_.id = id_;
}

Session::~Session() {
    *self_ = nullptr;
}

// --- receiving

void Session::on_readable() {
    loop_.assert_here();
    if (closed_) return;
    bool holds_something = !unread_.bytes.empty() || large_filled_ > 0;
    if (holds_something && (is_blocked() || held_back_)) return stop_reading();
    receive();
}

// Nothing may be started now, whatever it is.
bool Session::is_blocked() const {
    return draining_ || others_ > 0 ||
           requests_.size() >= sessions_.options_.produce_pipeline_max || waiting_for_memory_ ||
           loop_.clock().mono() < paused_until_ ||
           connection_->unsent_bytes() > sessions_.options_.output_bytes_pause;
}

void Session::receive() {
    last_activity_ = loop_.clock().mono();
    for (int i = 0; i < receives_per_turn_max && !closed_; ++i) {
        bool more = large_ == nullptr ? receive_into_slab() : receive_large();
        if (closed_) return;
        // While a request is worked on the socket is read once, to hear whether its client has
        // left.
        if (is_blocked() || held_back_) {
            if (!unread_.bytes.empty() || large_filled_ > 0) stop_reading();
            break;
        }
        if (!more) break;
    }
    if (!closed_) watch_half_frame();
}

// Receives once behind the unread bytes, and takes apart what came. False when the socket is empty.
bool Session::receive_into_slab() {
    auto old = unread_.bytes.size();
    MutableBytes space = sessions_.buffers_.space(old + small_frame_bytes_max);
    if (space.empty()) {
        wait_for_memory();
        return false;
    }
    auto into = space.subspan(old, std::min(space.size() - old, receive_bytes_max));
    auto got = receive(into);
    if (got == 0) return false;
    std::copy(unread_.bytes.begin(), unread_.bytes.end(), space.begin());
    unread_.bytes = space.first(old + got);
    unread_.hold = sessions_.buffers_.take(old + got);
    process();
    return got == into.size();
}

bool Session::receive_large() {
    auto rest = large_->room().subspan(large_filled_);
    auto got = receive(rest);
    if (got == 0) return false;
    large_filled_ += got;
    if (is_large_whole()) {
        process();
        return true;
    }
    if (got < rest.size()) return false;
    if (ReceiveBuffers::grow(*large_)) return true;
    wait_for_memory();
    return false;
}

// How many bytes came; 0 when the socket is empty, or over.
std::size_t Session::receive(MutableBytes into) {
    auto got = connection_->receive(into);
    if (got.ok()) {
        sessions_.bytes_received_.add(got.value());
        received_ += got.value();
        return got.value();
    }
    if (got.code() != Errc::would_block) {
        close(got.code() == Errc::connection_closed ? "peer_closed" : "connection_lost",
              got.error());
    }
    return 0;
}

// A frame that will not come whole soon moves to a buffer of its own; false when memory is short.
// What is announced costs nothing: the buffer is counted in steps of twice what has come.
bool Session::start_large(std::size_t frame_bytes) {
    auto here = unread_.bytes.subspan(wire::frame_size_bytes);
    auto count = std::min(frame_bytes, std::max(small_frame_bytes_max, 2 * here.size()));
    auto single = sessions_.buffers_.single(frame_bytes, count);
    if (single == nullptr) {
        large_wanted_ = frame_bytes;
        wait_for_memory();
        return false;
    }
    large_wanted_ = 0;
    large_ = std::move(single);
    std::copy(here.begin(), here.end(), large_->room().begin());
    large_filled_ = here.size();
    unread_ = {};
    return true;
}

// --- taking apart

void Session::process() {
    if (processing_ || closed_) return;
    processing_ = true;
    held_back_ = false;
    if (is_large_whole()) {
        auto frame = large_->room();
        if (may_start(frame)) {
            auto hold = std::exchange(large_, nullptr);
            large_filled_ = 0;
            start_request(frame, std::move(hold));
        } else {
            held_back_ = true;
        }
    }
    if (!closed_ && large_ == nullptr) process_unread();
    processing_ = false;
    if (!closed_) send_answers();
}

void Session::process_unread() {
    while (!closed_ && unread_.bytes.size() >= wire::frame_size_bytes) {
        auto size = wire::frame_size(unread_.bytes.first(wire::frame_size_bytes),
                                     wire::frame_bytes_min, sessions_.options_.frame_bytes_max);
        if (!size.ok()) {
            tell_stranger();
            return close("frame_size", size.error());
        }
        auto whole = wire::frame_size_bytes + size.value();
        if (unread_.bytes.size() < whole) {
            if (size.value() > small_frame_bytes_max) {
                if (!start_large(size.value())) keep_unread();
                return;
            }
            break;
        }
        auto frame = unread_.bytes.subspan(wire::frame_size_bytes, size.value());
        if (!may_start(frame)) {
            held_back_ = true;
            break;
        }
        unread_.bytes = unread_.bytes.subspan(whole);
        start_request(frame, unread_.hold);
    }
    if (!closed_) keep_unread();
}

// A client on the wrong port, or a listener that should have been of another protocol: a person may
// have to act, and hears of each source once in a while.
void Session::tell_stranger() {
    const auto speech = foreign_speech(unread_.bytes.first(wire::frame_size_bytes));
    auto* limiter = sessions_.options_.strangers;
    if (speech.empty() || limiter == nullptr) return;
    if (!limiter->allows(peer_.host, loop_.clock().mono())) return;
    sessions_.log_.warn("a client speaks another protocol than its listener",
                        {kv("peer", peer_.host), kv("listener", listener_), kv("speaks", speech)});
}

// Produce requests may follow one another while they are worked on; everything else is alone.
bool Session::may_start(MutableBytes frame) const {
    if (is_blocked()) return false;
    return requests_.empty() ||
           load_be<std::int16_t>(frame.data()) == wire::ProduceRequest::info.key;
}

// Whether there is a point in going on: a frame that was held back may start now.
bool Session::may_continue() const {
    if (is_blocked()) return false;
    if (!held_back_) return true;
    return may_start(large_ == nullptr ? unread_.bytes.subspan(wire::frame_size_bytes)
                                       : large_->room());
}

// What is left moves out of the slab, so that a slow peer does not hold a megabyte.
void Session::keep_unread() {
    if (unread_.bytes.empty()) {
        unread_ = {};
        return;
    }
    if (unread_.bytes.size() > small_frame_bytes_max) return;  // whole frames that wait their turn
    auto own = std::make_shared<Bytes>(unread_.bytes.begin(), unread_.bytes.end());
    unread_.bytes = *own;
    unread_.hold = std::move(own);
}

void Session::start_request(MutableBytes frame, std::shared_ptr<const void> hold) {
    half_frame_since_ = MonoTime{};  // what follows is another frame
    sessions_.note_burst();
    auto parts = wire::decode_request_header(frame);
    if (!parts.ok()) return close("malformed_header", parts.error());
    auto& header = parts.value().header;

    auto request = std::make_shared<PendingRequest>();
    request->session = self_;
    request->is_produce = header.api_key == wire::ProduceRequest::info.key;
    if (!request->is_produce) ++others_;
    requests_.push_back(request);

    RequestContext context{
        .api_key = header.api_key,
        .api_version = header.api_version,
        .correlation_id = header.correlation_id,
        .client_id = std::move(header.client_id).value_or(std::string()),
        .listener = listener_,
        .principal = anonymous,
        .peer = peer_,
        .image = sessions_.image(),
        .loop = loop_,
        .clock = loop_.clock(),
        .connection = state_,
        .frame = frame,
        .body = parts.value().body,
        .frame_owner = std::move(hold),
    };
    sessions_.handler_.handle(context, RequestSlot(std::move(request)));
}

// --- answering

void Session::answer(PendingRequest& request, Chain frame, Millis pause) {
    loop_.assert_here();
    if (closed_) return;
    KQ_CHECK(!request.answered);
    request.answered = true;
    request.answer = std::move(frame);
    if (pause.count() > 0) {
        paused_until_ = std::max(paused_until_, loop_.clock().mono() + pause);
        pause_timer_.set(paused_until_, [this] {
            loop_.assert_here();
            continue_later();
        });
    }
    if (!processing_) send_answers();
}

void Session::answer_nothing(PendingRequest& request) {
    loop_.assert_here();
    if (closed_) return;
    auto found = std::find_if(requests_.begin(), requests_.end(),
                              [&](const auto& other) { return other.get() == &request; });
    KQ_CHECK(found != requests_.end() && request.is_produce && !request.answered);
    requests_.erase(found);
    if (!processing_) send_answers();
}

void Session::send_answers() {
    bool sent = false;
    std::size_t count = 0;
    while (count < requests_.size() && requests_[count]->answered) {
        connection_->send(std::move(requests_[count]->answer));
        if (!requests_[count]->is_produce) --others_;
        ++count;
        sent = true;
    }
    requests_.erase(requests_.begin(), requests_.begin() + static_cast<std::ptrdiff_t>(count));
    if (sent) {
        last_activity_ = loop_.clock().mono();
        if (connection_->unsent_bytes() > sessions_.options_.output_bytes_max) {
            return close("output_bound", Error{Errc::buffer_exhausted, "answers are not read"});
        }
    }
    if (requests_.empty() && draining_) {
        connection_->close_after_sending();
        return;
    }
    // What waits starts in a turn of its own: no handler runs inside another (T3).
    if ((reading_stopped_ || held_back_) && may_continue()) continue_later();
}

void Session::continue_later() {
    if (std::exchange(continuing_, true)) return;
    loop_.post([self = self_] {
        auto* session = *self;
        if (session == nullptr) return;
        session->loop_.assert_here();
        session->continuing_ = false;
        session->go_on();
    });
}

void Session::go_on() {
    if (closed_ || !may_continue()) return;
    process();
    if (closed_ || is_blocked() || held_back_) return;
    if (std::exchange(reading_stopped_, false)) connection_->resume_reading();
    watch_half_frame();  // the rest of a frame that had to wait for us
}

void Session::on_drained() {
    loop_.assert_here();
    if (closed_) return;
    last_activity_ = loop_.clock().mono();
    if ((reading_stopped_ || held_back_) && may_continue()) continue_later();
}

// --- limits

void Session::stop_reading() {
    if (std::exchange(reading_stopped_, true)) return;
    connection_->pause_reading();
}

void Session::wait_for_memory() {
    if (waiting_for_memory_) return;
    waiting_for_memory_.emplace(sessions_.budget_);
    stop_reading();
    sessions_.wait_for_memory(*this, large_ != nullptr);
}

bool Session::try_memory_again() {
    loop_.assert_here();
    if (closed_) return true;
    const bool has_memory = large_ != nullptr   ? ReceiveBuffers::grow(*large_)
                            : large_wanted_ > 0 ? start_large(large_wanted_)
                                                : true;
    if (!has_memory) return false;
    waiting_for_memory_.reset();
    continue_later();
    return true;
}

void Session::watch_half_frame() {
    if (!has_half_frame() || is_blocked() || held_back_) {
        half_frame_since_ = MonoTime{};
        return;
    }
    if (half_frame_since_ == MonoTime{}) {
        half_frame_since_ = loop_.clock().mono();
        progress_ = while_scarce_ = {half_frame_since_, received_};
        was_scarce_ = sessions_.budget_.is_short();
    }
    if (!half_frame_timer_.is_set()) check_half_frame_later();
}

void Session::check_half_frame_later() {
    const auto& options = sessions_.options_;
    const auto deadline = std::min(progress_.since + options.half_frame_max,
                                   while_scarce_.since + options.scarce_interval);
    half_frame_timer_.set(deadline, [this] {
        loop_.assert_here();
        check_half_frame();
    });
}

// A peer that stops in the middle of a frame, or lets it drip, holds memory for nothing.
void Session::check_half_frame() {
    if (closed_ || !has_half_frame() || half_frame_since_ == MonoTime{}) return;
    const auto& options = sessions_.options_;
    const auto now = loop_.clock().mono();
    if (now - progress_.since >= options.half_frame_max) {
        if (is_too_slow(now)) {
            return close("half_frame",
                         Error{Errc::deadline_passed, "the rest of a frame did not come"});
        }
        progress_ = {now, received_};
    }
    if (now - while_scarce_.since >= options.scarce_interval) {
        if (is_too_slow_for_others()) {
            return close("slow_frame", Error{Errc::deadline_passed,
                                             "a frame came slowly while others need its memory"});
        }
        while_scarce_ = {now, received_};
    }
    check_half_frame_later();
}

bool Session::is_too_slow(MonoTime now) const {
    const auto& options = sessions_.options_;
    const std::size_t frame = large_ == nullptr ? 0 : large_->frame_bytes();
    const auto whole = std::chrono::seconds(frame / options.half_frame_rate_min);
    return received_ - progress_.from < options.half_frame_progress_min ||
           now - half_frame_since_ >= options.half_frame_max + whole;
}

// By what it holds, not by a fixed rate: a slow link with a frame of a megabyte harms nobody, and
// to hold all memory a peer has to send much, however many connections it has. Others have to be
// seen waiting at the start and at the end: one that waits for a moment ends no slow frame.
bool Session::is_too_slow_for_others() {
    const bool is_scarce = sessions_.budget_.is_short();
    if (!std::exchange(was_scarce_, is_scarce) || !is_scarce || large_ == nullptr) return false;
    return received_ - while_scarce_.from < large_->room().size() / sessions_.options_.scarce_part;
}

void Session::close_if_idle(MonoTime before) {
    loop_.assert_here();
    if (last_activity_ > before || !requests_.empty()) return;
    close("idle", Error{Errc::deadline_passed, "idle"});
}

// --- the end

void Session::drain() {
    loop_.assert_here();
    if (std::exchange(draining_, true) || closed_) return;
    if (requests_.empty() && connection_->unsent_bytes() == 0) {
        return close("broker_stops", Error{Errc::connection_closed, "the broker stops"});
    }
    stop_reading();
    unread_ = {};
    if (requests_.empty()) connection_->close_after_sending();
}

void Session::on_closed(const Error& why) {
    close(why.code == Errc::connection_closed ? "closed" : "connection_lost", why);
}

void Session::close(const char* reason, const Error& why) {
    loop_.assert_here();
    if (closed_) return;
    closed_ = true;
    sessions_.count_closed(reason);
    if (sessions_.log_.is_on(LogLevel::debug)) {
        sessions_.log_.debug("connection closed", {kv("peer", peer_.text()), kv("reason", reason),
                                                   kv("why", why.message)});
    }
    connection_ = nullptr;
    over();
}

void Session::over() {
    auto requests = std::exchange(requests_, {});
    for (auto& request : requests)
        request->session = nullptr;
    for (auto& request : requests)
        request->leave();
    state_.fetch_session = nullptr;
    unread_ = {};
    waiting_for_memory_.reset();
    large_ = nullptr;
    half_frame_timer_.cancel();
    pause_timer_.cancel();
    sessions_.forget(*this);
}

void Session::abandon() {
    loop_.assert_here();
    closed_ = true;
    for (auto& request : requests_)
        request->abandon();
    requests_.clear();
    connection_ = nullptr;
}

}  // namespace kq

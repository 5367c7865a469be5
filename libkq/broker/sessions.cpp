// SPDX-License-Identifier: Apache-2.0
#include "broker/sessions.hpp"

#include <algorithm>

namespace kq {

Sessions::Sessions(Loop& loop, Network& network, MemoryBudget& budget, MetricRegistry& metrics,
                   Logger log, SessionOptions options, RequestHandler& handler)
    : loop_(loop),
      network_(network),
      budget_(budget),
      metrics_(metrics),
      log_(std::move(log)),
      options_(options),
      handler_(handler),
      buffers_(loop, budget),
      idle_timer_(loop),
      give_back_timer_(loop),
      connections_(metrics.gauge("kq_connections", "Open connections of clients.")),
      accepted_(metrics.counter("kq_connections_accepted_total", "Connections taken in.")),
      bytes_received_(metrics.counter("kq_received_bytes_total", "Bytes received from clients.")),
      memory_waits_(metrics.counter("kq_request_memory_waits_total",
                                    "Connections that had to wait for queued.max.request.bytes.")),
      self_(std::make_shared<Sessions*>(this)) {}

Sessions::~Sessions() {
    *self_ = nullptr;
    KQ_CHECK_MSG(sessions_.empty(), "connections outlive their loop's sessions");
}

void Sessions::serve(std::unique_ptr<Socket> socket, const std::string& listener, Task on_over) {
    loop_.assert_here();
    if (draining_) {
        socket = nullptr;
        on_over();
        return;
    }
    accepted_.add();
    connections_.add(1);
    auto id = ++last_id_;
    sessions_.emplace(id, Held{std::make_unique<Session>(*this, std::move(socket), id, listener),
                               std::move(on_over)});
    if (!idle_timer_.is_set()) look_for_idle();
}

void Sessions::drain(Task on_drained) {
    loop_.assert_here();
    draining_ = true;
    on_drained_ = std::move(on_drained);
    std::vector<Session*> all;
    for (auto& [id, held] : sessions_)
        all.push_back(held.session.get());
    for (auto* session : all)
        session->drain();
    if (sessions_.empty() && on_drained_ != nullptr) std::exchange(on_drained_, nullptr)();
}

void Sessions::close_all() {
    loop_.assert_here();
    draining_ = true;
    while (!sessions_.empty()) {
        sessions_.begin()->second.session->close("broker_stops",
                                                 Error{Errc::connection_closed, "stopping"});
    }
    idle_timer_.cancel();
}

void Sessions::abandon() {
    loop_.assert_here();
    draining_ = true;
    idle_timer_.cancel();
    give_back_timer_.cancel();
    for (auto& [id, held] : sessions_)
        held.session->abandon();
    sessions_.clear();
    growing_.clear();
    hungry_.clear();
}

void Sessions::wait_for_memory(Session& session, bool holds_some) {
    loop_.assert_here();
    memory_waits_.add();
    (holds_some ? growing_ : hungry_).push_back(&session);
    ask_for_memory();
}

void Sessions::ask_for_memory() {
    if (std::exchange(asked_for_memory_, true)) return;
    budget_.when_freed(loop_, [self = self_] {
        auto* sessions = *self;
        if (sessions == nullptr) return;
        sessions->loop_.assert_here();
        sessions->asked_for_memory_ = false;
        sessions->give_memory();
    });
    // It may have come back before the budget knew that we ask.
    loop_.post([self = self_] {
        auto* sessions = *self;
        if (sessions == nullptr) return;
        sessions->loop_.assert_here();
        sessions->give_memory();
    });
}

// Frames that hold memory come first: they give theirs back when they are whole.
void Sessions::give_memory() {
    if (!give_memory_to(growing_) || !give_memory_to(hungry_)) ask_for_memory();
}

// In the order in which they came; the first that still gets none keeps the others waiting, or a
// large frame would starve behind small ones.
bool Sessions::give_memory_to(std::deque<Session*>& waiting) {
    while (!waiting.empty()) {
        if (!waiting.front()->try_memory_again()) return false;
        waiting.pop_front();
    }
    return true;
}

void Sessions::forget(Session& session) {
    loop_.assert_here();
    std::erase(growing_, &session);
    std::erase(hungry_, &session);
    auto found = sessions_.find(session.id());
    KQ_CHECK(found != sessions_.end());
    Held held = std::move(found->second);
    sessions_.erase(found);
    connections_.add(-1);
    held.on_over();
    give_back_later();
    // Its own function may be what calls us: it dies in the next turn.
    loop_.post([dead = std::move(held.session)] {});
    if (sessions_.empty()) {
        idle_timer_.cancel();
        if (on_drained_ != nullptr) std::exchange(on_drained_, nullptr)();
    }
}

// Clients may stay connected when theirs is over.
void Sessions::note_burst() {
    loop_.assert_here();
    if (budget_.used() >= options_.burst_bytes) give_back_later();
}

// A burst is over when its connections close. Once is enough for those of the next seconds.
void Sessions::give_back_later() {
    if (options_.give_back_memory == nullptr || draining_ || give_back_timer_.is_set()) return;
    auto at = loop_.clock().mono() + options_.give_back_delay;
    if (gave_back_) at = std::max(at, *gave_back_ + options_.give_back_interval);
    give_back_timer_.set(at, [this] {
        loop_.assert_here();
        gave_back_ = loop_.clock().mono();
        options_.give_back_memory();
        note_burst();  // it goes on
    });
}

void Sessions::count_closed(const char* reason) {
    loop_.assert_here();
    auto& counter = closed_[reason];
    if (counter == nullptr) {
        counter = &metrics_.counter("kq_connections_closed_total", "Connections closed, by reason.",
                                    {{"reason", reason}});
    }
    counter->add();
}

// Once a tenth of the limit, and only while there are connections: an idle broker sleeps.
void Sessions::look_for_idle() {
    if (options_.idle_max.count() < 0) return;
    auto before = loop_.clock().mono() - options_.idle_max;
    std::vector<Session*> all;
    for (auto& [id, held] : sessions_)
        all.push_back(held.session.get());
    for (auto* session : all)
        session->close_if_idle(before);
    if (sessions_.empty()) return;
    idle_timer_.set_after(std::max(options_.idle_max / 10, Millis{1000}), [this] {
        loop_.assert_here();
        look_for_idle();
    });
}

}  // namespace kq

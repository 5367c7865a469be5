// SPDX-License-Identifier: Apache-2.0
//
// Broker, from start() to stopped.
#include <algorithm>

#include "broker/broker.hpp"

namespace kq {
namespace {

constexpr auto drain_max = std::chrono::seconds(5);  // for what is in flight when we stop
constexpr auto leave_max = std::chrono::seconds(3);  // for the controller to let us go

}  // namespace

// --- start()

void Broker::start(Callback<void(Status)> on_ready, Callback<void(Error)> on_failed) {
    seams_.control.assert_here();
    KQ_CHECK(phase_ == Phase::opened);
    phase_ = Phase::starting;
    started_at_ = seams_.control.clock().mono();
    on_ready_ = std::move(on_ready);
    on_failed_ = std::move(on_failed);
    metadata_->start([this](Status status) {
        seams_.control.assert_here();
        if (!status.ok()) return start_failed(status.error());
        register_self();
    });
}

void Broker::register_self() {
    if (phase_ != Phase::starting) return;
    BrokerStart start;
    start.incarnation = seams_.random.uuid();
    start.endpoints = endpoints_;
    start.rack = options_.config->optional_text("broker.rack");
    for (const auto& directory : directories_) {
        start.log_dirs.push_back(directory->identity()->directory_id);
    }
    std::sort(start.log_dirs.begin(), start.log_dirs.end());
    start.previous_stop = previous_stop();
    metadata_->register_broker(std::move(start), [this](Result<BrokerEpoch> epoch) {
        seams_.control.assert_here();
        if (!epoch.ok()) return start_failed(epoch.error());
        epoch_ = epoch.value();
        go_on_starting();
    });
}

void Broker::on_image(MetadataImage image, std::shared_ptr<const MetadataDelta> delta) {
    seams_.control.assert_here();
    auto under_way = std::make_shared<ImageUnderWay>(ImageUnderWay{image});
    images_.push_back(under_way);
    data_plane_->apply(
        image, std::move(delta),
        [this, under_way] {
            seams_.control.assert_here();
            under_way->applied = true;
            on_applied();
        },
        [this, image](std::size_t loop) { data_sides_[loop]->sessions.set_image(image); });
}

// Opening a log may take longer than the next image: what is reported is what all before it have
// too.
void Broker::on_applied() {
    bool any = false;
    while (!images_.empty() && images_.front()->applied) {
        applied_ = images_.front()->image;
        images_.pop_front();
        any = true;
    }
    if (!any) return;
    metadata_->applied(applied_->applied_offset);
    go_on_starting();
}

// Registered and caught up: leave the fence; unfenced, as every loop knows: clients may come.
void Broker::go_on_starting() {
    if (!epoch_ || applied_ == nullptr) return;
    if (phase_ == Phase::starting && applied_->applied_offset.value >= epoch_->value) {
        phase_ = Phase::unfencing;
        data_plane_->directories().note_boot([this](Status noted) {
            seams_.control.assert_here();
            if (phase_ != Phase::unfencing) return;
            if (!noted.ok()) return start_failed(noted.error());
            leave_the_fence();
        });
        return;
    }
    if (phase_ == Phase::unfencing && unfenced_ && applied_->is_active(id_)) let_clients_in();
}

void Broker::leave_the_fence() {
    metadata_->unfence([this](Status status) {
        seams_.control.assert_here();
        if (!status.ok()) return start_failed(status.error());
        unfenced_ = true;
        go_on_starting();
    });
}

// "PLAINTEXT://127.0.0.1:9092,LAN://0.0.0.0:9093 as kq.example.org:9093": where each listens, and
// what it is called where that differs.
std::string Broker::listeners_text() const {
    std::string text;
    for (std::size_t i = 0; i < bound_.size(); ++i) {
        const Endpoint told{endpoints_[i].host, endpoints_[i].port};
        text += (i == 0 ? "" : ",") + endpoints_[i].listener + "://" + bound_[i].text();
        if (told.text() != bound_[i].text()) text += " as " + told.text();
    }
    return text;
}

void Broker::let_clients_in() {
    phase_ = Phase::ready;
    data_sides_.front()->loop.post([this] { acceptor_->open(); });
    if (status_ != nullptr) status_->set_not_ready_because("");
    seams_.log.info("broker is ready",
                    {kv("id", id_), kv("cluster", cluster_id_), kv("listeners", listeners_text()),
                     kv("took", seams_.control.clock().mono() - started_at_)});
    if (auto on_ready = std::exchange(on_ready_, nullptr)) on_ready(done());
}

void Broker::start_failed(const Error& why) {
    if (auto on_ready = std::exchange(on_ready_, nullptr)) {
        never_served_ = true;
        on_ready(why);
    } else {
        fail(why);
    }
}

// --- what may go wrong

void Broker::fail(Error why) {
    if (phase_ == Phase::stopping || phase_ == Phase::stopped) return;
    if (status_ != nullptr) status_->set_not_ready_because("failed");
    if (auto on_failed = std::exchange(on_failed_, nullptr)) on_failed(std::move(why));
}

void Broker::on_metadata_failed(Error error) {
    seams_.control.assert_here();
    metadata_lost_ = true;
    seams_.log.error("the metadata log is lost to this node", {kv("why", error)});
    start_failed(error);
}

// A node without its metadata, or without any disk, is of no use: it gives up, as Kafka does.
void Broker::directory_failed(std::uint32_t directory, const Error& why) {
    const auto& path = data_plane_->directories().path(directory);
    seams_.log.error("a log directory is offline", {kv("directory", path), kv("why", why)});
    if (path == metadata_directory_) {
        metadata_lost_ = true;
        start_failed({why.code, "the directory of the metadata log, '" + path +
                                    "', has failed: " + why.message});
    }
    if (++failed_directories_ == directories_.size()) {
        start_failed({why.code, "all log directories have failed, the last one, '" + path +
                                    "', with: " + why.message});
    }
}

// --- stop()

struct Broker::Stopping {
    std::size_t draining = 0;  // loops that still answer
    bool left = false;         // the cluster, or the patience for it
    bool clean = true;
    std::unique_ptr<Timer> timer;
    Callback<void(bool)> on_stopped;
};

void Broker::stop(Callback<void(bool clean)> on_stopped) {
    seams_.control.assert_here();
    KQ_CHECK(phase_ != Phase::stopping && phase_ != Phase::stopped);
    phase_ = Phase::stopping;
    if (status_ != nullptr) status_->set_not_ready_because("stopping");
    auto stopping = std::make_shared<Stopping>();
    stopping->on_stopped = std::move(on_stopped);
    stopping->timer = std::make_unique<Timer>(seams_.control);
    data_sides_.front()->loop.post([this] { acceptor_->close(); });
    drain_sessions(std::move(stopping));
}

// What is being worked on is answered; a fetch that waits for records is, with none.
void Broker::drain_sessions(std::shared_ptr<Stopping> stopping) {
    stopping->draining = data_sides_.size();
    stopping->timer->set_after(drain_max, [this] {
        for (auto& side : data_sides_) {
            side->loop.post([&sessions = side->sessions] { sessions.close_all(); });
        }
    });
    for (std::size_t i = 0; i < data_sides_.size(); ++i) {
        data_sides_[i]->loop.post([this, i, stopping] {
            data_sides_[i]->sessions.drain([this, stopping] {
                seams_.control.post([this, stopping] {
                    seams_.control.assert_here();
                    if (--stopping->draining == 0) leave_cluster(stopping);
                });
            });
            data_plane_->data_loop(i).fetches.stop();
        });
    }
}

void Broker::leave_cluster(std::shared_ptr<Stopping> stopping) {
    if (!epoch_ || metadata_lost_) return close_metadata(std::move(stopping));
    auto once = [this, stopping](bool in_time) {
        seams_.control.assert_here();
        if (std::exchange(stopping->left, true)) return;
        if (!in_time) seams_.log.warn("the controller did not let this broker go in time");
        stopping->timer->cancel();
        close_metadata(stopping);
    };
    stopping->timer->set_after(leave_max, [once] { once(false); });
    metadata_->drain([once](Status status) { once(status.ok()); });
}

void Broker::close_metadata(std::shared_ptr<Stopping> stopping) {
    stopping->timer->cancel();
    if (metadata_lost_) stopping->clean = false;
    metadata_->stop([this, stopping](Status closed) {
        seams_.control.assert_here();
        if (!closed.ok()) stopping->clean = false;
        close_logs(stopping);
    });
}

// Last: the clean marker says that everything else is closed.
void Broker::close_logs(std::shared_ptr<Stopping> stopping) {
    if (failed_directories_ > 0) stopping->clean = false;
    data_plane_->stop(epoch_.value_or(BrokerEpoch{-1}), [this, stopping](bool clean) {
        seams_.control.assert_here();
        stopping->clean = stopping->clean && clean;
        phase_ = Phase::stopped;
        if (never_served_) {
            leave_no_trace();  // its error is all there is to say
        } else {
            seams_.log.info("broker has stopped", {kv("id", id_), kv("clean", stopping->clean)});
        }
        std::exchange(stopping->on_stopped, nullptr)(stopping->clean);
    });
}

}  // namespace kq

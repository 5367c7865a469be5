// SPDX-License-Identifier: Apache-2.0
//
// MetadataNode: start, stop, and what the log tells: images are made of it.
#include "metadata/metadata_core.hpp"

#include <utility>

#include "base/check.hpp"
#include "consensus/quorum_directory.hpp"
#include "metadata/metadata_directory.hpp"

namespace kq {
namespace {

QuorumNodeOptions quorum_options(const MetadataNodeOptions& options) {
    const auto& config = *options.config;
    const auto& endpoint = options.controller_endpoint;
    QuorumNodeOptions quorum;
    quorum.self = {options.node_id, options.directory_id};
    quorum.directory = options.directory + '/' + std::string(metadata_log_directory);
    quorum.static_voters = configured_voters(config);
    quorum.endpoints = {{endpoint.listener, endpoint.host, endpoint.port}};
    quorum.log.segment_bytes = config.integer("metadata.log.segment.bytes");
    quorum.log.segment_ms = config.duration("metadata.log.segment.ms");
    // Segments go when a snapshot covers them, whatever their age and size.
    quorum.log.retention_bytes = -1;
    quorum.log.retention_ms = Millis{-1};
    quorum.note_sync_interval = config.duration("replica.high.watermark.checkpoint.interval.ms");
    quorum.retention.bytes = config.integer("metadata.max.retention.bytes");
    quorum.retention.age = config.duration("metadata.max.retention.ms");
    return quorum;
}

Voter own_voter(const MetadataNodeOptions& options) {
    const auto& endpoint = options.controller_endpoint;
    return {{options.node_id, options.directory_id},
            {{endpoint.listener, endpoint.host, endpoint.port}},
            0,
            kraft_version_max};
}

}  // namespace

MetadataNode::Core::Core(MetadataSeams seams, MetadataNodeOptions options, ImageListener& listener)
    : loop_(seams.loop),
      files_(seams.files),
      pool_(seams.pool),
      random_(seams.random),
      logger_(seams.log),
      options_(std::move(options)),
      listener_(listener),
      image_(std::make_shared<const MetadataState>()),
      snapshot_timer_(loop_) {
    KQ_CHECK(options_.config != nullptr);
    quorum_ = std::make_unique<QuorumNode>(QuorumSeams{loop_, files_, pool_, random_, logger_},
                                           quorum_options(options_),
                                           static_cast<ReplicatedLogListener&>(*this));
    machine_ = std::make_unique<Machine>(
        loop_, *quorum_, StateMachineOptions{Errc::not_controller, Errc::not_controller});
}

MetadataNode::Core::~Core() = default;

// ---- start ----

void MetadataNode::Core::start(Callback<void(Status)> on_ready) {
    loop_.assert_here();
    KQ_CHECK(phase_ == Phase::opening && !on_ready_);
    on_ready_ = std::move(on_ready);
    struct Prepared {
        Status status = done();
        std::vector<wire::MetadataRecord> bootstrap;
    };
    auto prepared = std::make_shared<Prepared>();
    NewDirectory node{options_.directory, options_.log_dirs, own_voter(options_)};
    pool_.submit(
        loop_,
        [&files = files_, prepared, node = std::move(node), now = loop_.clock().wall()] {
            prepared->status = prepare_metadata_directory(files, node, now);
            if (!prepared->status.ok()) return;
            auto records = read_bootstrap_records(files, node.directory);
            if (records.ok()) {
                prepared->bootstrap = std::move(records).value();
            } else {
                prepared->status = records.error();
            }
        },
        [this, prepared, alive = std::weak_ptr(alive_)] {
            if (alive.expired()) return;
            loop_.assert_here();
            on_directory_ready(prepared->status, std::move(prepared->bootstrap));
        });
}

void MetadataNode::Core::on_directory_ready(Status prepared,
                                            std::vector<wire::MetadataRecord> bootstrap) {
    if (phase_ == Phase::stopped) return;
    if (!prepared.ok()) return give_up(std::move(prepared).error());
    bootstrap_ = std::move(bootstrap);
    phase_ = Phase::replaying;
    quorum_->start([this](Status started) {
        loop_.assert_here();
        if (!started.ok()) give_up(std::move(started).error());
    });
}

// Elected, and everything committed before is known.
void MetadataNode::Core::on_leader(Epoch epoch) {
    loop_.assert_here();
    logger_.info("controller is active", {kv("epoch", epoch)});
    machine_->activate(epoch, committed_);
    if (phase_ != Phase::replaying) return;
    phase_ = Phase::starting;
    write_first_records();
}

// A transaction that an earlier leader left open is ended; an empty log gets the records that a
// cluster begins with; and the controller says who it is.
void MetadataNode::Core::write_first_records() {
    const bool is_new = committed_.state().metadata_version() == 0;
    if (committed_.is_in_transaction()) {
        ask<Status>(
            [](const MetadataReplay&, Offset) {
                return MetadataDecision<Status>{
                    {wire::AbortTransactionRecord{"left open by an earlier controller"}}, done()};
            },
            [](const Result<Settled<Status>>&) {});
    }
    if (is_new) {
        ask<Status>(
            [this](const MetadataReplay&, Offset) {
                loop_.assert_here();
                return bootstrap(bootstrap_, context());
            },
            [this](Result<Settled<Status>> settled) {
                loop_.assert_here();
                if (settled.ok()) become_running();
            });
    }
    ask<Status>(
        [this](const MetadataReplay&, Offset) {
            return register_controller(options_.node_id, random_.uuid(),
                                       options_.controller_endpoint);
        },
        [](const Result<Settled<Status>>&) {});
    if (!is_new) become_running();
}

void MetadataNode::Core::become_running() {
    if (phase_ != Phase::starting) return;
    phase_ = Phase::running;
    publish();
    if (auto on_ready = std::exchange(on_ready_, nullptr)) on_ready(done());
    consider_snapshot();
}

// What failed at start is told to whoever waits for it; later failures to the listener.
void MetadataNode::Core::give_up(Error error) {
    if (phase_ == Phase::stopped) return;
    phase_ = Phase::stopped;
    machine_->close();
    answer_waiting(Offset{0}, true);
    if (auto on_ready = std::exchange(on_ready_, nullptr)) {
        on_ready(std::move(error));
    } else if (!stopping_) {
        listener_.on_metadata_failed(std::move(error));
    }
}

void MetadataNode::Core::on_failed(Error error) {
    loop_.assert_here();
    give_up(std::move(error));
    if (stopping_) stop_when_settled();
}

void MetadataNode::Core::on_resigned(Epoch epoch) {
    loop_.assert_here();
    logger_.info("controller resigned", {kv("epoch", epoch)});
    machine_->close();
    machine_->reset();
}

// ---- stop ----

void MetadataNode::Core::stop(Callback<void(Status)> on_stopped) {
    loop_.assert_here();
    KQ_CHECK(!stopping_);
    stopping_ = true;
    on_stopped_ = std::move(on_stopped);
    snapshot_timer_.cancel();
    stop_when_settled();
}

// What was appended is committed first, so that everybody gets a true answer.
void MetadataNode::Core::stop_when_settled() {
    if (!stopping_ || !on_stopped_) return;
    if (phase_ != Phase::stopped && machine_->parked_count() > 0) return;
    phase_ = Phase::stopped;
    machine_->close();
    answer_waiting(Offset{0}, true);
    quorum_->stop([this, stopped = std::exchange(on_stopped_, nullptr)](Status closed) mutable {
        if (!closed.ok())
            logger_.warn("metadata log did not close cleanly", {kv("error", closed.error())});
        stopped(std::move(closed));
    });
}

// ---- what the log tells ----

Status MetadataNode::Core::on_snapshot(const SnapshotView& snapshot) {
    loop_.assert_here();
    committed_ = MetadataReplay();
    std::vector<wire::MetadataRecord> records;
    auto flush = [&]() -> Status {
        loop_.assert_here();
        KQ_TRY(committed_.apply(records));
        records.clear();
        return done();
    };
    KQ_TRY(snapshot.for_each([&](const LogRecordView& record) -> Status {
        KQ_LET(auto decoded, wire::decode_metadata_record(record.value.value_or(ByteView())));
        records.push_back(std::move(decoded.record));
        return records.size() < 4096 ? done() : flush();
    }));
    KQ_TRY(flush());
    consistent_offset_ = snapshot.end - 1;
    consistent_epoch_ = snapshot.epoch;
    consistent_timestamp_ = snapshot.last_timestamp;
    snapshot_end_ = snapshot.end;
    return done();
}

Status MetadataNode::Core::on_committed(const CommittedBatch& batch) {
    loop_.assert_here();
    if (!batch.is_control) {
        std::vector<wire::MetadataRecord> records;
        records.reserve(batch.records.size());
        for (const auto& record : batch.records) {
            KQ_LET(auto decoded, wire::decode_metadata_record(record.value.value_or(ByteView())));
            records.push_back(std::move(decoded.record));
        }
        KQ_TRY(committed_.apply(records, &delta_));
    }
    if (!committed_.is_in_transaction()) {
        consistent_offset_ = batch.last;
        consistent_epoch_ = batch.epoch;
        consistent_timestamp_ = batch.timestamp;
        schedule_publication();
    }
    machine_->on_committed(batch.last + 1);
    // Both states say the same now: one of them is enough in memory.
    if (is_controller() && quorum_->log_end() == quorum_->committed_end())
        machine_->rebase(committed_);
    stop_when_settled();
    return done();
}

// ---- images ----

// Once a turn: what was committed together is published together.
void MetadataNode::Core::schedule_publication() {
    if (phase_ != Phase::running || std::exchange(publication_scheduled_, true)) return;
    loop_.at_turn_end([this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        loop_.assert_here();
        publication_scheduled_ = false;
        if (phase_ != Phase::running || committed_.is_in_transaction()) return;
        publish();
        consider_snapshot();
    });
}

void MetadataNode::Core::publish() {
    auto image = std::make_shared<MetadataState>(committed_.state());
    image->applied_offset = consistent_offset_;
    image->applied_epoch = consistent_epoch_;
    image->applied_timestamp = consistent_timestamp_;
    image->kraft_version = quorum_->kraft_version();
    const bool is_first = image_->applied_offset == no_offset;
    auto delta = std::make_shared<MetadataDelta>(is_first ? compare(*image_, *image)
                                                          : std::exchange(delta_, {}));
    delta_ = {};
    image_ = std::move(image);
    listener_.on_image(image_, std::move(delta));
}

// ---- snapshots ----

void MetadataNode::Core::consider_snapshot() {
    const auto& config = *options_.config;
    const auto bytes_max = static_cast<std::uint64_t>(
        config.integer("metadata.log.max.record.bytes.between.snapshots"));
    if (quorum_->bytes_since_snapshot() >= bytes_max && !snapshotting_)
        return write_snapshot_of(image_, [](Status) {});
    const auto interval = config.duration("metadata.log.max.snapshot.interval.ms");
    if (interval <= Millis{0} || snapshot_timer_.is_set()) return;
    snapshot_timer_.set_after(interval, [this] {
        loop_.assert_here();
        if (phase_ != Phase::running) return;
        if (image_->applied_offset >= snapshot_end_ && !snapshotting_)
            write_snapshot_of(image_, [](Status) {});
        // The next one is due that long after the next change.
    });
}

void MetadataNode::Core::take_snapshot(Callback<void(Status)> on_done) {
    loop_.assert_here();
    if (phase_ != Phase::running) return on_done(Error(Errc::not_controller));
    write_snapshot_of(image_, std::move(on_done));
}

void MetadataNode::Core::write_snapshot_of(MetadataImage image, Callback<void(Status)> on_done) {
    snapshotting_ = true;
    SnapshotContent content;
    content.end = image->applied_offset + 1;
    content.epoch = image->applied_epoch;
    content.last_timestamp = image->applied_timestamp;
    content.write = [image](const std::function<Status(Bytes)>& write) {
        return write_as_records(*image, [&](const wire::MetadataRecord& record) {
            return write(wire::encode_metadata_record(
                record, record_version(record, image->metadata_version())));
        });
    };
    quorum_->take_snapshot(std::move(content), [this, end = image->applied_offset + 1,
                                                reply = std::move(on_done)](Status status) mutable {
        loop_.assert_here();
        snapshotting_ = false;
        if (status.ok()) snapshot_end_ = std::max(snapshot_end_, end);
        reply(status);
    });
}

// ---- questions ----

MetadataImage MetadataNode::Core::image() const {
    loop_.assert_here();
    return image_;
}

bool MetadataNode::Core::is_controller() const {
    loop_.assert_here();
    return machine_->phase() == Machine::Phase::active;
}

BrokerId MetadataNode::Core::leader_id() const {
    loop_.assert_here();
    return quorum_->leader();
}

Epoch MetadataNode::Core::leader_epoch() const {
    loop_.assert_here();
    return quorum_->epoch();
}

BrokerEpoch MetadataNode::Core::broker_epoch() const {
    loop_.assert_here();
    const auto* broker = image_->broker(options_.node_id);
    return broker == nullptr ? BrokerEpoch{-1} : broker->epoch;
}

}  // namespace kq

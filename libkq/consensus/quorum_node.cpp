// SPDX-License-Identifier: Apache-2.0
#include "consensus/quorum_node.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "protocol/compression.hpp"

namespace kq {
namespace {

constexpr std::uint32_t deliver_bytes = 256 * 1024;  // a turn
constexpr Millis sync_retry_interval{1'000};         // after one that found no room
constexpr std::size_t unpacked_bytes_max = std::size_t{64} << 20;

}  // namespace

QuorumNode::QuorumNode(QuorumSeams seams, QuorumNodeOptions options,
                       ReplicatedLogListener& listener)
    : loop_(seams.loop),
      files_(seams.files),
      pool_(seams.pool),
      random_(seams.random),
      logger_(seams.logger),
      options_(std::move(options)),
      listener_(listener),
      timer_(loop_),
      sync_timer_(loop_),
      note_timer_(loop_),
      state_timer_(loop_) {}

QuorumNode::~QuorumNode() = default;

// ---- opening ----

void QuorumNode::start(Callback<void(Status)> on_started) {
    loop_.assert_here();
    KQ_CHECK(quorum_ == nullptr);
    struct Load {
        std::optional<Result<LoadedQuorum>> result;
        Callback<void(Status)> on_started;
    };
    auto load = std::make_shared<Load>();
    load->on_started = std::move(on_started);
    run_on_pool(
        [load, &files = files_, &clock = loop_.clock(), logger = logger_,
         directory = options_.directory,
         log = options_.log] { load->result = load_quorum(files, clock, logger, directory, log); },
        [load, this] {
            loop_.assert_here();
            on_loaded(std::move(*load->result), std::move(load->on_started));
        });
}

void QuorumNode::on_loaded(Result<LoadedQuorum> loaded, Callback<void(Status)> on_started) {
    if (!loaded.ok()) return on_started(loaded.error());
    if (stopping_) return on_started(Error(Errc::cancelled, "the node stops"));
    LoadedQuorum& found = loaded.value();
    if (auto taken = take_voters(found); !taken.ok()) return on_started(taken);
    log_ = std::move(found.log);
    delivered_ = found.outline.start();
    noted_ = found.committed_end;
    if (found.snapshot) {
        delivered_voters_ = found.snapshot->voters;
        if (auto told = tell_snapshot(*found.snapshot); !told.ok()) return on_started(told);
    }
    logger_.info("metadata log opened", {kv("start", log_->log_start()), kv("end", log_->log_end()),
                                         kv("epoch", state_file_.election.epoch),
                                         kv("voters", voter_names(voters_.voters))});
    quorum_ = std::make_unique<Quorum>(random_, options_.self, voters_.voters, options_.timings,
                                       state_file_.election, std::move(found.outline));
    on_started(done());
    step(QuorumTick{});
}

Status QuorumNode::take_voters(const LoadedQuorum& loaded) {
    KQ_LET(voters_,
           settle_voters({loaded.voters, loaded.state}, options_.static_voters, options_.self));
    if (loaded.state) state_file_ = *loaded.state;
    state_file_.data_version = voters_.kraft_version > 0 ? 1 : 0;
    if (state_file_.data_version == 0) {
        state_file_.current_voters.clear();
        for (const auto& [id, voter] : voters_.voters)
            state_file_.current_voters.push_back(id);
    }
    return done();
}

Status QuorumNode::tell_snapshot(const LoadedSnapshot& snapshot) {
    if (snapshot.id.end == Offset{0}) return done();  // only voters: the state is empty
    SnapshotView view;
    view.end = snapshot.id.end;
    view.epoch = snapshot.id.epoch;
    view.last_timestamp = snapshot.last_timestamp;
    view.for_each = [&](const std::function<Status(const LogRecordView&)>& visit) {
        return for_each_snapshot_record(*snapshot.content, [&](const RecordView& record) {
            return visit(LogRecordView{record.offset, record.key, record.value});
        });
    };
    return listener_.on_snapshot(view);
}

// ---- the machine ----

void QuorumNode::step(QuorumInput input) {
    inputs_.push_back(std::move(input));
    if (stepping_) return;
    stepping_ = true;
    while (!inputs_.empty()) {
        auto next = std::move(inputs_.front());
        inputs_.pop_front();
        act(quorum_->step(loop_.clock().mono(), std::move(next)));
    }
    stepping_ = false;
}

void QuorumNode::act(QuorumOutputs outputs) {
    if (outputs.failure) return fail(std::move(*outputs.failure));
    // With one voter there is nobody to speak to, to fetch from, or to be cut by.
    KQ_CHECK(outputs.messages.empty() && !outputs.append && !outputs.truncate_to &&
             !outputs.fetch_snapshot);
    if (outputs.persist) persist(*outputs.persist);
    if (outputs.leader_change) append_leader_change(*outputs.leader_change);
    if (outputs.committed) {
        log_->advance_high_watermark(*outputs.committed);
        schedule_delivery();
        note_committed_end();
    }
    if (outputs.role_changed) {
        logger_.info("quorum role changed",
                     {kv("epoch", quorum_->epoch()), kv("leader", quorum_->leader())});
        schedule_delivery();
    }
    if (outputs.deadline) {
        timer_.set(*outputs.deadline, [this] {
            loop_.assert_here();
            step(QuorumTick{});
        });
    } else {
        timer_.cancel();
    }
}

void QuorumNode::persist(const ElectionState& state) {
    state_file_.election = state;
    write_state_file();
}

// For lack of descriptors, or of room, it is tried again: until the disk has it, nobody hears of
// the vote, and nothing is lost but time. Only a start that finds its disk full says so at once.
void QuorumNode::write_state_file() {
    auto written = std::make_shared<Status>(done());
    auto file = state_file_;
    run_on_pool([&files = files_, path = options_.directory + "/quorum-state", written,
                 file = std::move(file)] { *written = write_quorum_state(files, path, file); },
                [this, written] {
                    loop_.assert_here();
                    if (written->ok()) {
                        voted_ = true;
                        return step(ElectionPersisted{});
                    }
                    const bool is_start = !voted_ && written->code() == Errc::disk_full;
                    if (is_start || !is_shortage(written->code())) return fail(written->error());
                    if (stopping_ || failed_) return;
                    logger_.warn("quorum-state cannot be written; it is tried again",
                                 {kv("error", written->error())});
                    state_timer_.set_after(sync_retry_interval, [this] {
                        loop_.assert_here();
                        write_state_file();
                    });
                });
}

// The first batch of an epoch. The first leader of a quorum whose voters were given by the format
// step writes them into the log; a lone voter that moved to another endpoint says so.
void QuorumNode::append_leader_change(const LeaderChange& change) {
    VoterSet voters = voters_.voters;
    auto& self = voters.at(options_.self.id);
    if (!options_.endpoints.empty()) self.endpoints = options_.endpoints;
    const bool moved = voters != voters_.voters;
    const bool dynamic = voters_.kraft_version > 0;

    const Offset base = log_->log_end();
    ControlBatch batch;
    batch.add_leader_change(change);
    if (dynamic && !voters_.written) {
        batch.add_kraft_version(voters_.kraft_version);
        batch.add_voters(voters);
        voters_ = {voters_.kraft_version, voters, base + 2};
    }
    log_->assign_epoch_start(change.epoch, base);
    auto written =
        write(batch.finish(base, change.epoch, now_wall()), change.epoch, base + batch.size());
    if (written.ok() && dynamic && moved && voters_.written < base) {
        ControlBatch update;
        update.add_voters(voters);
        const Offset at = log_->log_end();
        written = write(update.finish(at, change.epoch, now_wall()), change.epoch, at + 1);
        voters_ = {voters_.kraft_version, voters, at};
    }
    if (!written.ok()) return fail(written.error());
    step(VotersChanged{voters_.voters});
}

Result<Offset> QuorumNode::append(Epoch epoch, std::vector<LogRecord> records) {
    loop_.assert_here();
    KQ_CHECK(!records.empty());
    if (failed_) return Error(Errc::kafka_storage_error, "the metadata log failed before");
    if (stopping_ || told_leader_ != epoch) return Error(Errc::not_leader_or_follower);
    std::vector<Bytes> values;
    std::size_t bytes = 0;
    for (auto& record : records) {
        KQ_CHECK(!record.key && record.value);  // metadata records have no key
        bytes += record.value->size() + 32;
        values.push_back(std::move(*record.value));
    }
    if (bytes > batch_bytes_max())
        return Error(Errc::record_list_too_large, "the change does not fit one batch of metadata");
    const Offset base = log_->log_end();
    const Offset end = base + static_cast<std::int64_t>(values.size());
    KQ_LET(const auto batch, make_data_batch(values, base, epoch, now_wall()));
    if (auto written = write(batch, epoch, end); !written.ok()) {
        if (!is_shortage(written.code())) fail(written.error());
        return written.error();
    }
    return end - 1;
}

Status QuorumNode::write(ByteView batch, Epoch epoch, Offset end) {
    KQ_TRY(log_->append_as_follower(batch));
    KQ_CHECK(log_->log_end() == end);
    step(LogAppended{epoch, end});
    sync();
    return done();
}

// One round at a time: what is appended meanwhile waits for the next one, together.
void QuorumNode::sync() {
    if (syncing_ || failed_ || closing_ || !log_->needs_sync()) return;
    syncing_ = true;
    struct Round {
        SyncJob job;
        Status result = done();
    };
    auto round = std::make_shared<Round>(Round{log_->begin_sync()});
    run_on_pool([round] { round->result = round->job.run(); },
                [this, round] {
                    loop_.assert_here();
                    syncing_ = false;
                    log_->finish_sync(round->job, round->result);
                    if (round->result.ok()) {
                        step(LogSynced{log_->durable_end()});
                        sync();
                    } else if (log_->failed()) {
                        fail(round->result.error());
                    } else {
                        sync_again_later();
                    }
                });
}

// A small file found no room; the records have theirs.
void QuorumNode::sync_again_later() {
    sync_timer_.set_after(sync_retry_interval, [this] {
        loop_.assert_here();
        if (!stopping_) sync();
    });
}

// ---- the note of the committed end ----

// For a start after a crash, which must tell what the crash tore from what was lost otherwise. Of
// the log everything up to there is on disk; the note itself is left to the page cache, most times.
void QuorumNode::note_committed_end() {
    if (noting_ || failed_ || stopping_) return;
    const Offset end = quorum_->high_watermark();
    const bool sync = note_sync_due_ && end > note_synced_;
    if (end <= noted_ && !sync) return;
    KQ_CHECK(end <= log_->durable_end());
    noting_ = true;
    const auto outlives = sync ? Outlives::power : Outlives::process;
    auto written = std::make_shared<Status>(done());
    run_on_pool([&files = files_, directory = options_.directory, end, outlives,
                 written] { *written = write_committed_end(files, directory, end, outlives); },
                [this, end, outlives, written] {
                    loop_.assert_here();
                    on_committed_end_noted(end, outlives, *written);
                });
}

void QuorumNode::on_committed_end_noted(Offset end, Outlives outlives, const Status& written) {
    noting_ = false;
    if (!written.ok()) {
        if (!is_shortage(written.code())) return fail(written.error());
        // The records are on disk: only a later damage might go unseen until there is room.
        logger_.warn("the committed end of the metadata log cannot be noted",
                     {kv("error", written.error())});
        return sync_note_later(std::max(options_.note_sync_interval, sync_retry_interval));
    }
    noted_ = end;
    if (outlives == Outlives::power) {
        note_synced_ = end;
        note_sync_due_ = false;
    } else {
        sync_note_later(options_.note_sync_interval);
    }
    note_committed_end();
}

void QuorumNode::sync_note_later(Millis delay) {
    if (note_timer_.is_set() || stopping_ || failed_) return;
    note_timer_.set_after(delay, [this] {
        loop_.assert_here();
        note_sync_due_ = true;
        note_committed_end();
    });
}

// ---- telling the listener ----

// In a turn of its own: the listener is never called from inside append().
void QuorumNode::schedule_delivery() {
    if (std::exchange(delivery_scheduled_, true)) return;
    loop_.post([this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        loop_.assert_here();
        delivery_scheduled_ = false;
        deliver();
    });
}

void QuorumNode::deliver() {
    if (failed_ || stopping_) return;
    if (delivered_ < quorum_->high_watermark()) {
        auto more = deliver_some();
        if (!more.ok()) return fail(std::move(more).error());
        if (!more.value()) return;  // comes again when the log is read
        if (delivered_ < quorum_->high_watermark()) schedule_delivery();
    }
    tell_role();
}

// False where the log must be read from disk first.
Result<bool> QuorumNode::deliver_some() {
    const auto read = log_->read(delivered_, deliver_bytes, quorum_->high_watermark(), true);
    if (!read.ok()) {
        if (read.code() != Errc::would_block) return read.error();
        struct WarmUp {
            WarmUpJob job;
            Status result = done();
        };
        auto warm_up = std::make_shared<WarmUp>(WarmUp{log_->warm_up(delivered_)});
        run_on_pool([warm_up] { warm_up->result = warm_up->job.run(); },
                    [this, warm_up] {
                        loop_.assert_here();
                        if (!warm_up->result.ok()) return fail(warm_up->result.error());
                        log_->finish_warm_up(std::move(warm_up->job));
                        schedule_delivery();
                    });
        return false;
    }
    const auto& slice = read.value().slice;
    Bytes chunk(slice.length);
    KQ_LET(const auto got, slice.file->pread(slice.position, chunk));
    if (got != chunk.size()) return Error(Errc::corrupt_file, "the metadata log is cut");
    const Offset before = delivered_;
    KQ_LET(const auto used, for_each_batch(chunk, [&](const BatchHeader& header, ByteView batch) {
               loop_.assert_here();
               return deliver_batch(header, batch);
           }));
    bytes_since_snapshot_ += used;
    if (delivered_ <= before)
        return Error(Errc::corrupt_file, "the metadata log holds no whole batch where one is");
    return true;
}

Status QuorumNode::deliver_batch(const BatchHeader& header, ByteView bytes) {
    if (header.next_offset() <= delivered_) return done();
    KQ_TRY(check_crc(bytes));
    CommittedBatch batch;
    batch.base = header.base_offset;
    batch.last = header.last_offset();
    batch.epoch = header.leader_epoch;
    batch.timestamp = header.max_timestamp;
    batch.is_control = header.is_control();
    Decompressor codecs;
    Bytes unpacked;
    KQ_LET(const auto plain, plain_records(header, bytes, codecs, unpacked, unpacked_bytes_max));
    RecordReader reader(header, plain);
    RecordView record;
    while (true) {
        KQ_LET(const bool more, reader.next(record));
        if (!more) break;
        if (batch.is_control) KQ_TRY(apply_control_record(delivered_voters_, record, false));
        batch.records.push_back({record.offset, record.key, record.value});
    }
    delivered_ = header.next_offset();
    return listener_.on_committed(batch);
}

void QuorumNode::tell_role() {
    const bool leads = quorum_->is_leader();
    if (told_leader_ && (!leads || *told_leader_ != quorum_->epoch()))
        listener_.on_resigned(*std::exchange(told_leader_, std::nullopt));
    const auto start = quorum_->epoch_start();
    if (leads && !told_leader_ && start && delivered_ > *start) {
        told_leader_ = quorum_->epoch();
        listener_.on_leader(*told_leader_);
    }
}

// ---- snapshots ----

void QuorumNode::take_snapshot(SnapshotContent content, Callback<void(Status)> on_done) {
    loop_.assert_here();
    KQ_CHECK(content.end <= delivered_);
    if (snapshotting_ || stopping_ || failed_)
        return on_done(Error(Errc::cancelled, "no snapshot can be taken now"));
    snapshotting_ = true;
    bytes_since_snapshot_ = 0;
    struct Writing {
        SnapshotContent content;
        SnapshotHead head;
        Callback<void(Status)> on_done;
        Result<SnapshotId> oldest = SnapshotId{};
    };
    SnapshotHead head{content.epoch, content.last_timestamp, delivered_voters_};
    auto writing =
        std::make_shared<Writing>(Writing{std::move(content), std::move(head), std::move(on_done)});
    const SnapshotId id{writing->content.end, writing->content.epoch};
    run_on_pool(
        [&files = files_, directory = options_.directory, retention = options_.retention,
         log_bytes = log_->size_bytes(), now = now_wall(), writing, id] {
            const auto written = write_snapshot(files, directory + '/' + id.file_name(),
                                                writing->head, now, writing->content.write);
            writing->oldest = written.ok()
                                  ? clean_snapshots(files, directory, retention, log_bytes, now)
                                  : Result<SnapshotId>(written.error());
        },
        [this, writing, id] {
            loop_.assert_here();
            on_snapshot_written(id, writing->oldest, std::move(writing->on_done));
        });
}

// Whatever the oldest snapshot covers may go; the snapshots themselves are on disk.
void QuorumNode::on_snapshot_written(SnapshotId id, Result<SnapshotId> oldest,
                                     Callback<void(Status)> on_done) {
    snapshotting_ = false;
    if (!oldest.ok()) {
        logger_.warn("snapshot of the metadata failed", {kv("error", oldest.error())});
        return on_done(oldest.error());
    }
    const SnapshotId start = oldest.value();
    logger_.info("snapshot of the metadata written", {kv("end", id.end), kv("epoch", id.epoch)});
    note_sync_due_ = true;
    note_committed_end();
    if (start.end > log_->log_start()) {
        log_->advance_log_start(start.end);
        step(LogStartRaised{{start.epoch, start.end}});
    }
    struct Cleaning {
        DeleteJob segments;
        Callback<void(Status)> on_done;
        Status result = done();
    };
    auto cleaning = std::make_shared<Cleaning>(
        Cleaning{log_->delete_old_segments(now_wall(), delivered_), std::move(on_done)});
    run_on_pool([cleaning] { cleaning->result = cleaning->segments.run(); },
                [cleaning] { cleaning->on_done(cleaning->result); });
}

// ---- going away ----

void QuorumNode::stop(Callback<void(Status)> on_stopped) {
    loop_.assert_here();
    stopping_ = true;
    on_stopped_ = std::move(on_stopped);
    timer_.cancel();
    sync_timer_.cancel();
    note_timer_.cancel();
    state_timer_.cancel();
    if (quorum_ != nullptr && !failed_) step(QuorumShutdown{});
    close_if_idle();
}

void QuorumNode::close_if_idle() {
    if (!stopping_ || jobs_ > 0 || closing_) return;
    closing_ = true;
    auto result = std::make_shared<Status>(done());
    if (failed_) *result = Error(Errc::kafka_storage_error, "the metadata log failed before");
    auto log = std::shared_ptr<Log>(std::move(log_));
    const bool whole = log != nullptr && !failed_;
    // Before its first commit a node knows less than the note does.
    const Offset committed =
        quorum_ == nullptr ? noted_ : std::max(noted_, quorum_->high_watermark());
    run_on_pool(
        [log, whole, result, committed, &files = files_, directory = options_.directory] {
            if (!whole) return;
            *result = log->close_clean();
            if (!result->ok()) return;
            *result = write_committed_end(files, directory, committed, Outlives::power);
        },
        [this, log, result] {
            loop_.assert_here();
            on_stopped_(*result);
        });
}

void QuorumNode::run_on_pool(Task job, Task then) {
    ++jobs_;
    pool_.submit(loop_, std::move(job),
                 [this, alive = std::weak_ptr(alive_), run = std::move(then)]() mutable {
                     if (alive.expired()) return;
                     loop_.assert_here();
                     --jobs_;
                     run();
                     if (!alive.expired()) close_if_idle();
                 });
}

void QuorumNode::fail(Error error) {
    if (std::exchange(failed_, true)) return;
    timer_.cancel();
    note_timer_.cancel();
    logger_.error("metadata log failed", {kv("error", error)});
    if (!stopping_) listener_.on_failed(std::move(error));
}

// ---- questions ----

Offset QuorumNode::log_end() const {
    loop_.assert_here();
    return log_ == nullptr ? delivered_ : log_->log_end();
}

Offset QuorumNode::committed_end() const {
    loop_.assert_here();
    return delivered_;
}

BrokerId QuorumNode::leader() const {
    loop_.assert_here();
    return quorum_ == nullptr ? no_broker : quorum_->leader();
}

Epoch QuorumNode::epoch() const {
    loop_.assert_here();
    return quorum_ == nullptr ? Epoch{0} : quorum_->epoch();
}

std::int16_t QuorumNode::kraft_version() const {
    loop_.assert_here();
    return voters_.kraft_version;
}

const VoterSet& QuorumNode::voters() const {
    loop_.assert_here();
    return voters_.voters;
}

bool QuorumNode::has_fetchers() const {
    loop_.assert_here();
    return quorum_ != nullptr && quorum_->has_fetchers(loop_.clock().mono());
}

std::uint64_t QuorumNode::bytes_since_snapshot() const {
    loop_.assert_here();
    return bytes_since_snapshot_;
}

}  // namespace kq

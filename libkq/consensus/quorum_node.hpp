// SPDX-License-Identifier: Apache-2.0
//
// QuorumNode: this node's member of the metadata quorum: drives the machine of consensus/quorum
// over a log on disk, the file quorum-state and the I/O pool.
//
// shape    the log and the election state are synced on the pool, one round at a time each, and
//          count when the pool says so. What is committed is read back from the log and told to
//          the listener in turns of a bounded size. How far that is goes into a note at once, and
//          is synced now and then (docs/decisions/0012): while nothing changes nothing is written
// owner    the control loop
// errors   of start(): corrupt_file, io_error; unsupported for a newer format, for a voter set that
//          this node is not in, and for more than one voter: requests between voters are not
//          built, only the machine behind them is. Later ones go to on_failed()
// source   KIP-595, KIP-853; docs/architecture.md, "The quorum"
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/function.hpp"
#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "consensus/committed_end.hpp"
#include "consensus/quorum.hpp"
#include "consensus/quorum_directory.hpp"
#include "consensus/replicated_log.hpp"

namespace kq {

struct QuorumSeams {
    Loop& loop;
    FileSystem& files;
    IoPool& pool;
    Random& random;
    Logger logger;
};

struct QuorumNodeOptions {
    ReplicaKey self;
    std::string directory;                 // of the log: …/__cluster_metadata-0
    std::vector<BrokerId> static_voters;   // as configured; for directories with kraft.version 0
    std::vector<VoterEndpoint> endpoints;  // where other nodes would find this one
    QuorumTimings timings;
    LogOptions log;
    MetadataRetention retention;
    Millis note_sync_interval{5'000};  // of the note of the committed end, while that moves
};

// What a snapshot is made of. `write` runs on the pool: it calls its argument with the value of
// every record, in order, and captures values and const things only.
struct SnapshotContent {
    Offset end;
    Epoch epoch;
    WallTime last_timestamp;
    std::function<Status(const std::function<Status(Bytes value)>&)> write;
};

class QuorumNode final : public ReplicatedLog {
public:
    QuorumNode(QuorumSeams seams, QuorumNodeOptions options, ReplicatedLogListener& listener);
    ~QuorumNode() override;
    QuorumNode(const QuorumNode&) = delete;
    QuorumNode& operator=(const QuorumNode&) = delete;

    // Opens what is on disk. The listener is told of the snapshot before `on_started`, and of
    // everything else after it.
    void start(Callback<void(Status)> on_started);
    // Syncs and closes the log as Kafka expects it after a clean stop. The listener hears nothing
    // any more, and append() refuses.
    void stop(Callback<void(Status)> on_stopped);

    Result<Offset> append(Epoch epoch, std::vector<LogRecord> records) override;
    std::size_t batch_bytes_max() const override { return std::size_t{8} << 20; }
    Offset log_end() const override;
    Offset committed_end() const override;  // told to the listener

    BrokerId leader() const;
    Epoch epoch() const;
    std::int16_t kraft_version() const;
    const VoterSet& voters() const;
    // Somebody but us fetched the log lately.
    bool has_fetchers() const;
    std::uint64_t bytes_since_snapshot() const;

    // Writes a snapshot, then lets go of older ones beyond the retention, and of the log below the
    // oldest that is left. One at a time.
    // Requires: content.end <= committed_end(), at the end of a batch.
    void take_snapshot(SnapshotContent content, Callback<void(Status)> on_done);

private:
    void on_loaded(Result<LoadedQuorum> loaded, Callback<void(Status)> on_started) KQ_ON(loop_);
    Status take_voters(const LoadedQuorum& loaded) KQ_ON(loop_);
    Status tell_snapshot(const LoadedSnapshot& snapshot) KQ_ON(loop_);

    void step(QuorumInput input) KQ_ON(loop_);
    void act(QuorumOutputs outputs) KQ_ON(loop_);
    void persist(const ElectionState& state) KQ_ON(loop_);
    void write_state_file() KQ_ON(loop_);
    void append_leader_change(const LeaderChange& change) KQ_ON(loop_);
    Status write(ByteView batch, Epoch epoch, Offset end) KQ_ON(loop_);
    void sync() KQ_ON(loop_);
    void sync_again_later() KQ_ON(loop_);
    void note_committed_end() KQ_ON(loop_);
    void on_committed_end_noted(Offset end, Outlives outlives, const Status& written) KQ_ON(loop_);
    void sync_note_later(Millis delay) KQ_ON(loop_);

    void schedule_delivery() KQ_ON(loop_);
    void deliver() KQ_ON(loop_);
    Result<bool> deliver_some() KQ_ON(loop_);
    Status deliver_batch(const BatchHeader& header, ByteView batch) KQ_ON(loop_);
    void tell_role() KQ_ON(loop_);

    void on_snapshot_written(SnapshotId id, Result<SnapshotId> oldest,
                             Callback<void(Status)> on_done) KQ_ON(loop_);
    // Runs `job` on the pool and `then` here, unless this object is gone by then.
    void run_on_pool(Task job, Task then) KQ_ON(loop_);
    void fail(Error error) KQ_ON(loop_);
    void close_if_idle() KQ_ON(loop_);
    WallTime now_wall() const { return loop_.clock().wall(); }

    Loop& loop_;
    FileSystem& files_;
    IoPool& pool_;
    Random& random_;
    Logger logger_;
    const QuorumNodeOptions options_;
    ReplicatedLogListener& listener_;

    std::unique_ptr<Quorum> quorum_ KQ_OWNED_BY(loop_);
    std::unique_ptr<Log> log_ KQ_OWNED_BY(loop_);
    VoterHistory voters_ KQ_OWNED_BY(loop_);            // as the log says up to its end
    VoterHistory delivered_voters_ KQ_OWNED_BY(loop_);  // as snapshots say
    QuorumStateFile state_file_ KQ_OWNED_BY(loop_);
    std::deque<QuorumInput> inputs_ KQ_OWNED_BY(loop_);  // that came up inside step()
    bool stepping_ KQ_OWNED_BY(loop_) = false;
    std::size_t jobs_ KQ_OWNED_BY(loop_) = 0;  // on the pool
    bool syncing_ KQ_OWNED_BY(loop_) = false;
    // The note of the committed end: what the file says, what of it outlives the power, and whether
    // the next one has to. The first one of a start has to.
    bool noting_ KQ_OWNED_BY(loop_) = false;
    Offset noted_ KQ_OWNED_BY(loop_){0};
    Offset note_synced_ KQ_OWNED_BY(loop_){0};
    bool note_sync_due_ KQ_OWNED_BY(loop_) = true;
    bool delivery_scheduled_ KQ_OWNED_BY(loop_) = false;
    Offset delivered_ KQ_OWNED_BY(loop_){0};
    std::optional<Epoch> told_leader_ KQ_OWNED_BY(loop_);
    bool failed_ KQ_OWNED_BY(loop_) = false;
    bool snapshotting_ KQ_OWNED_BY(loop_) = false;
    std::uint64_t bytes_since_snapshot_ KQ_OWNED_BY(loop_) = 0;
    Timer timer_ KQ_OWNED_BY(loop_);
    Timer sync_timer_ KQ_OWNED_BY(loop_);
    Timer note_timer_ KQ_OWNED_BY(loop_);
    Timer state_timer_ KQ_OWNED_BY(loop_);
    Callback<void(Status)> on_stopped_ KQ_OWNED_BY(loop_);
    bool voted_ KQ_OWNED_BY(loop_) = false;  // since the start
    bool stopping_ KQ_OWNED_BY(loop_) = false;
    bool closing_ KQ_OWNED_BY(loop_) = false;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace kq

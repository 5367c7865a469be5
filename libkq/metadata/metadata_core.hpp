// SPDX-License-Identifier: Apache-2.0
//
// MetadataNode::Core: what stands behind MetadataNode: the quorum's log, the controller's machine
// over it, the state as committed, and who waits for what.
//
//   Opening   -> Replaying     the directory is open
//   Replaying -> Starting      this node's controller is elected and has seen everything committed
//   Starting  -> Running       the first records are committed and the first image is published
//   any       -> Stopped       stop(), or the log failed
//
// owner    the control loop
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log_limiter.hpp"
#include "consensus/quorum_node.hpp"
#include "consensus/state_machine.hpp"
#include "metadata/controller.hpp"
#include "metadata/metadata_node.hpp"
#include "metadata/metadata_replay.hpp"

namespace kq {

class MetadataNode::Core final : private ReplicatedLogListener {
public:
    Core(MetadataSeams seams, MetadataNodeOptions options, ImageListener& listener);
    ~Core() override;

    void start(Callback<void(Status)> on_ready);
    void stop(Callback<void(Status)> on_stopped);
    void applied(Offset offset);

    void register_broker(BrokerStart start, Callback<void(Result<BrokerEpoch>)> reply);
    void unfence(Callback<void(Status)> reply);
    void drain(Callback<void(Status)> reply);
    void create_topics(wire::CreateTopicsRequest request, AdminCall call,
                       Callback<void(wire::CreateTopicsResponse)> reply);
    void delete_topics(wire::DeleteTopicsRequest request, AdminCall call,
                       Callback<void(wire::DeleteTopicsResponse)> reply);
    void auto_create_topics(const std::set<std::string>& names);
    void allocate_producer_ids(Callback<void(Result<ProducerIdBlock>)> reply);
    void take_snapshot(Callback<void(Status)> on_done);

    MetadataImage image() const;
    bool is_controller() const;
    BrokerId leader_id() const;
    Epoch leader_epoch() const;
    BrokerEpoch broker_epoch() const;
    const std::string& cluster_id() const { return options_.cluster_id; }

private:
    enum class Phase { opening, replaying, starting, running, stopped };
    using Machine = StateMachine<ControllerMachine>;
    using Step = Function<MetadataDecision<Status>(const MetadataState&)>;

    // ---- the log's listener
    Status on_snapshot(const SnapshotView& snapshot) override;
    Status on_committed(const CommittedBatch& batch) override;
    void on_leader(Epoch epoch) override;
    void on_resigned(Epoch epoch) override;
    void on_failed(Error error) override;

    // ---- start and stop
    void on_directory_ready(Status prepared, std::vector<wire::MetadataRecord> bootstrap)
        KQ_ON(loop_);
    void write_first_records() KQ_ON(loop_);
    void become_running() KQ_ON(loop_);
    void give_up(Error error) KQ_ON(loop_);
    void stop_when_settled() KQ_ON(loop_);

    // ---- images
    void schedule_publication() KQ_ON(loop_);
    void publish() KQ_ON(loop_);
    void consider_snapshot() KQ_ON(loop_);
    void write_snapshot_of(MetadataImage image, Callback<void(Status)> on_done) KQ_ON(loop_);

    // ---- asking the machine
    ControllerContext context() const { return {random_, *options_.config, options_.room}; }
    template <class Response, class Decide>
    void ask(Decide decide, Callback<void(Result<Settled<Response>>)> reply) KQ_ON(loop_);
    // Asks `step` again and again until it has no records left.
    void repeat(Step step, Callback<void(Result<Offset>)> reply) KQ_ON(loop_);
    // Runs `then(true)` when every loop has what lies below `end`, `then(false)` at the deadline.
    void when_applied(Offset end, std::optional<MonoTime> deadline, Callback<void(bool)> then)
        KQ_ON(loop_);
    void answer_waiting(Offset applied_end, bool all) KQ_ON(loop_);

    struct Waiting {
        Callback<void(bool)> then;
        std::unique_ptr<Timer> timer;
    };

    Loop& loop_;
    FileSystem& files_;
    IoPool& pool_;
    Random& random_;
    Logger logger_;
    const MetadataNodeOptions options_;
    LogLimiter complaints_;  // about topics that clients only name
    ImageListener& listener_;

    std::unique_ptr<QuorumNode> quorum_ KQ_OWNED_BY(loop_);
    std::unique_ptr<Machine> machine_ KQ_OWNED_BY(loop_);
    Phase phase_ KQ_OWNED_BY(loop_) = Phase::opening;
    MetadataReplay committed_ KQ_OWNED_BY(loop_);
    // Of what is not published yet.
    MetadataDelta delta_ KQ_OWNED_BY(loop_);
    Offset consistent_offset_ KQ_OWNED_BY(loop_) = no_offset;  // not inside a transaction
    Epoch consistent_epoch_ KQ_OWNED_BY(loop_) = no_epoch;
    WallTime consistent_timestamp_ KQ_OWNED_BY(loop_) = no_timestamp;
    MetadataImage image_ KQ_OWNED_BY(loop_);
    bool publication_scheduled_ KQ_OWNED_BY(loop_) = false;

    std::vector<wire::MetadataRecord> bootstrap_ KQ_OWNED_BY(loop_);
    Callback<void(Status)> on_ready_ KQ_OWNED_BY(loop_);
    Callback<void(Status)> on_stopped_ KQ_OWNED_BY(loop_);
    bool stopping_ KQ_OWNED_BY(loop_) = false;

    Offset applied_end_ KQ_OWNED_BY(loop_){0};
    std::multimap<Offset, Waiting> waiting_ KQ_OWNED_BY(loop_);  // by the end they wait for
    std::set<std::string> creating_ KQ_OWNED_BY(loop_);          // by auto_create_topics()
    Offset snapshot_end_ KQ_OWNED_BY(loop_){0};
    bool snapshotting_ KQ_OWNED_BY(loop_) = false;
    Timer snapshot_timer_ KQ_OWNED_BY(loop_);
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

template <class Response, class Decide>
void MetadataNode::Core::ask(Decide decide, Callback<void(Result<Settled<Response>>)> reply) {
    if (phase_ == Phase::stopped || stopping_) {
        reply(Error(Errc::not_controller, "this node stops"));
        return;
    }
    machine_->submit(std::move(decide), std::move(reply));
}

}  // namespace kq

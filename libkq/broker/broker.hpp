// SPDX-License-Identifier: Apache-2.0
//
// Broker: one node, put together: directories, metadata, data loops, listeners, status port.
// Nothing in it is global: several live in one process, and the simulator runs exactly this.
//
// shape    open() -> start() -> ready -> stop() -> stopped
//          start(): metadata is replayed, the broker registers, its logs are opened, it is
//          unfenced, then clients are let in. stop(): nobody is let in, what is in flight is
//          answered, leadership is given up, logs close, the clean marker is written last
// owner    the control loop; open() and the destructor run while no loop does
// errors   of open(): usage (settings), foreign_directory (of another node or cluster), locked
//          (another process has the directory), port_in_use, permission_denied, disk_full,
//          too_many_open_files (more partitions than may be open; nothing was touched),
//          unsupported (newer than we know; nothing was touched), corrupt_file, io_error
// source   docs/architecture.md, 3 and 10.1
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/acceptor.hpp"
#include "broker/data_plane.hpp"
#include "broker/data_side.hpp"
#include "broker/descriptor_shares.hpp"
#include "broker/listeners.hpp"
#include "broker/status_port.hpp"
#include "metadata/metadata_node.hpp"
#include "storage/log_directory.hpp"

namespace kq {

struct BrokerSeams {
    Loop& control;
    Network& control_network;  // of the status port
    struct Data {
        Loop& loop;
        Network& network;
    };
    std::vector<Data> data;  // at least one; the first accepts
    FileSystem& files;
    IoPool& pool;
    Random& random;
    MetricRegistry& metrics;
    Logger log;
};

struct BrokerOptions {
    std::shared_ptr<const ConfigSet> config;
    std::optional<Endpoint> http;  // the status port, where there is to be one
    std::string host_name;         // of this machine, for listeners on every address
    // Runs on the pool some seconds after connections closed; null in tests.
    void (*give_back_memory)() = nullptr;
    // What the process may have open, and what it has at least beside connections and partitions.
    // Without a value nothing is counted: no file of ours is one of the system's.
    std::optional<OpenFiles> open_files;
};

class Broker final : private ImageListener {
    struct ByOpen {};

public:
    // Blocks. Takes the directories' locks, binds the listeners (who dials now waits), reads what
    // the directories hold. A start that fails, here or in start(), leaves no directory behind that
    // was not there before.
    static Result<std::unique_ptr<Broker>> open(BrokerSeams seams, BrokerOptions options);
    // Only open() can give the first argument.
    Broker(ByOpen, BrokerSeams seams, BrokerOptions options);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    // `on_ready` once clients are served, or with what kept them from it. `on_failed` when a broker
    // that runs can no longer (its metadata is lost, all its disks are): stop() is still owed.
    void start(Callback<void(Status)> on_ready, Callback<void(Error)> on_failed);
    // `clean`: everything was closed, and every directory marked that deserves it.
    void stop(Callback<void(bool clean)> on_stopped);
    // The process dies here and now: no answer is given, no file written. For the simulator.
    void abandon();

    // As clients are told; one for each listener.
    const std::vector<ListenerEndpoint>& endpoints() const { return endpoints_; }
    // Where each of them really is; with the port that was given for port 0.
    const std::vector<Endpoint>& bound() const { return bound_; }
    std::optional<Endpoint> http() const;
    const std::string& cluster_id() const { return cluster_id_; }
    std::size_t connection_count(std::size_t data_loop) const;

private:
    struct ImageUnderWay {
        MetadataImage image;
        bool applied = false;
    };
    struct Stopping;

    // --- open()
    Status open_parts();
    void leave_no_trace();
    Status open_directories();
    Status share_descriptors();
    Status bind_listeners();
    Status identify();
    Status open_planes();
    PreviousStop previous_stop() const;

    // --- running
    void on_image(MetadataImage image, std::shared_ptr<const MetadataDelta> delta) override;
    void on_metadata_failed(Error error) override;
    void on_applied() KQ_ON(seams_.control);
    void register_self() KQ_ON(seams_.control);
    void go_on_starting() KQ_ON(seams_.control);
    void leave_the_fence() KQ_ON(seams_.control);
    void let_clients_in() KQ_ON(seams_.control);
    std::string listeners_text() const;
    void start_failed(const Error& why) KQ_ON(seams_.control);
    void fail(Error why) KQ_ON(seams_.control);
    void directory_failed(std::uint32_t directory, const Error& why) KQ_ON(seams_.control);

    // --- stop()
    void drain_sessions(std::shared_ptr<Stopping> stopping) KQ_ON(seams_.control);
    void leave_cluster(std::shared_ptr<Stopping> stopping) KQ_ON(seams_.control);
    void close_metadata(std::shared_ptr<Stopping> stopping) KQ_ON(seams_.control);
    void close_logs(std::shared_ptr<Stopping> stopping) KQ_ON(seams_.control);

    BrokerSeams seams_;
    BrokerOptions options_;
    const BrokerId id_;
    ListenersOptions listeners_;
    std::string metadata_directory_;
    std::vector<std::unique_ptr<LogDirectory>> directories_;
    DescriptorShares shares_;
    std::string cluster_id_;
    bool first_start_ = false;
    std::vector<ListenerEndpoint> endpoints_;
    std::vector<Endpoint> bound_;

    LogLimiter strangers_;
    MemoryBudget request_memory_;
    MetricRegistry::Observation request_memory_gauge_;
    std::unique_ptr<MetadataNode> metadata_;
    std::unique_ptr<DataPlane> data_plane_;
    std::vector<std::unique_ptr<DataSide>> data_sides_;
    std::unique_ptr<Acceptor> acceptor_;
    std::unique_ptr<StatusPort> status_;

    std::deque<std::shared_ptr<ImageUnderWay>> images_ KQ_OWNED_BY(seams_.control);
    MetadataImage applied_ KQ_OWNED_BY(seams_.control);
    std::optional<BrokerEpoch> epoch_ KQ_OWNED_BY(seams_.control);
    enum class Phase { opened, starting, unfencing, ready, stopping, stopped };
    Phase phase_ KQ_OWNED_BY(seams_.control) = Phase::opened;
    bool never_served_ KQ_OWNED_BY(seams_.control) = false;  // the start failed
    bool unfenced_ KQ_OWNED_BY(seams_.control) = false;
    bool metadata_lost_ KQ_OWNED_BY(seams_.control) = false;
    std::size_t failed_directories_ KQ_OWNED_BY(seams_.control) = 0;
    Callback<void(Status)> on_ready_ KQ_OWNED_BY(seams_.control);
    Callback<void(Error)> on_failed_ KQ_OWNED_BY(seams_.control);
    MonoTime started_at_{};
};

}  // namespace kq

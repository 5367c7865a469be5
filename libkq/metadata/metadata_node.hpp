// SPDX-License-Identifier: Apache-2.0
//
// MetadataNode: this node's part in the cluster's metadata: its seat in the quorum, the controller
// while it leads, and the image that every loop works from.
//
// shape    start() opens the metadata directory (a first start writes what Kafka's format step
//          would), replays it, and answers once the image is there and this node's controller is
//          active. Then the broker registers, recovers, is unfenced; drain() undoes that. Every
//          committed change goes to the listener, which says applied() when all loops have it;
//          answers to admin requests wait for that (I26)
// owner    the control loop
// errors   of requests: in the response, as Kafka's codes, except
//          not_controller     this node's controller is not active; the outcome may be unknown
//          request_timed_out  the deadline passed first; the outcome is unknown
//          of the directory: unsupported (newer than we know, nothing was touched), corrupt_file,
//          io_error; after start() any of these goes to on_metadata_failed, and the node is dead
// source   KIP-500, KIP-595, KIP-631, KIP-853; docs/formats.md, "Metadata log"
#pragma once

#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/config.hpp"
#include "base/file_system.hpp"
#include "base/function.hpp"
#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "metadata/metadata_delta.hpp"
#include "metadata/metadata_state.hpp"

namespace kq {

namespace wire {
struct CreateTopicsRequest;
struct CreateTopicsResponse;
struct DeleteTopicsRequest;
struct DeleteTopicsResponse;
}  // namespace wire

struct MetadataPlace {
    std::string directory;              // metadata.log.dir, else the first of log.dirs
    std::vector<std::string> log_dirs;  // all of them
};

// Reads everything in a metadata directory and changes nothing: corrupt_file when committed records
// are missing, or the whole log, though a broker ran on the log directories; `unsupported` when it
// holds a record or metadata.version that this build does not know, or a quorum that this node is
// not the only voter of. Blocks: before the log directories are opened, which changes them. A
// directory that is not there is fine.
Status check_metadata_directory(FileSystem& files, const MetadataPlace& place, BrokerId node,
                                const ConfigSet& config);

struct MetadataSeams {
    Loop& loop;
    FileSystem& files;
    IoPool& pool;
    Random& random;
    Logger log;
};

// How many partitions the brokers can hold open, each with a file of its own.
struct PartitionRoom {
    std::int64_t partitions_max = std::numeric_limits<std::int64_t>::max();
    std::uint64_t open_files_max = 0;  // why: the limit of their processes
};

struct MetadataNodeOptions {
    BrokerId node_id{1};
    std::string cluster_id;
    std::string directory;  // metadata.log.dir, else the first of log.dirs
    Uuid directory_id;      // its directory.id
    // All log directories. Where a broker ran on any of them, an empty metadata directory is one
    // that was lost: this voter has forgotten its votes, and start() refuses. Where none did, it
    // is a new node, and its directory is made.
    std::vector<std::string> log_dirs;
    ListenerEndpoint controller_endpoint;  // where another node would find this quorum
    // The broker's file: num.partitions, default.replication.factor, limits and so on.
    std::shared_ptr<const ConfigSet> config;
    PartitionRoom room;
};

// How this broker's last run ended, as its log directories know (ARCHITECTURE 10.1).
enum class PreviousStop {
    first_start,
    clean,         // the clean marker was there
    process_died,  // no marker, but the kernel still runs: the page cache is whole
    unknown,       // acknowledged records may be gone: leave every ISR first
};

struct BrokerStart {
    Uuid incarnation;                         // new at every start
    std::vector<ListenerEndpoint> endpoints;  // as advertised
    std::optional<std::string> rack;
    std::vector<Uuid> log_dirs;  // directory ids, online ones
    PreviousStop previous_stop = PreviousStop::clean;
};

// Who asks for a change, and until when an answer is worth something.
struct AdminCall {
    std::string principal;
    MonoTime deadline;
};

// Ids [first, first + size) that no other broker will hand out.
struct ProducerIdBlock {
    ProducerId first;
    std::int32_t size = 0;
};

class ImageListener {
public:
    virtual ~ImageListener() = default;
    // A new image, and what changed since the one before. Answer with applied(applied_offset) once
    // every loop works with it; later images may come before that.
    virtual void on_image(MetadataImage image, std::shared_ptr<const MetadataDelta> delta) = 0;
    // The metadata log is lost to this node: a disk error, or bytes that it cannot read.
    virtual void on_metadata_failed(Error error) = 0;
};

class MetadataNode {
public:
    MetadataNode(MetadataSeams seams, MetadataNodeOptions options, ImageListener& listener);
    ~MetadataNode();
    MetadataNode(const MetadataNode&) = delete;
    MetadataNode& operator=(const MetadataNode&) = delete;

    // Once. The listener hears of the first image before `on_ready`.
    void start(Callback<void(Status)> on_ready);
    // Syncs what was written and closes. Everything parked is answered; on_stopped comes last, with
    // what kept the log from being closed in good order.
    void stop(Callback<void(Status)> on_stopped);

    // Never null; empty before start() is done.
    MetadataImage image() const;
    bool is_controller() const;
    BrokerId leader_id() const;  // of the quorum; no_broker while there is none
    Epoch leader_epoch() const;
    BrokerEpoch broker_epoch() const;  // of this broker's registration; -1 before
    const std::string& cluster_id() const;

    // Every loop of this broker works with an image of at least this offset.
    void applied(Offset offset);

    // Broker lifecycle, in this order. register_broker answers when the record is committed, and
    // has taken this broker out of every ISR first where its logs may have lost records.
    void register_broker(BrokerStart start, Callback<void(Result<BrokerEpoch>)> reply);
    // The logs are open. Leaderless partitions that may be led by this broker get it as leader.
    void unfence(Callback<void(Status)> reply);
    // Gives up every leadership and place in an ISR, then is fenced; for a clean stop.
    void drain(Callback<void(Status)> reply);

    void create_topics(wire::CreateTopicsRequest request, AdminCall call,
                       Callback<void(wire::CreateTopicsResponse)> reply);
    void delete_topics(wire::DeleteTopicsRequest request, AdminCall call,
                       Callback<void(wire::DeleteTopicsResponse)> reply);
    // Topics that somebody asked for and that may come into being: created with the broker's
    // defaults (internal ones as their coordinators need them). Nobody waits; names that are
    // under way already are ignored.
    void auto_create_topics(const std::set<std::string>& names);
    void allocate_producer_ids(Callback<void(Result<ProducerIdBlock>)> reply);

    // Writes a snapshot of the present image, and lets go of the log below it.
    void take_snapshot(Callback<void(Status)> on_done);

private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// DataPlane: everything of a broker that has to do with records: the log directories, and for each
// data loop its partitions and the requests that wait there.
//
// shape    open() before the loops run; then apply() for every image; stop() after the sessions
//          have stopped reading requests
// owner    the control loop; data_loop(i)'s parts belong to data loop i
// errors   of open(): those of LogDirectories. A directory that fails later goes offline, with the
//          partitions in it; on_directory_failed tells
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/config.hpp"
#include "base/counters.hpp"
#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "broker/log_directories.hpp"
#include "broker/partition_router.hpp"
#include "broker/partition_set.hpp"
#include "broker/pending_fetches.hpp"
#include "broker/pending_produces.hpp"
#include "broker/producer_ids.hpp"
#include "metadata/metadata_delta.hpp"

namespace kq {

struct DataPlaneSeams {
    Loop& control;
    std::vector<Loop*> data_loops;
    IoPool& pool;
    FileSystem& files;
    Random& random;
    MetricRegistry& metrics;
    Logger logger;
};

// What data handlers of one loop work with.
struct DataLoop {
    DataLoop(Loop& loop, std::size_t index, const PartitionRouter& router, IoPool& pool,
             FetchLimits limits, AllocateProducerIds allocate)
        : produces(loop, router),
          fetches(loop, index, router, pool, limits),
          producer_ids(loop, std::move(allocate)) {}

    PendingProduces produces;
    PendingFetches fetches;
    ProducerIds producer_ids;
};

class DataPlane {
    struct ByOpen {};

public:
    using AskForProducerIds = Callback<void(Callback<void(Result<ProducerIdBlock>)>)>;

    // Blocks. `directories` were opened and marked as started by the caller, and outlive the
    // object. `config` is the broker's file. `ask_for_producer_ids` is called on the control loop.
    static Result<std::unique_ptr<DataPlane>> open(DataPlaneSeams seams,
                                                   std::vector<LogDirectory*> directories,
                                                   BrokerId broker,
                                                   std::shared_ptr<const ConfigSet> config,
                                                   AskForProducerIds ask_for_producer_ids);
    // Only open() can give the first argument.
    DataPlane(const ByOpen&, DataPlaneSeams seams, BrokerId broker,
              std::shared_ptr<const ConfigSet> config);
    ~DataPlane();
    DataPlane(const DataPlane&) = delete;
    DataPlane& operator=(const DataPlane&) = delete;

    // Every loop reconciles; `on_applied` runs on the control loop when all partitions that the
    // delta gave to this broker are open (or have failed to), on all loops. `on_loop(i)` runs on
    // data loop i in the turn in which it reconciles, to switch what else works with the image.
    void apply(MetadataImage image, std::shared_ptr<const MetadataDelta> delta, Task on_applied,
               std::function<void(std::size_t loop)> on_loop = nullptr);

    // Any loop may ask for its own part.
    DataLoop& data_loop(std::size_t index) { return *loops_[index]; }
    const PartitionRouter& router() const { return *router_; }
    LogDirectories& directories() { return *directories_; }
    const TopicSettingsSource& topic_settings() const { return settings_; }

    // A directory went offline; on the control loop.
    void on_directory_failed(LogDirectories::FailureCallback on_failed);

    // Answers what waits, closes the logs, writes the checkpoints, and, where all went well, the
    // clean markers with `epoch`. on_stopped(clean) tells whether it did.
    void stop(BrokerEpoch epoch, Callback<void(bool clean)> on_stopped);

private:
    void make_loops(AskForProducerIds ask);

    const DataPlaneSeams seams_;
    const BrokerId broker_;
    const std::shared_ptr<const ConfigSet> config_;
    const std::shared_ptr<SharedLimit> producers_;
    const MetricRegistry::Observation producers_gauge_;
    const TopicSettingsSource settings_;
    // Made by open(), and the same until the end; each sees to its own owner.
    std::shared_ptr<AskForProducerIds> ask_;
    std::unique_ptr<LogDirectories> directories_;
    std::vector<std::unique_ptr<PartitionSet>> sets_;
    std::unique_ptr<PartitionRouter> router_;
    std::vector<std::unique_ptr<DataLoop>> loops_;
    bool first_image_ KQ_OWNED_BY(seams_.control) = true;
};

}  // namespace kq

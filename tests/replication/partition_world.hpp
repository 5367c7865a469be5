// SPDX-License-Identifier: Apache-2.0
//
// A partition over a log in memory, for tests: opens it, makes batches, runs syncs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"
#include "protocol/batch_builder.hpp"
#include "replication/partition.hpp"

namespace kq::sim {

inline constexpr BrokerId me{1};
inline constexpr BrokerId second{2};
inline constexpr BrokerId third{3};

struct BatchMaker {
    int records = 1;
    std::int64_t producer = -1;
    std::int16_t epoch = -1;
    std::int32_t sequence = -1;
    bool transactional = false;
    std::string value = "value";
    std::optional<std::string> key;
    WallTime timestamp = wall_time(1'000'000);

    Bytes make() const {
        BatchOptions options;
        options.producer_id = ProducerId{producer};
        options.producer_epoch = ProducerEpoch{epoch};
        options.base_sequence = Sequence{sequence};
        options.transactional = transactional;
        BatchBuilder builder(options);
        for (int i = 0; i < records; ++i) {
            builder.append(timestamp,
                           key.has_value() ? std::optional(as_bytes(*key)) : std::nullopt,
                           as_bytes(value));
        }
        return builder.finish().value();
    }
};

inline PartitionAssignment assignment(BrokerId leader, int epoch, std::vector<BrokerId> isr,
                                      std::vector<BrokerId> replicas = {},
                                      int partition_epoch = -1) {
    PartitionAssignment made;
    made.leader = leader;
    made.leader_epoch = Epoch{epoch};
    made.partition_epoch = PartitionEpoch{partition_epoch >= 0 ? partition_epoch : epoch};
    made.isr = std::move(isr);
    made.replicas = replicas.empty() ? made.isr : std::move(replicas);
    return made;
}

class PartitionWorld {
public:
    explicit PartitionWorld(PartitionSettings settings = {})
        : partition({Uuid{{1}}, PartitionIndex{0}}, {"t", PartitionIndex{0}}, me,
                    std::move(settings)) {}

    std::unique_ptr<Log> make_log() {
        return Log::create(files, world.clock(), {"/data/t-0", Uuid{{1}}, Logger()}, LogOptions{})
            .value();
    }
    void open(Offset high_watermark = Offset{0}) { step(LogOpened{make_log(), high_watermark}); }
    // Open, and leader alone.
    void lead_alone(int epoch = 1) {
        open();
        step(assignment(me, epoch, {me}));
    }

    template <class Event>
    Effects step(Event event) {
        Effects effects;
        partition.step(PartitionEvent(std::move(event)), effects);
        return effects;
    }

    Effects append(std::vector<BatchMaker> makers, std::int16_t acks = -1) {
        std::vector<Bytes> bytes;
        for (const auto& maker : makers)
            bytes.push_back(maker.make());
        return append_bytes(std::move(bytes), acks);
    }
    Effects append_bytes(std::vector<Bytes> bytes, std::int16_t acks = -1) {
        std::vector<ProducedBatch> batches;
        for (auto& batch : bytes)
            batches.push_back({batch, acks, 13});
        Effects effects;
        partition.step(Appended{batches, wall_time(1'000'000), &validator}, effects);
        return effects;
    }
    Effects sync(bool fail = false) {
        SyncJob job = partition.log()->begin_sync();
        if (fail) files.fail_next_sync();
        Status status = job.run();
        return step(Synced{&job, std::move(status)});
    }

    Offset high_watermark() const { return partition.high_watermark(); }
    Offset log_end() const { return partition.log()->log_end(); }

    SimScheduler world{1};
    MemoryFileSystem files{world.clock()};
    BatchValidator validator;
    Partition partition;
};

}  // namespace kq::sim

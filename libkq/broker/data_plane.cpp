// SPDX-License-Identifier: Apache-2.0
#include "broker/data_plane.hpp"

#include <utility>

namespace kq {

DataPlane::DataPlane(const ByOpen&, DataPlaneSeams seams, BrokerId broker,
                     std::shared_ptr<const ConfigSet> config)
    : seams_(std::move(seams)),
      broker_(broker),
      config_(config),
      producers_(std::make_shared<SharedLimit>(
          static_cast<std::uint64_t>(config->integer("kq.producer.ids.total.max")))),
      producers_gauge_(seams_.metrics.observe(
          "kq_producer_ids", "Producer ids that partitions remember, counted for each of them.",
          [producers = producers_] { return static_cast<std::int64_t>(producers->used()); })),
      settings_(broker, std::move(config), producers_) {}

DataPlane::~DataPlane() = default;

Result<std::unique_ptr<DataPlane>> DataPlane::open(DataPlaneSeams seams,
                                                   std::vector<LogDirectory*> directories,
                                                   BrokerId broker,
                                                   std::shared_ptr<const ConfigSet> config,
                                                   AskForProducerIds ask_for_producer_ids) {
    KQ_CHECK(!seams.data_loops.empty());
    auto plane = std::make_unique<DataPlane>(ByOpen{}, std::move(seams), broker, std::move(config));
    const DataPlaneSeams& own = plane->seams_;
    KQ_LET(plane->directories_, LogDirectories::open(own.control, own.pool, own.random,
                                                     std::move(directories), own.logger));
    plane->make_loops(std::move(ask_for_producer_ids));
    return plane;
}

void DataPlane::make_loops(AskForProducerIds ask) {
    const std::size_t count = seams_.data_loops.size();
    PartitionSetOptions options;
    options.broker = broker_;
    options.loops = count;
    options.retention_check_interval = config_->duration("log.retention.check.interval.ms");
    options.checkpoint_interval =
        config_->duration("replica.high.watermark.checkpoint.interval.ms");

    std::vector<PartitionSet*> sets;
    for (std::size_t i = 0; i < count; ++i) {
        options.index = i;
        sets_.push_back(std::make_unique<PartitionSet>(*seams_.data_loops[i], seams_.pool,
                                                       seams_.files, *directories_, settings_,
                                                       seams_.metrics, seams_.logger, options));
        sets.push_back(sets_.back().get());
    }
    router_ = std::make_unique<PartitionRouter>(std::move(sets));

    FetchLimits limits;
    limits.max_bytes = static_cast<std::uint32_t>(config_->integer("fetch.max.bytes"));
    const auto sessions =
        static_cast<std::size_t>(config_->integer("max.incremental.fetch.session.cache.slots"));
    limits.sessions = (sessions + count - 1) / count;
    limits.session_partitions = static_cast<std::size_t>(config_->integer("kq.partitions.max"));
    ask_ = std::make_shared<AskForProducerIds>(std::move(ask));
    for (std::size_t i = 0; i < count; ++i) {
        Loop& loop = *seams_.data_loops[i];
        // Over to the control loop, where the controller is asked, and back.
        auto allocate = [&control = seams_.control, &loop,
                         ask = ask_](Callback<void(Result<ProducerIdBlock>)> on_block) {
            control.post([&loop, ask, on_block = std::move(on_block)]() mutable {
                (*ask)([&loop,
                        on_block = std::move(on_block)](Result<ProducerIdBlock> block) mutable {
                    loop.post([on_block = std::move(on_block), block = std::move(block)]() mutable {
                        on_block(std::move(block));
                    });
                });
            });
        };
        loops_.push_back(std::make_unique<DataLoop>(loop, i, *router_, seams_.pool, limits,
                                                    std::move(allocate)));
    }
    directories_->listen_for_failures([this](std::uint32_t directory, const Error& why) {
        for (auto& set : sets_) {
            set->loop().post(
                [&set = *set, directory, why] { set.directory_failed(directory, why); });
        }
    });
}

void DataPlane::on_directory_failed(LogDirectories::FailureCallback on_failed) {
    directories_->listen_for_failures(std::move(on_failed));
}

void DataPlane::apply(MetadataImage image, std::shared_ptr<const MetadataDelta> delta,
                      Task on_applied, std::function<void(std::size_t loop)> on_loop) {
    seams_.control.assert_here();
    struct Applying {
        std::size_t left;
        Task on_applied;
    };
    auto applying = std::make_shared<Applying>(Applying{sets_.size(), std::move(on_applied)});
    for (std::size_t i = 0; i < sets_.size(); ++i) {
        PartitionSet& set = *sets_[i];
        set.loop().post([this, i, &set, image, delta, applying, on_loop] {
            set.apply(image, delta, [this, applying] {
                seams_.control.post([applying] {
                    if (--applying->left == 0) applying->on_applied();
                });
            });
            if (on_loop != nullptr) on_loop(i);
        });
    }
    if (std::exchange(first_image_, false)) directories_->sweep(*image, broker_);
}

void DataPlane::stop(BrokerEpoch epoch, Callback<void(bool clean)> on_stopped) {
    seams_.control.assert_here();
    struct Stopping {
        std::size_t left;
        bool clean = true;
        Callback<void(bool)> on_stopped;
    };
    auto stopping = std::make_shared<Stopping>(Stopping{sets_.size(), true, std::move(on_stopped)});
    for (std::size_t i = 0; i < sets_.size(); ++i) {
        sets_[i]->loop().post([this, i, epoch, stopping] {
            loops_[i]->fetches.stop();
            sets_[i]->stop([this, i, epoch, stopping](bool clean) {
                loops_[i]->produces.stop();
                seams_.control.post([this, epoch, clean, stopping] {
                    stopping->clean = stopping->clean && clean;
                    if (--stopping->left > 0) return;
                    directories_->stop(stopping->clean, epoch, std::move(stopping->on_stopped));
                });
            });
        });
    }
}

}  // namespace kq

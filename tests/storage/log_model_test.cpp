// SPDX-License-Identifier: Apache-2.0
//
// The log beside a model of it: a list of batches. Random appends, syncs, crashes, clean stops,
// truncations, deletions and reads; whatever happens, the log must hold what the model holds, or,
// after a power failure, a prefix of it that contains everything that was synced.
#include <algorithm>

#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

namespace {

struct ModelBatch {
    Offset base;
    Offset last;
    Epoch epoch;
    WallTime max_timestamp;
    Bytes bytes;  // as they stand in the log
};

class LogAndModel {
public:
    explicit LogAndModel(std::uint64_t seed) : random_(seed) {
        disk_.options.segment_bytes = 800 + static_cast<std::int64_t>(below(3000));
        disk_.options.index_interval_bytes = static_cast<std::int32_t>(below(600));
        disk_.options.segment_index_bytes = 48 + static_cast<std::int32_t>(below(300));
        disk_.options.retention_ms = Millis{-1};
        disk_.create();
    }

    void step() {
        switch (below(24)) {
            case 0:
                return sync_fully();
            case 1:
                return begin_or_finish_sync();
            case 2:
                return clean_restart();
            case 3:
                return crash(below(3) != 0);
            case 4:
                return truncate();
            case 5:
                return remove_old();
            case 6:
                return advance_start();
            case 7:
                return append_as_follower();
            case 8:
                ++epoch_;
                return;
            case 9:
                return search();
            case 10:
            case 11:
            case 12:
                return read_somewhere();
            default:
                return append_as_leader();
        }
    }

    void check_all() {
        auto& log = *disk_.log;
        CHECK(log.log_start() == start_);
        CHECK(log.log_end() == end());
        CHECK(log.recovery_point() <= std::max(log.durable_end(), log.log_start()));
        CHECK(log.durable_end() <= log.log_end());
        auto from = start_;
        for (const auto& batch : model_) {
            if (batch.last < start_) continue;
            auto result = read(log, from, 1);
            REQUIRE(result.ok());
            REQUIRE(slice_bytes(result.value().slice) == batch.bytes);
            CHECK(log.epoch_of(batch.last) == batch.epoch);
            from = batch.last + 1;
        }
        CHECK(from == std::max(end(), start_));
        if (!model_.empty() && model_.back().last >= start_) {
            CHECK(log.latest_epoch() >= model_.back().epoch);
        }
        check_producer();
    }

private:
    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    Offset end() const {
        return model_.empty() ? empty_end_ : std::max(model_.back().last + 1, empty_end_);
    }

    BatchSpec next_spec() {
        auto spec = produced(1, sequence_, 1 + static_cast<int>(below(4)));
        spec.value_bytes = static_cast<std::size_t>(below(120));
        spec.timestamp_ms = 1'700'000'000'000 + static_cast<std::int64_t>(below(100'000));
        spec.fill = static_cast<std::uint8_t>(below(256));
        return spec;
    }
    void remember(Bytes bytes) {
        auto header = BatchHeader::parse(bytes).value();
        model_.push_back({header.base_offset, header.last_offset(), header.leader_epoch,
                          header.max_timestamp, std::move(bytes)});
        sequence_ = header.last_sequence().value + 1;
    }

    void append_as_leader() {
        auto count = 1 + below(4);
        std::vector<Bytes> bytes;
        for (std::uint64_t i = 0; i < count; ++i) {
            auto spec = next_spec();
            bytes.push_back(make_batch(spec));
            sequence_ += spec.records;
        }
        std::vector<ValidatedBatch> checked;
        for (const auto& batch : bytes)
            checked.push_back(validated(batch));
        std::vector<LeaderBatch> batches;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            batches.push_back({bytes[i], &checked[i]});
        auto results = disk_.log->append_as_leader(batches, Epoch{epoch_});
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (!results[i].ok()) FAIL(results[i].error().text());
            REQUIRE(results[i].value().first == end());
            remember(std::move(bytes[i]));
        }
    }

    void append_as_follower() {
        Bytes all;
        std::vector<Bytes> single;
        auto next = end();
        for (auto count = 1 + below(4); count > 0; --count) {
            auto spec = next_spec();
            spec.base = next;
            spec.leader_epoch = Epoch{epoch_};
            single.push_back(make_batch(spec));
            kq::append(all, single.back());
            sequence_ += spec.records;
            next = next + spec.records;
        }
        REQUIRE(disk_.log->append_as_follower(all).ok());
        for (auto& bytes : single)
            remember(std::move(bytes));
    }

    void sync_fully() {
        finish_job();
        REQUIRE(sync(*disk_.log).ok());
        synced_ = disk_.log->durable_end();
        if (below(2) == 0) checkpoint_ = disk_.log->recovery_point();
    }
    void begin_or_finish_sync() {
        if (job_) return finish_job();
        job_ = disk_.log->begin_sync();
    }
    void finish_job() {
        if (!job_) return;
        auto result = job_->run();
        disk_.log->finish_sync(*job_, result);
        synced_ = std::max(synced_, job_->end());
        job_.reset();
    }

    void clean_restart() {
        finish_job();
        REQUIRE(disk_.log->close_clean().ok());
        disk_.log.reset();
        if (below(2) == 0) disk_.files.power_off_losing_all();  // a clean stop needs nothing more
        disk_.open(LastStop::clean, Offset{0}, saved_start_);
        checkpoint_ = synced_ = disk_.log->recovery_point();
        CHECK(disk_.log->opened().scanned_bytes == 0);
        check_all();
    }

    void crash(bool power) {
        if (job_ && below(2) == 0) static_cast<void>(job_->run().ok());  // done, never told
        auto durable = disk_.log->durable_end();
        // Records that were deleted before they were durable may be lost to the producers' state.
        if (power && std::min(durable, synced_) < start_) lost_below_start_ = true;
        job_.reset();
        disk_.log.reset();
        if (power) {
            disk_.files.power_off(random_);
        } else {
            disk_.files.kill();
        }
        auto last_stop = power ? LastStop::host_died : LastStop::process_died;
        auto& log = disk_.open(last_stop, checkpoint_, saved_start_);
        CHECK(log.log_end() <= end());
        CHECK(log.log_end() >= durable);
        if (!power) CHECK(log.log_end() == end());
        // What was left ended before the log start: it begins anew there.
        if (log.log_end() <= saved_start_ && log.producers().size() == 0) model_.clear();
        shorten_model(log.log_end());
        // What was deleted may be back, but not what is below the start that was saved.
        CHECK(log.log_start() >= saved_start_);
        CHECK(log.log_start() <= start_);
        start_ = log.log_start();
        check_all();
    }

    void truncate() {
        finish_job();
        if (model_.empty() || below(3) != 0) return;
        auto span = end() - start_;
        auto to = start_ + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(span) + 1));
        checkpoint_ = std::min(checkpoint_, to);
        REQUIRE(disk_.log->truncate_to(to).ok());
        checkpoint_ = std::min(checkpoint_, disk_.log->recovery_point());
        auto log_end = disk_.log->log_end();
        CHECK(log_end <= to);
        // The batch at the cut reaches below the log start: nothing is left.
        if (std::any_of(model_.begin(), model_.end(),
                        [&](const ModelBatch& b) { return b.base < start_ && b.last >= to; })) {
            CHECK(log_end == start_);
            model_.clear();
        }
        shorten_model(log_end);
        ++epoch_;
        check_all();
    }
    void shorten_model(Offset log_end) {
        while (!model_.empty() && model_.back().last >= log_end) {
            CHECK(model_.back().base >= log_end);
            model_.pop_back();
        }
        empty_end_ = log_end;
        synced_ = std::min(synced_, log_end);
        sequence_ = model_.empty() ? 0 : sequence_behind(model_.back());
        const auto* known = disk_.log->producers().find(ProducerId{1});
        if (lost_below_start_ && known) sequence_ = known->last_sequence().value + 1;
    }
    std::int32_t sequence_behind(const ModelBatch& batch) {
        return BatchHeader::parse(batch.bytes).value().last_sequence().value + 1;
    }

    void advance_start() {
        auto span = end() - start_;
        start_ = start_ + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(span) + 1));
        disk_.log->advance_log_start(start_);
        saved_start_ = start_;  // the caller persists it
    }

    void remove_old() {
        finish_job();
        disk_.options.retention_bytes = static_cast<std::int64_t>(below(8000));
        disk_.log->set_options(disk_.options);
        auto job = disk_.log->delete_old_segments(disk_.clock.wall(), disk_.log->durable_end());
        disk_.options.retention_bytes = -1;
        disk_.log->set_options(disk_.options);
        CHECK(job.log_start() >= start_);
        start_ = job.log_start();
        saved_start_ = start_;
        if (below(4) != 0) REQUIRE(job.run().ok());
        empty_end_ = std::max(empty_end_, end());
    }

    void read_somewhere() {
        auto span = end() - start_;
        auto from = start_ + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(span) + 1));
        auto max_bytes = static_cast<std::uint32_t>(below(6000));
        // An upper bound where a batch begins.
        auto bound = end();
        if (!model_.empty() && below(2) == 0) {
            bound = model_[static_cast<std::size_t>(below(model_.size()))].base;
        }
        auto result = read(*disk_.log, from, max_bytes, bound);
        if (!result.ok()) FAIL(result.error().text());
        auto bytes = slice_bytes(result.value().slice);
        auto batch = std::find_if(model_.begin(), model_.end(),
                                  [&](const ModelBatch& b) { return b.last >= from; });
        if (batch == model_.end() || batch->base >= bound || from >= bound) {
            CHECK(bytes.empty());
            return;
        }
        REQUIRE(bytes.size() >= batch->bytes.size());
        if (bytes.size() > batch->bytes.size()) CHECK(bytes.size() <= max_bytes);
        CHECK(result.value().first == batch->base);
        ByteView rest(bytes);
        for (; !rest.empty(); ++batch) {
            REQUIRE(batch != model_.end());
            CHECK(batch->last < bound);
            CHECK(batch->last < result.value().bound);
            REQUIRE(rest.size() >= batch->bytes.size());
            CHECK(std::equal(batch->bytes.begin(), batch->bytes.end(), rest.begin()));
            rest = rest.subspan(batch->bytes.size());
        }
    }

    void search() {
        auto asked = wall_time(1'700'000'000'000 + static_cast<std::int64_t>(below(110'000)));
        auto found = disk_.log->search_timestamp(asked).run();
        REQUIRE(found.ok());
        auto batch = std::find_if(model_.begin(), model_.end(), [&](const ModelBatch& b) {
            return b.last >= start_ && b.max_timestamp >= asked;
        });
        // Records of a batch are a millisecond apart, the last one is the youngest.
        if (batch == model_.end()) {
            CHECK_FALSE(found.value().has_value());
            return;
        }
        REQUIRE(found.value().has_value());
        CHECK(found.value()->offset >= std::max(batch->base, start_));
        CHECK(found.value()->offset <= batch->last);
        CHECK(found.value()->timestamp >= asked);
    }

    void check_producer() {
        const auto* entry = disk_.log->producers().find(ProducerId{1});
        if (model_.empty() || (lost_below_start_ && model_.back().last < start_)) return;
        REQUIRE(entry != nullptr);
        CHECK(entry->last_sequence() == Sequence{sequence_behind(model_.back())} - 1);
        auto known = entry->batches();
        for (std::size_t i = 0; i < known.size() && i < model_.size(); ++i) {
            if (lost_below_start_ && model_[model_.size() - 1 - i].last < start_) break;
            CHECK(known[known.size() - 1 - i].last_offset == model_[model_.size() - 1 - i].last);
        }
        CHECK(known.size() <= 5);
    }

    SeededRandom random_;
    LogOnDisk disk_;
    std::vector<ModelBatch> model_;  // also below start_: a deletion can be undone by a crash
    std::optional<SyncJob> job_;
    std::int32_t sequence_ = 0;
    std::int32_t epoch_ = 0;
    bool lost_below_start_ = false;
    Offset start_{0};
    Offset saved_start_{0};
    Offset synced_{0};
    Offset empty_end_{0};
    Offset checkpoint_{0};
};

}  // namespace

TEST_CASE("the log holds what its model holds", "[storage][model]") {
    auto seed = GENERATE(range(1u, 3001u));
    CAPTURE(seed);
    LogAndModel world(seed);
    for (int i = 0; i < 120; ++i)
        world.step();
    world.check_all();
}

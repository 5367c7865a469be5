// SPDX-License-Identifier: Apache-2.0
//
// Consumption: records of topics onto a pipe: from a position to the end there is now, or on and
// on.
//
// shape    resolve topics, partitions and positions; then poll, format into one buffer, write it
//          when it is large or nothing more waits. No allocation per record
// errors   exit statuses: 7 when the time was up before all that was asked for came
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/cluster_access.hpp"
#include "cli/framing.hpp"
#include "cli/positions.hpp"
#include "cli/record_writer.hpp"
#include "cli/trouble_notes.hpp"
#include "client/consumer.hpp"

namespace kq {

struct ConsumeOptions {
    std::vector<std::string> topics;
    FramingOptions framing;
    std::optional<std::string> range;     // POS or FROM..TO
    std::vector<std::string> partitions;  // indexes
    std::optional<std::int64_t> count;    // -n
    bool follow = false;
};

class Consumption {
public:
    static Result<std::unique_ptr<Consumption>> prepare(ClusterAccess& access,
                                                        const ConsumeOptions& options);
    // For prepare().
    Consumption(ClusterAccess& access, const ConsumeOptions& options, RecordWriter writer)
        : access_(access), options_(options), writer_(std::move(writer)) {}

    // Reads and writes until everything asked for is written. Answers the exit status.
    int run();

private:
    Status prepare_options();
    // A stop is a position, or none: the read goes on.
    bool waits_for_more() const;
    Result<std::vector<std::string>> topic_names();
    Status assign();
    void tell_of_empty_ranges();
    Status add_assignments(const std::string& topic, std::vector<Assignment>& out);
    Status keep_to_what_there_is(std::vector<Assignment>& assignments);
    bool begins_elsewhere(const Assignment& one, Offset first, Offset end) const;
    static Position stop_within(const Position& stop, Offset first, Offset end);
    Status tell_of_starts_elsewhere(const std::vector<std::string>& which, std::size_t of);
    Result<std::vector<std::int32_t>> wanted_partitions(const std::string& topic,
                                                        std::int32_t there) const;

    Status read_all();
    Status write_out(FetchedRecords& records);
    Status write_record(const std::string& topic, std::int32_t partition,
                        const ConsumedRecord& record);
    bool done_counting() const { return options_.count && written_ >= *options_.count; }
    // `trouble`: what keeps more records from coming, or "".
    void show_progress(bool force, const std::string& trouble = "");
    void tell_summary();
    int failed(const Error& error);

    ClusterAccess& access_;
    const ConsumeOptions& options_;
    RecordWriter writer_;
    std::unique_ptr<Consumer> consumer_;
    OnOutOfRange on_out_of_range_ = OnOutOfRange::fail;
    PositionRanges ranges_;
    std::vector<std::int32_t> partitions_;
    std::string under_way_;            // the topic whose failure it would be
    std::vector<HeaderView> headers_;  // of the record under way
    std::vector<std::string> tries_;   // instead of a topic that is not there
    std::optional<TroubleNotes> notes_;
    MonoTime started_{};
    std::int64_t written_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace kq

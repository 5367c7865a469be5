// SPDX-License-Identifier: Apache-2.0
//
// Production: records from pipes and files into a topic, as fast as both allow.
//
// shape    read a chunk, hand its records to the producer, let the network move; no allocation per
//          record
// errors   exit statuses: 0 only if every record was acknowledged; 8 where the input does not parse
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/cluster_access.hpp"
#include "cli/framing.hpp"
#include "cli/positions.hpp"
#include "cli/record_parser.hpp"
#include "cli/trouble_notes.hpp"
#include "client/producer.hpp"

namespace kq {

struct ProduceOptions {
    std::string topic;
    std::vector<std::string> files;  // none: standard input
    FramingOptions framing;
    std::optional<std::string> key;
    std::optional<std::int32_t> partition;
    std::optional<std::string> at;        // WHEN
    std::optional<std::string> compress;  // a codec
    std::vector<std::string> headers;     // NAME=VALUE
    std::optional<std::string> rate;
    std::vector<std::string> keep;  // partition, timestamp, topic
    bool skip_bad = false;
    bool report = false;
};

class Production {
public:
    static Result<std::unique_ptr<Production>> prepare(ClusterAccess& access,
                                                       const ProduceOptions& options);
    // For prepare().
    Production(ClusterAccess& access, const ProduceOptions& options, RecordParser reader)
        : access_(access), options_(options), reader_(std::move(reader)) {}

    // Reads everything, sends it, and waits for the acknowledgements. Answers the exit status.
    int run();

private:
    Status prepare_options();
    Status check_inputs() const;
    void warn_of_promises(const ProducerOptions& options) const;
    Status find_topic();
    Result<std::int32_t> learn_partitions();
    // `with_making`: a topic that is not there may be made by asking for it.
    Result<std::int32_t> ask_for_partitions(bool with_making);
    bool blocking_is_settled() const;
    std::optional<Millis> time_left() const;
    std::optional<Millis> time_to_find_topic() const;
    Status pump(Input& input);
    Status hand_over();
    Status await_input(Input& input);
    Status send(const PipedRecord& record);
    Status send_until_taken(const ProducerRecord& record);
    Status bad_record(Error error);
    Status keep_pace(std::size_t bytes);
    Status interrupted();
    ProducerRecord to_send(const PipedRecord& record);

    void on_batch(const BatchReport& report);
    // `trouble`: what holds the records up that are on their way, or "".
    void show_progress(bool force, const std::string& trouble = "");
    Status await_answers();
    void tell_of_patience();
    int finish(const Status& outcome);
    // `late`: the deadline of the command passed.
    int tell_failures(bool late);
    // What ended the wait for those that close() gave up.
    Error end_of_waiting(bool late) const;
    Problem problem_of(std::string what, const Error& error) const;
    void tell_summary();

    ClusterAccess& access_;
    const ProduceOptions& options_;
    std::vector<std::string> inputs_;  // paths; - is standard input
    RecordParser reader_;
    std::unique_ptr<Producer> producer_;
    std::optional<WallTime> at_;
    std::optional<Rate> rate_;
    bool may_create_ = true;  // allow.auto.create.topics
    bool keep_partition_ = false;
    bool keep_timestamp_ = false;
    bool keep_topic_ = false;
    std::vector<HeaderView> fixed_headers_;
    std::vector<HeaderView> headers_;  // of the record under way: its own, then the fixed ones
    std::vector<std::string> tries_;   // instead of a topic that is not there
    std::optional<TroubleNotes> notes_;
    MonoTime started_{};
    std::uint64_t records_ = 0;
    std::uint64_t bytes_ = 0;  // of keys and values
    std::uint64_t skipped_ = 0;
    std::size_t refused_bytes_ = 0;  // of the record that the producer did not take
};

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// DescribeLogDirs, key 35, versions 1-5, flexible from 2: the log directories of one broker, and
// the replicas in them.
//
// v3       a top-level error
// v4       total_bytes and usable_bytes (KIP-827)
// v5       is_cordoned (KIP-1066)
// source   Kafka protocol guide, "DescribeLogDirs API (Key: 35)"
#pragma once

#include "protocol/codec.hpp"

namespace kq::wire {

inline constexpr ApiInfo describe_log_dirs_api{
    .key = 35, .name = "DescribeLogDirs", .versions = {1, 5}, .flexible_from = 2};

struct DescribeLogDirsRequest {
    static constexpr const auto& info = describe_log_dirs_api;

    struct DescribableLogDirTopic {
        std::string topic;
        std::vector<std::int32_t> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("topic", topic);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const DescribableLogDirTopic&) const = default;
    };

    std::optional<std::vector<DescribableLogDirTopic>> topics =
        std::vector<DescribableLogDirTopic>{};  // null: all

    template <class Walker>
    void walk(Walker& w) {
        w.field("topics", topics);
        w.tags();
    }
    bool operator==(const DescribeLogDirsRequest&) const = default;
};

struct DescribeLogDirsResponse {
    static constexpr const auto& info = describe_log_dirs_api;

    struct DescribeLogDirsPartition {
        std::int32_t partition_index = 0;
        std::int64_t partition_size = 0;
        std::int64_t offset_lag = 0;
        bool is_future_key = false;

        template <class Walker>
        void walk(Walker& w) {
            w.field("partitionIndex", partition_index);
            w.field("partitionSize", partition_size);
            w.field("offsetLag", offset_lag);
            w.field("isFutureKey", is_future_key);
            w.tags();
        }
        bool operator==(const DescribeLogDirsPartition&) const = default;
    };

    struct DescribeLogDirsTopic {
        std::string name;
        std::vector<DescribeLogDirsPartition> partitions;

        template <class Walker>
        void walk(Walker& w) {
            w.field("name", name);
            w.field("partitions", partitions);
            w.tags();
        }
        bool operator==(const DescribeLogDirsTopic&) const = default;
    };

    struct DescribeLogDirsResult {
        std::int16_t error_code = 0;
        std::string log_dir;
        std::vector<DescribeLogDirsTopic> topics;
        std::int64_t total_bytes = -1;
        std::int64_t usable_bytes = -1;
        bool is_cordoned = false;

        template <class Walker>
        void walk(Walker& w) {
            w.field("errorCode", error_code);
            w.field("logDir", log_dir);
            w.field("topics", topics);
            w.field("totalBytes", total_bytes, since(4).ignorable());
            w.field("usableBytes", usable_bytes, since(4).ignorable());
            w.field("isCordoned", is_cordoned, since(5).ignorable());
            w.tags();
        }
        bool operator==(const DescribeLogDirsResult&) const = default;
    };

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::vector<DescribeLogDirsResult> results;

    template <class Walker>
    void walk(Walker& w) {
        w.field("throttleTimeMs", throttle_time_ms);
        w.field("errorCode", error_code, since(3).ignorable());
        w.field("results", results);
        w.tags();
    }
    bool operator==(const DescribeLogDirsResponse&) const = default;
};

}  // namespace kq::wire

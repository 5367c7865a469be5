// SPDX-License-Identifier: Apache-2.0
//
// LogOptions: what one partition's log needs of its topic's and its broker's settings. The names in
// the comments are Kafka's.
#pragma once

#include <cstdint>
#include <memory>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace kq {

class SharedLimit;

struct LogOptions {
    std::int64_t segment_bytes = std::int64_t{1} << 30;     // segment.bytes
    Millis segment_ms{std::int64_t{7} * 24 * 3600 * 1000};  // segment.ms
    Millis segment_jitter_ms{0};                  // drawn by the caller within segment.jitter.ms
    std::int32_t segment_index_bytes = 10 << 20;  // segment.index.bytes
    std::int32_t index_interval_bytes = 4096;     // index.interval.bytes

    bool delete_old = true;                                   // cleanup.policy holds "delete"
    bool compact = false;                                     // cleanup.policy holds "compact"
    std::int64_t retention_bytes = -1;                        // retention.bytes; -1 = no limit
    Millis retention_ms{std::int64_t{7} * 24 * 3600 * 1000};  // retention.ms; -1 = no limit

    Millis producer_id_expiration_ms{std::int64_t{24} * 3600 * 1000};  // producer.id.expiration.ms
    std::uint32_t producers_max = 100'000;                             // kq.producer.ids.max
    std::shared_ptr<SharedLimit> producer_room;                        // kq.producer.ids.total.max

    // Appends are refused while the disk has less room than this (or than a twentieth of itself,
    // where that is less), so that the rest of the broker can go on working. 0 = until it is full.
    std::uint64_t disk_reserve_bytes = std::uint64_t{64} << 20;
    // Space is reserved this far ahead of the end of a segment that is written to often.
    std::uint64_t allocate_ahead_bytes = std::uint64_t{32} << 20;
};

// How the process that used a log directory before us ended.
enum class LastStop {
    clean,         // it wrote its marker: every file is whole and synced
    process_died,  // same boot of the kernel: the page cache is complete, syncs are not
    host_died,     // what was not synced may be gone, torn, or out of order
};

// What the log directory's checkpoint files say about one partition.
struct OpenHints {
    LastStop last_stop = LastStop::host_died;
    Offset recovery_point{0};  // everything below is synced and was checked
    Offset log_start{0};       // records below are deleted; a log may begin later than that
    Offset cleaned_end{0};     // compaction came so far, once or now: offsets below may have gaps
    // The only replica: nobody else has what recovery must cut off, so its offsets are taken by an
    // empty batch, and never given again. Another replica's log is cut there, and fetches the rest.
    bool fill_lost_offsets = false;
};

}  // namespace kq

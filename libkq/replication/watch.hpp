// SPDX-License-Identifier: Apache-2.0
//
// WatchSet: who wants to hear when a partition (or the metadata image) has come so far. It is the
// one waiting mechanism of kq: acks=all, long polls, replica fetches and admin replies all wait
// here.
//
// shape    a watch is one-shot: it fires when its kind reaches the threshold, or with an error when
//          what it waits for cannot come any more; a cancelled one never fires
// units    thresholds are offsets: high_watermark 10 fires once the high watermark is >= 10
// owner    the loop of the partition; deadlines live at the requester only
// errors   whatever ended the waiting: not_leader_or_follower, unknown_topic_or_partition,
//          kafka_storage_error
// source   docs/architecture.md, "Watches and time"
#pragma once

#include <cstdint>
#include <vector>

#include "base/counters.hpp"
#include "base/function.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace kq {

enum class WatchKind : std::uint8_t {
    high_watermark,
    log_end,
    last_stable,
    log_start,
    durable,           // the end of what is on disk
    applied_metadata,  // of an image: the offset of the metadata log it has applied
    any_change,        // the next change of any of these, or of the role; the threshold is ignored
};

enum class WatchId : std::uint64_t { none = 0 };

using WatchCallback = Callback<void(const Status&)>;

// A watch whose time has come. Collected during a turn and called in its outbox, so that no handler
// is entered from inside another one.
struct FiredWatch {
    WatchId id;
    WatchCallback callback;
    Status status;
};
void call_all(std::vector<FiredWatch> fired);

class WatchSet {
public:
    // `gauge` counts what is parked, of all sets that share it.
    explicit WatchSet(Gauge* gauge = nullptr) : gauge_(gauge) {}
    ~WatchSet() { count(-static_cast<std::int64_t>(watches_.size())); }
    WatchSet(const WatchSet&) = delete;
    WatchSet& operator=(const WatchSet&) = delete;

    // The caller has checked that `threshold` is not reached yet.
    WatchId add(WatchKind kind, Offset threshold, WatchCallback callback);
    // Whether the watch was still there.
    bool cancel(WatchId id);

    // Moves to `fired` every watch of `kind` whose threshold is at most `value`.
    void reached(WatchKind kind, Offset value, std::vector<FiredWatch>& fired);
    // Moves the any_change watches to `fired`.
    void changed(std::vector<FiredWatch>& fired);
    // Moves those of `kind` to `fired`, each with `error`.
    void fail(WatchKind kind, const Error& error, std::vector<FiredWatch>& fired);
    // Moves all of them to `fired`, each with `error`.
    void fail_all(const Error& error, std::vector<FiredWatch>& fired);

    std::size_t size() const { return watches_.size(); }
    bool empty() const { return watches_.empty(); }

private:
    struct Watch {
        WatchId id;
        WatchKind kind;
        Offset threshold;
        WatchCallback callback;
    };
    template <class Predicate>
    void fire_if(Predicate due, const Status& status, std::vector<FiredWatch>& fired);

    void count(std::int64_t change) {
        if (gauge_ != nullptr && change != 0) gauge_->add(change);
    }

    Gauge* gauge_;
    std::vector<Watch> watches_;  // in the order of registration, in which they also fire
    std::uint64_t last_id_ = 0;
};

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// LogDirectories: the log directories of a broker as its data loops use them together: which names
// are taken, where new partitions go, what the checkpoint files say, which directory has failed.
//
// shape    a directory name is held by one topic id at a time: who wants it waits until the one
//          before has been renamed away. Work on a directory that blocks runs on the pool, one job
//          at a time for each directory
// owner    `loop`; the functions marked "any loop" post to it and answer on the loop that asked
// errors   of LogDirectory; kafka_storage_error for a directory that is offline
// source   docs/architecture.md, 7.1 "Directory", 9 "Metadata"
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/io_pool.hpp"
#include "base/log.hpp"
#include "base/log_limiter.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "metadata/metadata_state.hpp"
#include "storage/log_directory.hpp"

namespace kq {

// Where a partition's log is, or is to be.
struct LogLocation {
    std::uint32_t directory = 0;
    std::string path;
    bool exists = false;  // there is a log of this topic id
    OpenHints hints;
    Offset high_watermark{0};  // as checkpointed
};

// What a partition contributes to the checkpoint files of its directory.
struct PartitionCheckpoint {
    TopicPartition name;
    Offset recovery_point;
    Offset high_watermark;
    std::optional<Offset> log_start;  // only where it is not the base of the first segment
};

class LogDirectories {
    struct ByOpen {};

public:
    // Reads what lies in the directories: blocks, so it is made before the loops run (or on a
    // pool). The directories outlive the object; `loop` is where it lives afterwards.
    static Result<std::unique_ptr<LogDirectories>> open(Loop& loop, IoPool& pool, Random& random,
                                                        std::vector<LogDirectory*> directories,
                                                        Logger logger);
    // Only open() can give the first argument.
    LogDirectories(const ByOpen&, Loop& loop, IoPool& pool, Random& random, Logger logger);
    ~LogDirectories();
    LogDirectories(const LogDirectories&) = delete;
    LogDirectories& operator=(const LogDirectories&) = delete;

    // --- any loop, immutable
    std::size_t size() const { return directories_.size(); }
    const std::string& path(std::uint32_t directory) const;
    const LogDirectory& at(std::uint32_t directory) const { return *directories_[directory]; }

    // --- any loop
    // Takes the name of a partition's directory for `id`. Waits while another topic of the same
    // name still has it. `wanted` is the directory that the metadata names; zero: any.
    void acquire(Loop& asking, const TopicPartition& name, const Uuid& id, const Uuid& wanted,
                 Callback<void(Result<LogLocation>)> on_location);
    // The log is closed and the partition gone: renames its directory, frees the name, and unlinks
    // the files after `delay`.
    void remove(std::uint32_t directory, const TopicPartition& name, const Uuid& id, Millis delay);
    // The complete list of what set `set` has in the directory; replaces its last one. Written some
    // time; `on_written`, where there is one, is told on `asking` when it is, and durable.
    void note(std::uint32_t directory, std::size_t set,
              std::vector<PartitionCheckpoint> partitions);
    void note(std::uint32_t directory, std::size_t set, std::vector<PartitionCheckpoint> partitions,
              Loop& asking, Callback<void(Status)> on_written);
    // A log there was not opened to its end, or never closed: the next start looks at all of them.
    void leave_unmarked(std::uint32_t directory);
    // A write or sync failed there. Everybody who listens hears of it once.
    void fail(std::uint32_t directory, const Error& why);

    // --- on the loop
    using FailureCallback = Callback<void(std::uint32_t directory, const Error& why)>;
    // Posted from any loop; everybody who listens is called on the loop.
    void listen_for_failures(FailureCallback on_failure);
    // Puts aside the directories of partitions that the image does not give to this broker, and
    // deletes what was renamed for deletion by an earlier run. Once, with the first image.
    void sweep(const MetadataState& image, BrokerId self);
    // The broker has registered: what the death of the host may have lost is known to the cluster
    // (LogDirectory::note_boot). An error of a directory fails it; one for want of room is
    // answered.
    void note_boot(Callback<void(Status)> on_noted);
    // Writes the last checkpoints; with `clean` the clean markers of the directories that are
    // online. One of which not every log was opened and closed gets it only where nothing in it was
    // touched since the last clean stop; after the death of the host it takes a registration, too,
    // which is what `epoch` tells. Nothing else may be under way. on_stopped(clean) tells
    // whether every one has the marker that it deserves.
    void stop(bool clean, BrokerEpoch epoch, Callback<void(bool clean)> on_stopped);
    bool is_online(std::uint32_t directory) const;

private:
    enum class Renaming { deletion, stray };
    struct Holder {
        std::uint32_t directory = 0;
        std::optional<Uuid> id;  // nothing: partition.metadata was missing; the name decides
        bool on_disk = false;    // found at the start, and nobody has asked for it yet
        bool leaving = false;    // being renamed
    };
    struct Asked {
        Loop* loop;
        Uuid id;
        Uuid wanted;
        Callback<void(Result<LogLocation>)> on_location;
    };
    struct NoteWaiter {
        Loop* loop;
        Callback<void(Status)> on_written;
    };
    struct Directory {
        LogDirectory* files = nullptr;
        Uuid id;
        bool online = true;
        bool unmarked = false;  // leave_unmarked()
        std::size_t partitions = 0;
        OffsetsByPartition first_high_watermarks;   // as the checkpoint file had them at the start
        std::map<TopicPartition, OpenHints> hints;  // of what lay there
        // What the files say now, where that is known.
        std::optional<OffsetsByPartition> recovery_points, high_watermarks, log_starts;
        std::map<std::size_t, std::vector<PartitionCheckpoint>> noted;  // by set
        std::vector<NoteWaiter> note_waiters;                           // for the next write
        bool write_queued = false;
        bool write_again = false;  // for lack of room, in a while
        std::deque<Task> jobs;     // each starts a pool job, whose end calls job_over()
        bool busy = false;
    };

    Status read(std::vector<LogDirectory*> directories) KQ_NOT_ANALYSED;

    void grant(const TopicPartition& name, Asked asked) KQ_ON(loop_);
    void serve_waiting(const TopicPartition& name) KQ_ON(loop_);
    void rename_away(const TopicPartition& name, Renaming why, Millis delay) KQ_ON(loop_);
    void free_name(std::uint32_t directory, const TopicPartition& name) KQ_ON(loop_);
    void unlink_later(std::uint32_t directory, std::string path, Millis delay) KQ_ON(loop_);
    bool deserves_marker(std::uint32_t directory, BrokerEpoch epoch) const KQ_ON(loop_);
    std::optional<std::uint32_t> choose(const Uuid& wanted) const KQ_ON(loop_);
    void write_checkpoints(std::uint32_t directory) KQ_ON(loop_);
    void on_checkpoints_written(std::uint32_t directory, const Status& written) KQ_ON(loop_);
    static void tell_noted(std::vector<NoteWaiter> waiters, const Status& written);
    void fail_here(std::uint32_t directory, const Error& why) KQ_ON(loop_);
    void queue_job(std::uint32_t directory, Task start) KQ_ON(loop_);
    template <class Answer>
    void run_job(std::uint32_t directory, Function<Answer()> job, Callback<void(Answer)> on_done)
        KQ_ON(loop_);
    void start_next_job(std::uint32_t directory) KQ_ON(loop_);
    void job_over(std::uint32_t directory) KQ_ON(loop_);

    Loop& loop_;
    IoPool& pool_;
    Random& random_;
    Logger logger_;
    std::vector<LogDirectory*> directories_;  // immutable once open
    std::deque<Directory> state_ KQ_OWNED_BY(loop_);
    std::map<TopicPartition, Holder> holders_ KQ_OWNED_BY(loop_);
    std::map<TopicPartition, std::deque<Asked>> waiting_ KQ_OWNED_BY(loop_);
    std::vector<FailureCallback> listeners_ KQ_OWNED_BY(loop_);
    LogLimiter complaints_ KQ_OWNED_BY(loop_);
    bool stopping_ KQ_OWNED_BY(loop_) = false;
    bool all_marked_ KQ_OWNED_BY(loop_) = false;
    Callback<void(bool)> on_idle_ KQ_OWNED_BY(loop_);
};

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// LogLoader: the producer table, from snapshots and the log.
#include <algorithm>

#include "storage/file_names.hpp"
#include "storage/log_loader.hpp"
#include "storage/producer_replay.hpp"
#include "storage/producer_snapshot.hpp"

namespace kq {

namespace {

constexpr std::size_t snapshot_bytes_max = std::size_t{256} << 20;

}  // namespace

Status LogLoader::load_producers(Offset end) {
    log_.producers_.clear();
    Offset from;
    KQ_TRY(load_snapshot(end, log_.producers_, from));
    return walk_producers(from, end, log_.producers_, nullptr);
}

// The newest snapshot at or below `at_most` that can be read; `from` is where the log goes on from
// there. Bad ones are removed: the log tells the same.
Status LogLoader::load_snapshot(Offset at_most, ProducerTable& table, Offset& from) {
    KQ_TRY(list_snapshots());
    from = Offset{0};
    auto& known = found_.snapshots;
    for (auto at = std::upper_bound(known.begin(), known.end(), at_most); at != known.begin();) {
        --at;
        auto read = read_snapshot(*at, table);
        if (read.ok()) {
            from = *at;
            return done();
        }
        if (read.code() != Errc::corrupt_file && read.code() != Errc::not_found) return read;
        auto path = segment_path(log_.place_.directory, *at, producer_snapshot_suffix);
        find(path + ": " + read.error().message);
        KQ_TRY(unlink_quietly(path));
        at = known.erase(at);
    }
    return done();
}

// Truncation comes here without having opened the log.
Status LogLoader::list_snapshots() {
    if (snapshots_listed_) return done();
    snapshots_listed_ = true;
    KQ_LET(auto names, log_.files_.list(log_.place_.directory));
    found_.snapshots.clear();
    for (const auto& name : names) {
        if (auto offset = offset_in_name(name, producer_snapshot_suffix)) {
            found_.snapshots.push_back(*offset);
        }
    }
    std::sort(found_.snapshots.begin(), found_.snapshots.end());
    return done();
}

Status LogLoader::read_snapshot(Offset at, ProducerTable& table) {
    auto path = segment_path(log_.place_.directory, at, producer_snapshot_suffix);
    KQ_LET(auto content, read_file(log_.files_, path, snapshot_bytes_max));
    auto decoded = decode_snapshot(content, now_, table);
    if (!decoded.ok()) {
        return Error{decoded.code(), path + ": " + decoded.error().message};
    }
    if (table.size() == 0) return done();

    // Kafka's directories have none, and remember one batch of each producer.
    auto earlier_path = earlier_batches_path(log_.place_.directory, at);
    auto earlier = read_file(log_.files_, earlier_path, snapshot_bytes_max);
    if (earlier.code() == Errc::not_found) return done();
    if (!earlier.ok() && earlier.code() != Errc::corrupt_file) return earlier.error();
    auto added = earlier.ok() ? decode_earlier_batches(earlier.value(), content, now_, table)
                              : Status(earlier.error());
    if (added.code() == Errc::corrupt_file) {
        find(earlier_path + ": " + added.error().message);
        return unlink_quietly(earlier_path);
    }
    return added;
}

// Lets the batches in [from, end) tell what they did.
Status LogLoader::walk_producers(Offset from, Offset end, ProducerTable& table,
                                 std::vector<AbortedTransaction>* aborted) {
    auto& segments = log_.segments_;
    for (auto i = log_.segment_index_of(from); i < segments.size(); ++i) {
        if (from >= end || segments[i]->base() >= end) break;
        auto path = segments[i]->path(log_suffix);
        auto next_base = i + 1 < segments.size() ? segments[i + 1]->base() : end;
        if (next_base <= from) continue;
        KQ_LET(auto file, log_.files_.open(path, OpenMode::read));
        HeaderWalk walk(*file, 0, file->size(), MayWait::yes);
        BatchHeader header;
        while (true) {
            auto more = walk.next(header);
            if (more.code() == Errc::corrupt_file) {
                find(path + ": " + more.error().message);
                break;
            }
            if (!more.ok()) return more.error();
            if (!more.value() || header.base_offset >= end) break;
            if (header.base_offset < from) continue;
            auto done_transaction = replay(table, header, *file, walk.position(), now_);
            if (done_transaction.code() == Errc::io_error) return done_transaction.error();
            if (!done_transaction.ok()) {
                find(path + ": " + done_transaction.error().message);
            } else if (done_transaction.value() && aborted != nullptr) {
                aborted->push_back(*done_transaction.value());
            }
        }
    }
    return done();
}

// Snapshots beyond the end, and those that belong to no segment and are not the newest.
Status LogLoader::settle_snapshots(bool durable) {
    auto newest = Offset{0};
    for (auto at : found_.snapshots) {
        if (at <= log_.log_end_) newest = std::max(newest, at);
    }
    bool removed_beyond = false;
    auto is_stray = [&](Offset at) {
        removed_beyond = removed_beyond || at > log_.log_end_;
        bool of_segment = log_.segments_[log_.segment_index_of(at)]->base() == at;
        return at > log_.log_end_ || (!of_segment && at != newest);
    };
    for (auto at : found_.snapshots) {
        if (is_stray(at)) {
            KQ_TRY(
                unlink_quietly(segment_path(log_.place_.directory, at, producer_snapshot_suffix)));
        } else {
            (durable ? log_.snapshots_ : log_.pending_snapshots_).push_back(at);
        }
    }
    for (auto at : found_.earlier) {
        if (is_stray(at)) KQ_TRY(unlink_quietly(earlier_batches_path(log_.place_.directory, at)));
    }
    // They must not come back when the log has grown beyond them with other records.
    if (removed_beyond) KQ_TRY(log_.files_.sync_dir(log_.place_.directory));
    return done();
}

}  // namespace kq

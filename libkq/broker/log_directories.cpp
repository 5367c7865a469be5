// SPDX-License-Identifier: Apache-2.0
#include "broker/log_directories.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "base/mutant.hpp"
#include "broker/pool_job.hpp"

namespace kq {

namespace {

constexpr Millis write_again_interval{5'000};

constexpr std::string_view metadata_topic = "__cluster_metadata";

// A crash may have left checkpoints of partitions that are gone. The next ones of these names are
// others.
Status forget_others(LogDirectory& files, const std::map<TopicPartition, OpenHints>& there) {
    const auto without_others = [&](OffsetsByPartition offsets) {
        std::erase_if(offsets, [&](const auto& entry) { return !there.contains(entry.first); });
        return offsets;
    };
    auto starts = without_others(files.log_starts());
    if (starts != files.log_starts()) KQ_TRY(files.write_log_starts(std::move(starts)));
    auto points = without_others(files.recovery_points());
    if (points != files.recovery_points()) KQ_TRY(files.write_recovery_points(std::move(points)));
    auto marks = without_others(files.high_watermarks());
    if (marks != files.high_watermarks()) KQ_TRY(files.write_high_watermarks(std::move(marks)));
    return done();
}

}  // namespace

LogDirectories::LogDirectories(const ByOpen&, Loop& loop, IoPool& pool, Random& random,
                               Logger logger)
    : loop_(loop), pool_(pool), random_(random), logger_(std::move(logger)) {}

LogDirectories::~LogDirectories() = default;

Result<std::unique_ptr<LogDirectories>> LogDirectories::open(Loop& loop, IoPool& pool,
                                                             Random& random,
                                                             std::vector<LogDirectory*> directories,
                                                             Logger logger) {
    KQ_CHECK(!directories.empty());
    auto made = std::make_unique<LogDirectories>(ByOpen{}, loop, pool, random, std::move(logger));
    KQ_TRY(made->read(std::move(directories)));
    return made;
}

// Runs before any other thread knows the object.
Status LogDirectories::read(std::vector<LogDirectory*> directories) {
    for (std::uint32_t i = 0; i < directories.size(); ++i) {
        LogDirectory* files = directories[i];
        Directory state;
        state.files = files;
        if (files->identity().has_value()) state.id = files->identity()->directory_id;
        state.first_high_watermarks = files->high_watermarks();
        KQ_LET(const auto partitions, files->partitions());
        for (const PartitionDirectory& found : partitions) {
            if (found.partition.topic == metadata_topic) continue;
            ++state.partitions;
            state.hints.emplace(found.partition, files->hints_for(found.partition));
            const auto [holder, is_new] =
                holders_.try_emplace(found.partition, Holder{i, found.topic_id, true, false});
            if (!is_new) {
                return Error(Errc::corrupt_file,
                             "partition " + found.partition.text() + " lies in " + files->path() +
                                 " and in " + directories_[holder->second.directory]->path());
            }
        }
        KQ_TRY(forget_others(*files, state.hints));
        directories_.push_back(files);
        state_.push_back(std::move(state));
    }
    return done();
}

const std::string& LogDirectories::path(std::uint32_t directory) const {
    return directories_[directory]->path();
}

// --- Names

void LogDirectories::acquire(Loop& asking, const TopicPartition& name, const Uuid& id,
                             const Uuid& wanted, Callback<void(Result<LogLocation>)> on_location) {
    loop_.post([this, asked = Asked{&asking, id, wanted, std::move(on_location)}, name]() mutable {
        loop_.assert_here();
        waiting_[name].push_back(std::move(asked));
        serve_waiting(name);
    });
}

void LogDirectories::serve_waiting(const TopicPartition& name) {
    const auto queue = waiting_.find(name);
    if (queue == waiting_.end()) return;
    const auto holder = holders_.find(name);
    if (holder != holders_.end()) {
        if (holder->second.leaving) return;  // renaming: its end serves us
        const Uuid& wants = queue->second.front().id;
        const bool is_its_own = !holder->second.id.has_value() || *holder->second.id == wants;
        if (!is_its_own) {
            // A topic of the same name that was deleted while we were down, or whose owner is about
            // to give it up. Only the first may be taken away.
            if (holder->second.on_disk) rename_away(name, Renaming::stray, Millis{0});
            return;
        }
    }
    Asked asked = std::move(queue->second.front());
    queue->second.pop_front();
    if (queue->second.empty()) waiting_.erase(queue);
    grant(name, std::move(asked));
}

void LogDirectories::grant(const TopicPartition& name, Asked asked) {
    const auto answer = [&](Result<LogLocation> location) {
        asked.loop->post(
            [on_location = std::move(asked.on_location), location = std::move(location)]() mutable {
                on_location(std::move(location));
            });
    };
    const auto holder = holders_.find(name);
    LogLocation place;
    if (holder != holders_.end()) {
        Holder& held = holder->second;
        place.directory = held.directory;
        place.exists = true;
        held.on_disk = false;  // somebody has it now
        held.id = asked.id;
        const auto& marks = state_[held.directory].first_high_watermarks;
        if (const auto mark = marks.find(name); mark != marks.end()) {
            place.high_watermark = mark->second;
        }
        auto& hints = state_[held.directory].hints;
        if (const auto hint = hints.find(name); hint != hints.end()) place.hints = hint->second;
    } else {
        const auto chosen = choose(asked.wanted);
        if (!chosen.has_value()) {
            answer(Error(Errc::kafka_storage_error, "no log directory is online"));
            return;
        }
        place.directory = *chosen;
        ++state_[*chosen].partitions;
        holders_.emplace(name, Holder{*chosen, asked.id, false, false});
    }
    if (!state_[place.directory].online) {
        answer(Error(Errc::kafka_storage_error, "the log directory is offline"));
        return;
    }
    place.path = directories_[place.directory]->partition_path(name);
    answer(std::move(place));
}

std::optional<std::uint32_t> LogDirectories::choose(const Uuid& wanted) const {
    std::optional<std::uint32_t> best;
    for (std::uint32_t i = 0; i < state_.size(); ++i) {
        if (!state_[i].online) continue;
        if (!wanted.is_zero() && state_[i].id == wanted) return i;
        if (!best.has_value() || state_[i].partitions < state_[*best].partitions) best = i;
    }
    return best;
}

void LogDirectories::remove(std::uint32_t directory, const TopicPartition& name, const Uuid& id,
                            Millis delay) {
    loop_.post([this, directory, name, id, delay] {
        loop_.assert_here();
        const auto holder = holders_.find(name);
        if (holder == holders_.end() || holder->second.id != id) return;
        if (!state_[directory].online) {
            holders_.erase(holder);
            serve_waiting(name);
            return;
        }
        rename_away(name, Renaming::deletion, delay);
    });
}

void LogDirectories::rename_away(const TopicPartition& name, Renaming why, Millis delay) {
    Holder& holder = holders_.at(name);
    holder.leaving = true;
    const std::uint32_t directory = holder.directory;
    // The dice are rolled here: the pool's threads have none.
    auto dice = std::make_shared<SeededRandom>(random_.u64());
    run_job<Result<std::string>>(
        directory,
        [files = directories_[directory], name, why, dice] {
            return why == Renaming::stray ? files->rename_as_stray(name, *dice)
                                          : files->rename_for_deletion(name, *dice);
        },
        [this, name, why, delay, directory](Result<std::string> path) {
            loop_.assert_here();
            --state_[directory].partitions;
            if (!path.ok() && path.code() == Errc::too_many_open_files) {
                // It is renamed; only its parent could not be synced. The next start removes it.
                logger_.warn("a partition's directory is removed at the next start",
                             {kv("partition", name.text()), kv("error", path.error())});
            } else if (!path.ok() && path.code() != Errc::not_found) {
                logger_.error("a partition's directory cannot be renamed",
                              {kv("partition", name.text()), kv("error", path.error())});
                fail_here(directory, path.error());
            } else if (path.ok() && why == Renaming::stray) {
                logger_.warn("a partition that the cluster does not know was put aside",
                             {kv("partition", name.text()), kv("path", path.value())});
            } else if (path.ok()) {
                unlink_later(directory, path.value(), delay);
            }
            free_name(directory, name);
        });
}

// The checkpoint files must not say of its successor what was true of the partition that is gone.
void LogDirectories::free_name(std::uint32_t directory, const TopicPartition& name) {
    Directory& state = state_[directory];
    state.hints.erase(name);
    state.first_high_watermarks.erase(name);
    for (auto& [set, partitions] : state.noted) {
        std::erase_if(partitions,
                      [&](const PartitionCheckpoint& entry) { return entry.name == name; });
    }
    auto free = [this, name](const Status&) {
        loop_.assert_here();
        holders_.erase(name);
        serve_waiting(name);
    };
    if (!state.online || mutant(Mutant::keep_old_checkpoints)) return free(done());
    state.note_waiters.push_back({&loop_, std::move(free)});
    write_checkpoints(directory);
}

void LogDirectories::unlink_later(std::uint32_t directory, std::string path, Millis delay) {
    loop_.after(delay, [this, directory, path = std::move(path)] {
        loop_.assert_here();
        if (stopping_ || !state_[directory].online) return;  // the next start finds it
        run_job<Status>(
            directory,
            [files = directories_[directory], path] { return files->delete_renamed(path); },
            [this, path](Status removed) {
                if (!removed.ok()) {
                    logger_.error("a deleted partition's files cannot be removed",
                                  {kv("path", path), kv("error", removed.error())});
                }
            });
    });
}

void LogDirectories::sweep(const MetadataState& image, BrokerId self) {
    loop_.assert_here();
    std::vector<TopicPartition> strays;
    for (const auto& [name, holder] : holders_) {
        if (!holder.on_disk || holder.leaving) continue;
        const PartitionRegistration* partition = image.partition(name.topic, name.partition);
        const TopicImage* topic = image.topic(name.topic);
        const bool ours = partition != nullptr && partition->is_replica(self) &&
                          (!holder.id.has_value() || topic->id() == *holder.id);
        if (!ours) strays.push_back(name);
    }
    for (const TopicPartition& name : strays)
        rename_away(name, Renaming::stray, Millis{0});

    for (std::uint32_t i = 0; i < state_.size(); ++i) {
        run_job<Result<std::vector<std::string>>>(
            i, [files = directories_[i]] { return files->renamed_for_deletion(); },
            [this, i](Result<std::vector<std::string>> paths) {
                loop_.assert_here();
                if (!paths.ok()) return;
                for (std::string& path : paths.value()) {
                    unlink_later(i, std::move(path), Millis{0});
                }
            });
    }
}

// --- Checkpoints

void LogDirectories::note(std::uint32_t directory, std::size_t set,
                          std::vector<PartitionCheckpoint> partitions) {
    loop_.post([this, directory, set, partitions = std::move(partitions)]() mutable {
        loop_.assert_here();
        state_[directory].noted[set] = std::move(partitions);
        if (!stopping_) write_checkpoints(directory);
    });
}

void LogDirectories::note(std::uint32_t directory, std::size_t set,
                          std::vector<PartitionCheckpoint> partitions, Loop& asking,
                          Callback<void(Status)> on_written) {
    loop_.post([this, directory, set, partitions = std::move(partitions),
                waiter = NoteWaiter{&asking, std::move(on_written)}]() mutable {
        loop_.assert_here();
        Directory& state = state_[directory];
        state.noted[set] = std::move(partitions);
        state.note_waiters.push_back(std::move(waiter));
        if (stopping_ || !state.online) {
            tell_noted(std::exchange(state.note_waiters, {}),
                       Error(Errc::kafka_storage_error, "the log directory is offline"));
            return;
        }
        write_checkpoints(directory);
    });
}

void LogDirectories::tell_noted(std::vector<NoteWaiter> waiters, const Status& written) {
    for (NoteWaiter& waiter : waiters) {
        waiter.loop->post([on_written = std::move(waiter.on_written), written]() mutable {
            on_written(written);
        });
    }
}

// Whole files, and only those that say something new.
void LogDirectories::write_checkpoints(std::uint32_t directory) {
    Directory& state = state_[directory];
    if (!state.online || std::exchange(state.write_queued, true)) return;
    struct Files {
        std::optional<OffsetsByPartition> recovery_points, high_watermarks, log_starts;
    };
    // What is written is collected when the job's turn comes, not before.
    queue_job(directory, [this, directory] {
        loop_.assert_here();
        Directory& now = state_[directory];
        now.write_queued = false;
        OffsetsByPartition recovery_points, high_watermarks, log_starts;
        // Of logs that are not open (yet) the files go on saying what they said.
        for (const auto& [name, hints] : now.hints) {
            const auto holder = holders_.find(name);
            if (holder == holders_.end() || holder->second.leaving) continue;
            recovery_points[name] = hints.recovery_point;
            if (hints.log_start > Offset{0}) log_starts[name] = hints.log_start;
            const auto mark = now.first_high_watermarks.find(name);
            if (mark != now.first_high_watermarks.end()) high_watermarks[name] = mark->second;
        }
        for (const auto& [set, partitions] : now.noted) {
            for (const PartitionCheckpoint& entry : partitions) {
                recovery_points[entry.name] = entry.recovery_point;
                high_watermarks[entry.name] = entry.high_watermark;
                log_starts.erase(entry.name);
                if (entry.log_start.has_value()) log_starts[entry.name] = *entry.log_start;
            }
        }
        auto waiters = std::exchange(now.note_waiters, {});
        auto files = std::make_shared<Files>();
        const auto take = [](OffsetsByPartition& fresh, std::optional<OffsetsByPartition>& last,
                             std::optional<OffsetsByPartition>& out) {
            if (last == fresh) return;
            last = fresh;
            out = std::move(fresh);
        };
        take(recovery_points, now.recovery_points, files->recovery_points);
        take(high_watermarks, now.high_watermarks, files->high_watermarks);
        take(log_starts, now.log_starts, files->log_starts);
        run_on_pool(
            pool_, loop_,
            [files, to = directories_[directory]]() -> Status {
                if (files->recovery_points.has_value()) {
                    KQ_TRY(to->write_recovery_points(std::move(*files->recovery_points)));
                }
                if (files->high_watermarks.has_value()) {
                    KQ_TRY(to->write_high_watermarks(std::move(*files->high_watermarks)));
                }
                if (files->log_starts.has_value()) {
                    KQ_TRY(to->write_log_starts(std::move(*files->log_starts)));
                }
                return done();
            },
            [this, directory, waiters = std::move(waiters)](Status written) mutable {
                loop_.assert_here();
                tell_noted(std::move(waiters), written);
                on_checkpoints_written(directory, written);
            });
    });
}

void LogDirectories::on_checkpoints_written(std::uint32_t directory, const Status& written) {
    Directory& state = state_[directory];
    if (!written.ok()) {
        // Nothing is lost without them; they are written again with the next change, or soon.
        state.recovery_points.reset();
        state.high_watermarks.reset();
        state.log_starts.reset();
        if (!is_shortage(written.code())) fail_here(directory, written.error());
        if (complaints_.allows(path(directory), loop_.clock().mono())) {
            logger_.warn("checkpoints cannot be written",
                         {kv("directory", path(directory)), kv("error", written.error())});
        }
        if (state.online && !std::exchange(state.write_again, true)) {
            loop_.after(write_again_interval, [this, directory] {
                loop_.assert_here();
                state_[directory].write_again = false;
                if (!stopping_) write_checkpoints(directory);
            });
        }
    }
    job_over(directory);
}

// --- Jobs: one at a time for each directory

void LogDirectories::queue_job(std::uint32_t directory, Task start) {
    state_[directory].jobs.push_back(std::move(start));
    start_next_job(directory);
}

template <class Answer>
void LogDirectories::run_job(std::uint32_t directory, Function<Answer()> job,
                             Callback<void(Answer)> on_done) {
    queue_job(
        directory, [this, directory, job = std::move(job), on_done = std::move(on_done)]() mutable {
            run_on_pool(pool_, loop_, std::move(job),
                        [this, directory, on_done = std::move(on_done)](Answer answer) mutable {
                            loop_.assert_here();
                            on_done(std::move(answer));
                            job_over(directory);
                        });
        });
}

void LogDirectories::start_next_job(std::uint32_t directory) {
    Directory& state = state_[directory];
    if (state.busy || state.jobs.empty()) return;
    state.busy = true;
    Task start = std::move(state.jobs.front());
    state.jobs.pop_front();
    start();
}

void LogDirectories::job_over(std::uint32_t directory) {
    state_[directory].busy = false;
    start_next_job(directory);
    if (on_idle_ == nullptr) return;
    for (const Directory& state : state_) {
        if (state.busy) return;
    }
    std::exchange(on_idle_, nullptr)(all_marked_);
}

// --- Failure and end

void LogDirectories::listen_for_failures(FailureCallback on_failure) {
    loop_.post([this, on_failure = std::move(on_failure)]() mutable {
        loop_.assert_here();
        listeners_.push_back(std::move(on_failure));
    });
}

void LogDirectories::fail(std::uint32_t directory, const Error& why) {
    loop_.post([this, directory, why] {
        loop_.assert_here();
        fail_here(directory, why);
    });
}

void LogDirectories::fail_here(std::uint32_t directory, const Error& why) {
    if (!std::exchange(state_[directory].online, false)) return;
    logger_.error("a log directory is offline from now on",
                  {kv("directory", path(directory)), kv("error", why)});
    for (auto& listener : listeners_)
        listener(directory, why);
}

void LogDirectories::leave_unmarked(std::uint32_t directory) {
    loop_.post([this, directory] {
        loop_.assert_here();
        state_[directory].unmarked = true;
    });
}

// After a crash a log that nobody opened is as the crash left it: only opening it finds out what it
// holds.
bool LogDirectories::deserves_marker(std::uint32_t directory, BrokerEpoch epoch) const {
    if (state_[directory].unmarked) return false;
    const auto last_stop = directories_[directory]->last_stop();
    if (last_stop == LastStop::clean) return true;
    // The next start is to tell the cluster that records may be gone; this one did not (I10).
    if (last_stop == LastStop::host_died && epoch.value < 0) return false;
    return std::none_of(holders_.begin(), holders_.end(), [&](const auto& entry) {
        const Holder& holder = entry.second;
        return holder.directory == directory && holder.on_disk && !holder.leaving;
    });
}

bool LogDirectories::is_online(std::uint32_t directory) const {
    loop_.assert_here();
    return state_[directory].online;
}

void LogDirectories::note_boot(Callback<void(Status)> on_noted) {
    loop_.assert_here();
    struct Noting {
        std::size_t left;
        Status result = done();
        Callback<void(Status)> on_noted;
    };
    auto noting = std::make_shared<Noting>(Noting{state_.size(), done(), std::move(on_noted)});
    for (std::uint32_t i = 0; i < state_.size(); ++i) {
        run_job<Status>(
            i,
            [files = directories_[i], online = state_[i].online] {
                return online ? files->note_boot() : done();
            },
            [this, i, noting](Status noted) {
                loop_.assert_here();
                if (is_shortage(noted.code())) {
                    noting->result = noted;
                } else if (!noted.ok()) {
                    fail_here(i, noted.error());
                }
                if (--noting->left == 0) noting->on_noted(noting->result);
            });
    }
}

void LogDirectories::stop(bool clean, BrokerEpoch epoch, Callback<void(bool clean)> on_stopped) {
    loop_.assert_here();
    stopping_ = true;
    all_marked_ = clean;
    for (std::uint32_t i = 0; i < state_.size(); ++i) {
        write_checkpoints(i);
        if (!clean) continue;
        if (!deserves_marker(i, epoch)) {
            logger_.info("a log directory was not opened to its end; the next start will check it",
                         {kv("directory", path(i))});
            continue;
        }
        // Who never registered leaves the word of the one before.
        const auto known =
            epoch.value >= 0 ? std::optional(epoch) : directories_[i]->clean_broker_epoch();
        // Behind the checkpoints in the queue: the marker is the last that is written.
        run_job<Status>(
            i,
            [files = directories_[i], known, online = state_[i].online] {
                return online ? files->mark_clean(known.value_or(BrokerEpoch{-1})) : done();
            },
            [this, i](Status marked) {
                loop_.assert_here();
                if (!state_[i].online) all_marked_ = false;
                if (!marked.ok()) {
                    all_marked_ = false;
                    logger_.error("the clean stop could not be marked",
                                  {kv("directory", path(i)), kv("error", marked.error())});
                }
            });
    }
    on_idle_ = std::move(on_stopped);
    const bool idle = std::none_of(state_.begin(), state_.end(),
                                   [](const Directory& state) { return state.busy; });
    if (idle) {
        loop_.post([this] {
            loop_.assert_here();
            if (on_idle_ != nullptr) std::exchange(on_idle_, nullptr)(all_marked_);
        });
    }
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// The half of ConsumerCore that knows positions and hands out records. Fetching is in
// consumer_fetcher.cpp.
#include "client/consumer_core.hpp"

#include <algorithm>
#include <set>

#include "client/offset_lookup.hpp"

namespace kq {

ConsumerCore::ConsumerCore(Loop& loop, Network& network, Random& random, ConsumerOptions options)
    : loop_(loop),
      options_(std::move(options)),
      cluster_(loop, network, random, options_.client),
      caller_(cluster_),
      pump_timer_(loop) {
    loop_.assert_here();
    cluster_.allow_auto_create(options_.auto_create_topics);
    cluster_.on_change([this] {
        loop_.assert_here();
        note_missing_topics();
        pump_soon();
    });
}

ConsumerCore::~ConsumerCore() = default;

void ConsumerCore::partitions_of(std::string_view topic, MonoTime deadline,
                                 Callback<void(Result<std::vector<PartitionIndex>>)> done) {
    loop_.assert_here();
    cluster_.when_topic(std::string(topic), options_.auto_create_topics, deadline,
                        [done = std::move(done)](Result<const TopicMetadata*> found) mutable {
                            if (!found.ok()) return done(found.error());
                            std::vector<PartitionIndex> list;
                            auto count =
                                static_cast<std::int32_t>(found.value()->partitions.size());
                            for (std::int32_t i = 0; i < count; ++i)
                                list.emplace_back(i);
                            done(std::move(list));
                        });
}

void ConsumerCore::list_offsets(std::vector<OffsetQuery> queries, MonoTime deadline,
                                Callback<void(Result<std::vector<Result<ListedOffset>>>)> done) {
    loop_.assert_here();
    look_up_offsets(cluster_, caller_, std::move(queries), options_.isolation, deadline,
                    std::move(done));
}

// ---- positions

// Assignments whose words (start, end, a time) are being turned into offsets.
struct ConsumerCore::Resolution {
    std::vector<Assignment> assignments;
    std::vector<OffsetQuery> queries;
    std::vector<Result<ListedOffset>> answers;
    Callback<void(Status)> done;

    void want(const TopicPartition& partition, OffsetSpec spec) {
        for (const auto& query : queries) {
            if (query.partition == partition && query.spec.timestamp == spec.timestamp) return;
        }
        queries.push_back({partition, spec});
    }
    void want(const TopicPartition& partition, const Position& position) {
        switch (position.kind) {
            case Position::Kind::offset:
                return;
            case Position::Kind::start:
                return want(partition, OffsetSpec::earliest());
            case Position::Kind::end:
                want(partition, OffsetSpec::latest());
                if (position.value < 0) want(partition, OffsetSpec::earliest());
                return;
            case Position::Kind::timestamp:
                want(partition, OffsetSpec{std::max<std::int64_t>(position.value, 0)});
                want(partition, OffsetSpec::latest());
                return;
        }
    }
    Offset answer(const TopicPartition& partition, OffsetSpec spec) const {
        for (std::size_t i = 0; i < queries.size(); ++i) {
            if (queries[i].partition == partition && queries[i].spec.timestamp == spec.timestamp) {
                return answers[i].value().offset;
            }
        }
        KQ_UNREACHABLE("an offset that was not asked for");
    }
    Offset offset_of(const TopicPartition& partition, const Position& position) const {
        switch (position.kind) {
            case Position::Kind::offset:
                return Offset{position.value};
            case Position::Kind::start:
                return answer(partition, OffsetSpec::earliest()) + position.value;
            case Position::Kind::end: {
                auto offset = answer(partition, OffsetSpec::latest()) + position.value;
                if (position.value >= 0) return offset;
                return std::max(offset, answer(partition, OffsetSpec::earliest()));
            }
            case Position::Kind::timestamp: {
                auto found =
                    answer(partition, OffsetSpec{std::max<std::int64_t>(position.value, 0)});
                return found != no_offset ? found : answer(partition, OffsetSpec::latest());
            }
        }
        KQ_UNREACHABLE("a position of no kind");
    }
};

void ConsumerCore::assign(std::vector<Assignment> assignments, MonoTime deadline,
                          Callback<void(Status)> done_in) {
    loop_.assert_here();
    std::set<TopicPartition> seen;
    for (const auto& assignment : assignments) {
        if (!seen.insert(assignment.partition).second) {
            return done_in(Error{Errc::usage, assignment.partition.text() + " is assigned twice"});
        }
    }
    // Watched before the look-up, so that what it learns of leaders is kept.
    for (const auto& assignment : assignments)
        cluster_.watch_topic(assignment.partition.topic);
    auto resolution = std::make_shared<Resolution>();
    resolution->assignments = std::move(assignments);
    resolution->done = [this, resolution_done = std::move(done_in),
                        weak = std::weak_ptr<Resolution>(resolution)](Status status) mutable {
        loop_.assert_here();
        auto held = weak.lock();
        KQ_CHECK(held != nullptr);
        if (status.ok()) {
            begin(*held);
        } else {
            for (const auto& assignment : held->assignments) {
                cluster_.unwatch_topic(assignment.partition.topic);
            }
        }
        resolution_done(std::move(status));
    };
    resolve(std::move(resolution), deadline);
}

void ConsumerCore::resolve(std::shared_ptr<Resolution> resolution, MonoTime deadline) {
    for (const auto& assignment : resolution->assignments) {
        resolution->want(assignment.partition, assignment.start);
        if (assignment.stop) resolution->want(assignment.partition, *assignment.stop);
    }
    if (resolution->queries.empty()) return resolution->done(done());
    auto queries = resolution->queries;
    look_up_offsets(cluster_, caller_, std::move(queries), options_.isolation, deadline,
                    [resolution](Result<std::vector<Result<ListedOffset>>> answers) {
                        if (!answers.ok()) return resolution->done(answers.error());
                        for (const auto& answer : answers.value()) {
                            if (!answer.ok()) return resolution->done(answer.error());
                        }
                        resolution->answers = std::move(answers).value();
                        resolution->done(done());
                    });
}

void ConsumerCore::begin(const Resolution& resolution) {
    for (const auto& old : partitions_)
        cluster_.unwatch_topic(old->name->topic);
    partitions_.clear();
    by_name_.clear();
    next_ = fetch_first_ = 0;
    for (const auto& assignment : resolution.assignments) {
        auto partition = std::make_unique<Partition>();
        partition->name = std::make_shared<const TopicPartition>(assignment.partition);
        partition->generation = next_generation_++;
        partition->position = resolution.offset_of(assignment.partition, assignment.start);
        partition->fetch_offset = partition->position;
        if (assignment.stop) {
            partition->stop = resolution.offset_of(assignment.partition, *assignment.stop);
        }
        by_name_[assignment.partition] = partition.get();
        partitions_.push_back(std::move(partition));
    }
    for (const auto& partition : partitions_) {
        if (cluster_.topic(partition->name->topic) == nullptr) cluster_.refresh();
    }
    pump_soon();
    tell_if_ready();
}

ConsumerCore::Partition* ConsumerCore::find(const TopicPartition& partition) {
    auto found = by_name_.find(partition);
    return found == by_name_.end() ? nullptr : found->second;
}

void ConsumerCore::seek(const TopicPartition& name, Position to, MonoTime deadline,
                        Callback<void(Status)> done_in) {
    loop_.assert_here();
    auto* partition = find(name);
    if (partition == nullptr) {
        return done_in(Error{Errc::usage, name.text() + " is not assigned"});
    }
    partition->generation = next_generation_++;
    partition->ready.clear();
    partition->error.reset();
    partition->left_alone = false;
    partition->resetting = true;
    auto resolution = std::make_shared<Resolution>();
    resolution->assignments.push_back({name, to, std::nullopt});
    resolution->done = [this, name, to, generation = partition->generation,
                        seek_done = std::move(done_in),
                        weak = std::weak_ptr<Resolution>(resolution)](Status status) mutable {
        loop_.assert_here();
        auto* found = find(name);
        auto held = weak.lock();
        if (found != nullptr && found->generation == generation && held != nullptr) {
            found->resetting = false;
            if (status.ok()) {
                found->position = found->fetch_offset = held->offset_of(name, to);
                pump_soon();
            } else {
                give_up(*found, status.error());
            }
        }
        seek_done(std::move(status));
    };
    resolve(std::move(resolution), deadline);
}

void ConsumerCore::pause(const TopicPartition& name) {
    loop_.assert_here();
    if (auto* partition = find(name); partition != nullptr) partition->paused = true;
}

void ConsumerCore::resume(const TopicPartition& name) {
    loop_.assert_here();
    if (auto* partition = find(name); partition != nullptr) partition->paused = false;
    pump_soon();
    tell_if_ready();
}

// ---- handing out

Result<std::optional<FetchedRecords>> ConsumerCore::take() {
    loop_.assert_here();
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
        auto& partition = *partitions_[(next_ + i) % partitions_.size()];
        if (partition.paused) continue;
        if (!partition.ready.empty()) {
            next_ = (next_ + i + 1) % partitions_.size();
            auto records = std::move(partition.ready.front());
            partition.ready.pop_front();
            partition.position =
                partition.ready.empty() ? partition.fetch_offset : records.next_offset();
            pump_soon();
            return std::optional<FetchedRecords>(std::move(records));
        }
        if (partition.error && !partition.left_alone) {
            partition.left_alone = true;
            return *partition.error;
        }
    }
    return std::optional<FetchedRecords>();
}

bool ConsumerCore::is_ready() const {
    for (const auto& partition : partitions_) {
        if (partition->paused) continue;
        if (!partition->ready.empty() || (partition->error && !partition->left_alone)) return true;
    }
    return false;
}

void ConsumerCore::when_ready(Callback<void()> ready) {
    loop_.assert_here();
    ready_ = std::move(ready);
    tell_if_ready();
}

void ConsumerCore::tell_if_ready() {
    if (ready_ == nullptr || (!is_ready() && !finished())) return;
    std::exchange(ready_, nullptr)();
}

bool ConsumerCore::finished() const {
    loop_.assert_here();
    return std::all_of(partitions_.begin(), partitions_.end(),
                       [](const auto& partition) { return partition->has_finished(); });
}

std::vector<PartitionProgress> ConsumerCore::progress() const {
    loop_.assert_here();
    std::vector<PartitionProgress> list;
    for (const auto& partition : partitions_) {
        list.push_back({.partition = *partition->name,
                        .position = partition->resetting ? no_offset : partition->position,
                        .stop = partition->stop,
                        .high_watermark = partition->high_watermark,
                        .finished = partition->has_finished(),
                        .paused = partition->paused});
    }
    return list;
}

ConsumerStats ConsumerCore::stats() const {
    loop_.assert_here();
    return stats_;
}

std::optional<Trouble> ConsumerCore::trouble() const {
    loop_.assert_here();
    for (const auto& partition : partitions_) {
        if (partition->trouble && !partition->error && !partition->has_finished()) {
            return partition->trouble;
        }
    }
    // A broker that has nothing new answers after fetch.max.wait.ms.
    const auto owed = loop_.clock().mono() - options_.fetch_wait_max - Millis{1000};
    for (const auto& [broker, under_way] : fetches_) {
        if (!under_way.under_way || under_way.asked_at > owed) continue;
        return Trouble{Error{Errc::deadline_passed,
                             "broker " + std::to_string(broker.value) + " has not answered yet"},
                       under_way.asked_at};
    }
    return std::nullopt;
}

}  // namespace kq

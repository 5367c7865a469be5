// SPDX-License-Identifier: Apache-2.0
#include "consumption.hpp"

#include <algorithm>
#include <set>

#include "cli/encodings.hpp"
#include "cli/text.hpp"
#include "cli/topic_names.hpp"
#include "client/admin.hpp"

namespace kq {
namespace {

// In the order of their first mention.
std::vector<std::string> without_repetitions(const std::vector<std::string>& names) {
    std::vector<std::string> once;
    std::set<std::string_view> seen;
    for (const std::string& name : names) {
        if (seen.insert(name).second) once.push_back(name);
    }
    return once;
}

bool may_be_past_the_end(const Position& position) {
    return position.kind == Position::Kind::offset || position.kind == Position::Kind::start;
}

}  // namespace

Result<std::unique_ptr<Consumption>> Consumption::prepare(ClusterAccess& access,
                                                          const ConsumeOptions& options) {
    KQ_LET(auto framing, framing_of(options.framing, access.settings().format));
    auto writer = RecordWriter::create(std::move(framing));
    if (!writer.ok()) return wrong_format(access.settings().format, writer.error());
    auto consumption = std::make_unique<Consumption>(access, options, std::move(writer).value());
    KQ_TRY(consumption->prepare_options());
    return consumption;
}

Status Consumption::prepare_options() {
    const Zone zone = options_.framing.utc ? Zone::utc : Zone::local;
    if (options_.range) {
        auto parsed = parse_ranges(*options_.range, access_.wall_now(), zone);
        if (!parsed.ok()) {
            return Error{parsed.code(), "option '--offset': " + parsed.error().message};
        }
        ranges_ = std::move(parsed).value();
    }
    for (const std::string& text : options_.partitions) {
        auto number = decimal(as_bytes(text));
        if (!number || *number < 0 || *number > std::numeric_limits<std::int32_t>::max()) {
            return Error{Errc::usage,
                         "option '--partition': " + in_quotes(text) + " is no partition"};
        }
        partitions_.push_back(static_cast<std::int32_t>(*number));
    }
    if (!partitions_.empty() && !ranges_.by_partition.empty()) {
        return Error{Errc::usage, "-p and positions of single partitions exclude each other"};
    }
    if (options_.follow &&
        (ranges_.all.to ||
         std::any_of(ranges_.by_partition.begin(), ranges_.by_partition.end(),
                     [](const auto& one) { return one.second.to.has_value(); }))) {
        return Error{Errc::usage, "-F reads on for ever: it does not go with an end"};
    }
    KQ_LET(auto consumer_options, access_.consumer_options());
    on_out_of_range_ = consumer_options.on_out_of_range;
    consumer_ = std::make_unique<Consumer>(access_.runtime(), std::move(consumer_options));
    return done();
}

// With -n and -t together: until that many have come, or the time is up.
bool Consumption::waits_for_more() const {
    return options_.follow || (options_.count && access_.deadline());
}

int Consumption::run() {
    access_.wake_for_progress();
    access_.watch_reader();
    under_way_ = options_.topics.front();
    started_ = access_.now();
    access_.awaiting(access_.settings().bootstrap());
    auto assigned = assign();
    access_.no_longer_awaiting();
    if (!assigned.ok()) return failed(assigned.error());
    tell_of_empty_ranges();
    notes_.emplace(
        access_.console(), access_.runtime().loop(), [this] { return consumer_->trouble(); },
        [this](const std::string& why) { show_progress(false, why); });
    auto read = read_all();
    auto flushed = access_.console().flush();
    access_.console().end_progress();
    if (!read.ok()) return failed(read.error());
    tell_summary();
    if (!flushed.ok()) return failed(flushed.error());
    return exit_ok;
}

int Consumption::failed(const Error& error) {
    if (access_.reader_is_gone()) access_.console().reader_is_gone();
    if (access_.console().output_error()) {  // no fault of the topic
        return access_.console().fail("", *access_.console().output_error());
    }
    std::string what;
    if (error.code == Errc::deadline_passed && options_.count) {
        what = "got " + std::to_string(written_) + " of " + counted(*options_.count, "record");
    } else if (written_ == 0) {
        what = "cannot read " + in_quotes(under_way_);
    }
    Problem problem = access_.problem(what, error, consumer_->advertised_trouble());
    problem.target = under_way_;
    if (error.code == Errc::deadline_passed && options_.count) problem.tries.clear();
    if (error.code == Errc::unknown_topic_or_partition) problem.tries = tries_;
    if (error.code == Errc::offset_out_of_range) {
        problem.tries = {same_command(access_.console().process(), access_.console().tool(),
                                      {"-o", "--offset"}, "-o start")};
    }
    // Which a template's modifier has no form for, these have.
    if (error.code == Errc::bad_data && error.message.find("{json}") != std::string::npos) {
        problem.tries = {same_command(access_.console().process(), access_.console().tool(),
                                      {"-f", "--format"}, "-f jsonl")};
    }
    return access_.console().fail(problem);
}

Result<std::vector<std::string>> Consumption::topic_names() {
    const bool globs = std::any_of(options_.topics.begin(), options_.topics.end(), is_glob);
    if (!globs) return without_repetitions(options_.topics);
    KQ_LET(auto own, access_.consumer_options());
    Admin admin(access_.runtime(), std::move(own.client));
    admin.set_deadline(access_.deadline());
    KQ_LET(auto topics, admin.list_topics(true));
    std::vector<std::string> names;
    for (const std::string& name : options_.topics) {
        under_way_ = name;
        const auto before = names.size();
        for (const auto& topic : topics) {
            if (topic.name == name || (!topic.is_internal && matches_glob(topic.name, name))) {
                names.push_back(topic.name);
            }
        }
        if (names.size() == before) return no_such_topic(name, {});
    }
    std::sort(names.begin(), names.end());
    return without_repetitions(names);
}

Status Consumption::assign() {
    consumer_->set_deadline(access_.deadline());
    KQ_LET(auto names, topic_names());
    std::vector<Assignment> assignments;
    for (const std::string& topic : names) {
        under_way_ = topic;
        KQ_TRY(add_assignments(topic, assignments));
    }
    under_way_ = options_.topics.front();
    KQ_TRY(keep_to_what_there_is(assignments));
    return consumer_->assign(assignments);
}

// A range that goes past the end there is now stops at that end. One that begins where there is no
// record, before the first or after the end, is Kafka's OFFSET_OUT_OF_RANGE, which nobody would
// tell where nothing is fetched, and which would end the others where something is.
Status Consumption::keep_to_what_there_is(std::vector<Assignment>& assignments) {
    const bool stops_there = !waits_for_more();
    const auto is_open = [stops_there](const Assignment& one) {
        return (stops_there && one.stop && may_be_past_the_end(*one.stop)) ||
               one.start.kind == Position::Kind::offset;
    };
    std::vector<OffsetQuery> queries;
    for (const Assignment& one : assignments) {
        if (!is_open(one)) continue;
        queries.push_back({one.partition, OffsetSpec::earliest()});
        queries.push_back({one.partition, OffsetSpec::latest()});
    }
    if (queries.empty()) return done();
    KQ_LET(auto offsets, consumer_->list_offsets(queries));
    const auto of = assignments.size();
    std::vector<Assignment> kept;
    std::vector<std::string> elsewhere;
    std::size_t at = 0;
    for (Assignment& one : assignments) {
        if (is_open(one)) {
            const auto& listed_first = offsets[at++];
            const auto& listed_end = offsets[at++];
            if (!listed_first.ok()) return listed_first.error();
            if (!listed_end.ok()) return listed_end.error();
            const Offset first = listed_first.value().offset;
            const Offset end = listed_end.value().offset;
            if (begins_elsewhere(one, first, end)) {
                elsewhere.push_back(in_quotes(one.partition.topic) + " partition " +
                                    std::to_string(one.partition.partition.value) +
                                    " has offsets " + std::to_string(first.value) + " to " +
                                    std::to_string(end.value) + ", not " +
                                    std::to_string(one.start.value));
                continue;
            }
            const bool past_the_end =
                one.start.kind == Position::Kind::offset && one.start.value > end.value;
            if (past_the_end && stops_there && on_out_of_range_ == OnOutOfRange::earliest) {
                one.start = Position::from_start();
            }
            if (stops_there && one.stop) one.stop = stop_within(*one.stop, first, end);
        }
        kept.push_back(std::move(one));
    }
    assignments = std::move(kept);
    return tell_of_starts_elsewhere(elsewhere, of);
}

// Whether it names an offset that is not there, and nobody said what to take instead.
bool Consumption::begins_elsewhere(const Assignment& one, Offset first, Offset end) const {
    return on_out_of_range_ == OnOutOfRange::fail && one.start.kind == Position::Kind::offset &&
           (one.start.value < first.value || one.start.value > end.value);
}

Position Consumption::stop_within(const Position& stop, Offset first, Offset end) {
    if (!may_be_past_the_end(stop)) return stop;
    auto wanted = stop.value;
    if (stop.kind == Position::Kind::start) wanted += first.value;
    return wanted > end.value ? Position::at(end) : stop;
}

// Partitions of one topic need not be of one length: those that hold the offset are read.
Status Consumption::tell_of_starts_elsewhere(const std::vector<std::string>& which,
                                             std::size_t of) {
    constexpr std::size_t shown_max = 5;
    if (!which.empty() && which.size() == of) {
        return Error{
            Errc::offset_out_of_range,
            which.front() + (of == 1 ? "" : ", and so it is with all " + std::to_string(of))};
    }
    for (std::size_t i = 0; i < which.size() && i < shown_max; ++i)
        access_.console().warn(which[i] + ": nothing is read from it");
    if (which.size() > shown_max) {
        access_.console().warn("likewise " + std::to_string(which.size() - shown_max) + " more");
    }
    return done();
}

// FROM and TO of one kind were compared before anything was asked; `-1..2` is known only now.
void Consumption::tell_of_empty_ranges() {
    constexpr std::size_t shown_max = 5;
    std::size_t count = 0;
    for (const PartitionProgress& one : consumer_->progress()) {
        auto own = ranges_.by_partition.find(one.partition.partition.value);
        const PositionRange& range = own != ranges_.by_partition.end() ? own->second : ranges_.all;
        if (!range.from || !range.to || one.stop == no_offset || one.position <= one.stop) continue;
        if (++count > shown_max) continue;
        access_.console().warn(in_quotes(one.partition.topic) + " partition " +
                               std::to_string(one.partition.partition.value) +
                               ": the range ends at " + std::to_string(one.stop.value) +
                               ", before it begins at " + std::to_string(one.position.value));
    }
    if (count > shown_max) {
        access_.console().warn("likewise " + std::to_string(count - shown_max) + " more");
    }
}

Status Consumption::add_assignments(const std::string& topic, std::vector<Assignment>& out) {
    auto there = consumer_->partitions_of(topic);
    if (there.code() == Errc::unknown_topic_or_partition) {
        KQ_LET(auto own, access_.consumer_options());
        Admin admin(access_.runtime(), std::move(own.client));
        admin.set_deadline(access_.deadline());
        KQ_LET(auto topics, admin.list_topics(true));
        std::vector<std::string> known;
        for (const auto& each : topics)
            known.push_back(each.name);
        tries_ = access_.tries_for_missing(topic, known);
        return no_such_topic(topic, known);
    }
    if (!there.ok()) return there.error();
    const auto count = static_cast<std::int32_t>(there.value().size());
    KQ_LET(auto wanted, wanted_partitions(topic, count));
    for (std::int32_t index : wanted) {
        auto own = ranges_.by_partition.find(index);
        const PositionRange& range = own != ranges_.by_partition.end() ? own->second : ranges_.all;
        Assignment assignment;
        assignment.partition = {topic, PartitionIndex{index}};
        // Following means what comes from now on, unless a position was given.
        assignment.start = range.from.value_or(Position::from_start());
        assignment.stop = range.to;
        if (!range.to && !waits_for_more()) assignment.stop = Position::from_end();
        out.push_back(std::move(assignment));
    }
    return done();
}

Result<std::vector<std::int32_t>> Consumption::wanted_partitions(const std::string& topic,
                                                                 std::int32_t there) const {
    std::vector<std::int32_t> wanted = partitions_;
    for (const auto& [index, range] : ranges_.by_partition)
        wanted.push_back(index);
    if (wanted.empty()) {
        for (std::int32_t index = 0; index < there; ++index)
            wanted.push_back(index);
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (!wanted.empty() && wanted.back() >= there) {
        return Error{Errc::unknown_topic_or_partition,
                     in_quotes(topic) + " has no partition " + std::to_string(wanted.back()) +
                         "; it has " + counted(there, "partition")};
    }
    return wanted;
}

Status Consumption::read_all() {
    Console& console = access_.console();
    while (!consumer_->finished() && !done_counting()) {
        auto polled = consumer_->poll(access_.deadline());
        if (polled.code() == Errc::interrupted) {
            if (access_.stop_wanted() || access_.reader_is_gone()) return polled.error();
            access_.runtime().clear_interrupt();
            show_progress(console.process().take_progress_request());
            continue;
        }
        if (!polled.ok()) return polled.error();
        if (polled.value()) {
            KQ_TRY(write_out(*polled.value()));
        } else if (access_.deadline() && access_.now() >= *access_.deadline()) {
            const auto trouble = consumer_->trouble();
            return Error{Errc::deadline_passed,
                         "the time was up" + (trouble ? ": " + trouble->why.message : "")};
        }
        // Whoever follows sees each record when it comes, not when a buffer is full.
        if (waits_for_more() || console.process().is_terminal(Stream::out)) {
            KQ_TRY(console.flush());
        }
        show_progress(console.process().take_progress_request());
    }
    return done();
}

Status Consumption::write_out(FetchedRecords& records) {
    const std::string& topic = records.partition().topic;
    const std::int32_t partition = records.partition().partition.value;
    while (!done_counting()) {
        KQ_LET(const ConsumedRecord* record, records.next());
        if (record == nullptr) break;
        KQ_TRY(write_record(topic, partition, *record));
    }
    return done();
}

Status Consumption::write_record(const std::string& topic, std::int32_t partition,
                                 const ConsumedRecord& record) {
    PipedRecord piped;
    piped.topic = topic;
    piped.partition = partition;
    piped.epoch = record.leader_epoch.value;
    piped.offset = record.offset.value;
    piped.timestamp = to_ms(record.timestamp);
    piped.key = record.key;
    piped.value = record.value;
    if (record.header_count > 0 && writer_.shows_headers()) {
        headers_.clear();
        for (const ConsumedHeader& header : record.headers()) {
            headers_.push_back({header.key, header.value});
        }
        piped.headers = headers_;
    }
    auto written = writer_.write(piped, access_.console().buffer());
    if (!written.ok()) {
        return Error{written.code(), topic + '-' + std::to_string(partition) + " offset " +
                                         std::to_string(piped.offset) + ": " +
                                         written.error().message};
    }
    ++written_;
    bytes_ += (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
    return access_.console().drain();
}

void Consumption::show_progress(bool force, const std::string& trouble) {
    Console& console = access_.console();
    // On a terminal the records themselves are the progress.
    const bool wanted = console.progress_wanted() &&
                        (!trouble.empty() || !console.process().is_terminal(Stream::out));
    if (!force && !wanted) return console.end_progress();
    const auto now = access_.now();
    const double seconds = std::chrono::duration<double>(now - started_).count();
    std::int64_t left = 0;
    for (const PartitionProgress& one : consumer_->progress()) {
        const Offset end = one.stop != no_offset ? one.stop : one.high_watermark;
        if (end != no_offset && one.position != no_offset && end > one.position) {
            left += end - one.position;
        }
    }
    std::string line = human_count(static_cast<double>(written_)) +
                       (written_ == 1 ? " record, " : " records, ") +
                       human_bytes(static_cast<std::int64_t>(bytes_));
    if (seconds > 0) {
        line += ", " + human_count(static_cast<double>(written_) / seconds) + "/s";
    }
    line += ", " + human_count(static_cast<double>(left)) + " left";
    if (!trouble.empty()) line = trouble + " (" + line + ")";
    console.progress(line, now, force);
}

void Consumption::tell_summary() {
    if (access_.settings().verbose == 0) return;
    const ConsumerStats stats = consumer_->stats();
    const auto spent = access_.now() - started_;
    const double seconds = std::max(1e-6, std::chrono::duration<double>(spent).count());
    access_.console().note("# " + counted(written_, "record") + ", " +
                           human_bytes(static_cast<std::int64_t>(bytes_)) + " in " +
                           human_duration(std::chrono::duration_cast<Millis>(spent)) + " (" +
                           human_count(static_cast<double>(written_) / seconds) + "/s); " +
                           counted(static_cast<std::int64_t>(stats.requests), "request") + ", " +
                           human_bytes(static_cast<std::int64_t>(stats.bytes)) + " on the wire");
}

}  // namespace kq

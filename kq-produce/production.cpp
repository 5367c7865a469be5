// SPDX-License-Identifier: Apache-2.0
#include "production.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cli/json_text.hpp"
#include "cli/text.hpp"
#include "cli/topic_names.hpp"
#include "client/admin.hpp"

namespace kq {
namespace {

// What is under way when a signal comes may take this long to be acknowledged.
constexpr std::chrono::seconds patience_after_signal{5};

// Before the wait for it would be told of.
constexpr std::chrono::seconds topic_appears_within{4};

// Of the 16MiB that a `try:` speaks of, all but what surrounds a record.
constexpr std::size_t suggested_request_bytes = (std::size_t{16} << 20) - 4096;

// More than a record that can be sent takes in the input: six bytes of JSON (\u0000) may stand for
// one. What is a little too large is read whole, so that the error can tell its size.
std::size_t parsed_bytes_max(Framing::Kind framing, const ProducerOptions& options) {
    const bool escaped = framing == Framing::Kind::jsonl || framing == Framing::Kind::templated;
    const std::size_t sendable = std::size_t{options.request_bytes_max} * (escaped ? 6 : 1);
    return std::max(suggested_request_bytes, sendable) + 4096;
}

std::size_t size_of(const PipedRecord& record) {
    return (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
}

}  // namespace

Result<std::unique_ptr<Production>> Production::prepare(ClusterAccess& access,
                                                        const ProduceOptions& options) {
    KQ_LET(auto framing, framing_of(options.framing, access.settings().format));
    const auto options_of_client = access.producer_options();
    if (!options_of_client.ok()) return options_of_client.error();
    const auto record_bytes_max = parsed_bytes_max(framing.kind, options_of_client.value());
    auto reader = RecordParser::create(std::move(framing), record_bytes_max);
    if (!reader.ok()) return wrong_format(access.settings().format, reader.error());
    auto production = std::make_unique<Production>(access, options, std::move(reader).value());
    KQ_TRY(production->prepare_options());
    return production;
}

Status Production::prepare_options() {
    inputs_ = options_.files;
    if (inputs_.empty()) inputs_.emplace_back("-");
    const Zone zone = options_.framing.utc ? Zone::utc : Zone::local;
    if (options_.at) {
        KQ_LET(at_, parse_when(*options_.at, access_.wall_now(), zone));
        if (to_ms(*at_) < 0) {  // Kafka has no such timestamps: -1 is none
            return Error{Errc::usage,
                         "option '--at': " + in_quotes(*options_.at) + " is before 1970"};
        }
    }
    if (options_.rate) {
        KQ_LET(rate_, parse_rate(*options_.rate));
    }
    if (options_.key && options_.framing.key_separator) {
        return Error{Errc::usage, "-k and -K exclude each other"};
    }
    for (const std::string& text : options_.headers) {
        auto equals = text.find('=');
        if (equals == std::string::npos) {
            return Error{Errc::usage,
                         "option '--header': " + in_quotes(text) + " is no NAME=VALUE"};
        }
        fixed_headers_.push_back({std::string_view(text).substr(0, equals),
                                  as_bytes(std::string_view(text).substr(equals + 1))});
    }
    // A template that names a field means it.
    const std::string& format = access_.settings().format.value;
    if (format.find('%') != std::string::npos) {
        KQ_LET(auto form, RecordTemplate::parse(format, {}));
        keep_partition_ = form.names('p');
        keep_timestamp_ = form.names('T');
        keep_topic_ = form.names('t');
    }
    for (const std::string& what : options_.keep) {
        if (what == "partition") {
            keep_partition_ = true;
        } else if (what == "timestamp") {
            keep_timestamp_ = true;
        } else if (what == "topic") {
            keep_topic_ = true;
        } else {
            return Error{Errc::usage, "option '--keep': " + in_quotes(what) +
                                          " is none of partition, timestamp, topic"};
        }
    }
    if (access_.settings().dry_run) return done();
    KQ_TRY(access_.check_writable());
    KQ_LET(auto producer_options, access_.producer_options());
    warn_of_promises(producer_options);
    may_create_ = producer_options.auto_create_topics;
    producer_ = std::make_unique<Producer>(access_.runtime(), std::move(producer_options));
    if (auto deadline = access_.deadline()) producer_->set_deadline(*deadline);
    producer_->on_batch([this](const BatchReport& report) { on_batch(report); });
    return done();
}

// What the manual promises and these settings take away, unless somebody said that they know.
void Production::warn_of_promises(const ProducerOptions& options) const {
    Console& console = access_.console();
    if (options.acks == Acks::none) {
        console.warn(
            "acks=0: no broker tells whether it wrote a record; exit status 0 means that all were "
            "sent");
    }
    if (options.idempotence_lacks.empty()) return;
    console.warn(
        "a record may be written twice or out of order when something fails: idempotence "
        "is off, as it needs " +
        std::string(options.idempotence_lacks));
}

int Production::run() {
    access_.wake_for_progress();
    started_ = access_.now();
    Console& console = access_.console();
    if (auto readable = check_inputs(); !readable.ok()) return console.fail("", readable.error());
    if (auto found = find_topic(); !found.ok()) {
        Problem problem = problem_of("cannot write to " + in_quotes(options_.topic), found.error());
        if (!tries_.empty()) problem.tries = tries_;
        return console.fail(problem);
    }
    if (producer_) {
        notes_.emplace(
            console, access_.runtime().loop(), [this] { return producer_->trouble(); },
            [this](const std::string& why) { show_progress(false, why); });
    }
    Status outcome = done();
    for (const std::string& file : inputs_) {
        if (file == "-" && console.process().is_terminal(Stream::in)) {
            console.note("reading records from the terminal, one a line; Ctrl-D ends");
        }
        auto input = console.process().open_input(file);
        if (!input.ok()) {
            outcome = Error{Errc::usage, input.error().message};
            break;
        }
        reader_.begin(file);
        outcome = pump(*input.value());
        if (!outcome.ok()) break;
    }
    return finish(outcome);
}

// Before a topic is asked for, which may make it.
Status Production::check_inputs() const {
    for (const std::string& path : inputs_) {
        auto readable = access_.console().process().check_input(path);
        if (!readable.ok()) return Error{Errc::usage, readable.error().message};
    }
    return done();
}

bool Production::blocking_is_settled() const {
    return access_.settings().properties.contains("max.block.ms");
}

// Until -t is over; nothing where it is not given.
std::optional<Millis> Production::time_left() const {
    auto deadline = access_.deadline();
    if (!deadline) return std::nullopt;
    return std::max(Millis{0}, std::chrono::duration_cast<Millis>(*deadline - access_.now()));
}

// A broker may make the topic now, on being asked; a wrong name shall not wait a minute.
std::optional<Millis> Production::time_to_find_topic() const {
    auto left = time_left();
    if (blocking_is_settled()) return left;
    return std::min<Millis>(left.value_or(topic_appears_within), topic_appears_within);
}

// Asks for the topic before anything is read, so that a wrong name is told at once.
Status Production::find_topic() {
    if (!producer_) return done();
    access_.awaiting(access_.settings().bootstrap());
    auto partitions = learn_partitions();
    access_.no_longer_awaiting();
    if (!partitions.ok()) {
        if (partitions.code() != Errc::unknown_topic_or_partition) return partitions.error();
        KQ_LET(auto own, access_.producer_options());
        Admin admin(access_.runtime(), std::move(own.client));
        KQ_LET(auto topics, admin.list_topics(true));
        std::vector<std::string> known;
        for (const auto& topic : topics)
            known.push_back(topic.name);
        tries_ = access_.tries_for_missing(options_.topic, known);
        std::string create = "kq-topics create " + shell_word(options_.topic);
        if (options_.partition) {
            create += " -p " + std::to_string(std::int64_t{*options_.partition} + 1);
        }
        tries_.push_back(create);
        return no_such_topic(options_.topic, known);
    }
    if (options_.partition && *options_.partition >= partitions.value()) {
        return Error{Errc::unknown_topic_or_partition,
                     "there is no partition " + std::to_string(*options_.partition) + "; it has " +
                         counted(partitions.value(), "partition")};
    }
    return done();
}

Result<std::int32_t> Production::ask_for_partitions(bool with_making) {
    const auto ask = [&](std::optional<Millis> timeout) {
        return with_making ? producer_->partitions_of(options_.topic, timeout)
                           : producer_->partitions_if_exists(options_.topic, timeout);
    };
    auto partitions = ask(time_to_find_topic());
    // Nobody said that there is none: what is missing is a broker, not a topic.
    if (partitions.code() == Errc::deadline_passed && !blocking_is_settled()) {
        partitions = ask(time_left());
    }
    return partitions;
}

// How many partitions a broker would make nobody knows before, but that there is a first.
Result<std::int32_t> Production::learn_partitions() {
    auto there = ask_for_partitions(false);
    const bool may_be_made = may_create_ && options_.partition.value_or(0) == 0;
    if (there.code() != Errc::unknown_topic_or_partition || !may_be_made) return there;
    auto made = ask_for_partitions(true);
    if (made.ok()) {
        access_.no_longer_awaiting();
        access_.console().note("topic " + in_quotes(options_.topic) +
                               " did not exist: the broker made it, with " +
                               counted(made.value(), "partition"));
    }
    return made;
}

Status Production::pump(Input& input) {
    while (true) {
        KQ_TRY(await_input(input));
        auto got = input.read(reader_.room(), Millis(0));
        if (got.code() == Errc::would_block) continue;
        if (got.code() == Errc::interrupted) {
            KQ_TRY(interrupted());
            continue;
        }
        if (!got.ok()) return got.error();
        if (got.value() == 0) break;
        reader_.filled(got.value());
        KQ_TRY(hand_over());
        show_progress(access_.console().process().take_progress_request());
    }
    reader_.end_of_input();
    return hand_over();
}

// Lets batches leave and answers arrive until there is something to read.
Status Production::await_input(Input& input) {
    while (true) {
        auto ready = access_.runtime().poll_fd(input.native_handle(), ClientRuntime::FdUse::read,
                                               access_.deadline());
        if (ready.code() != Errc::interrupted) return ready;
        KQ_TRY(interrupted());
    }
}

// After a wait that a signal ended: an error if it was the end, else on we go.
Status Production::interrupted() {
    if (access_.stop_wanted()) return Error{Errc::interrupted, "a signal came"};
    access_.runtime().clear_interrupt();
    show_progress(access_.console().process().take_progress_request());
    return done();
}

Status Production::hand_over() {
    while (true) {
        auto next = reader_.next();
        if (!next.ok()) {
            KQ_TRY(bad_record(next.error()));
            continue;
        }
        if (next.value() == nullptr) return done();
        KQ_TRY(send(*next.value()));
    }
}

Status Production::bad_record(Error error) {
    error.message = reader_.where() + ": " + error.message;
    if (!options_.skip_bad || error.code != Errc::bad_data || !reader_.skip_bad()) return error;
    if (++skipped_ <= 5) access_.console().warn("skipped " + error.message);
    return done();
}

ProducerRecord Production::to_send(const PipedRecord& record) {
    ProducerRecord out;
    out.topic = keep_topic_ && !record.topic.empty() ? record.topic : options_.topic;
    if (options_.partition) {
        out.partition = PartitionIndex{*options_.partition};
    } else if (keep_partition_ && record.partition >= 0) {
        out.partition = PartitionIndex{record.partition};
    }
    out.key = options_.key ? std::optional(as_bytes(*options_.key)) : record.key;
    out.value = record.value;
    out.headers = record.headers;
    if (!fixed_headers_.empty()) {
        headers_.assign(record.headers.begin(), record.headers.end());
        headers_.insert(headers_.end(), fixed_headers_.begin(), fixed_headers_.end());
        out.headers = headers_;
    }
    if (at_) {
        out.timestamp = at_;
    } else if (keep_timestamp_ && record.timestamp >= 0) {
        out.timestamp = wall_time(record.timestamp);
    }
    return out;
}

Status Production::send(const PipedRecord& record) {
    if (producer_) {
        if (rate_) KQ_TRY(keep_pace(size_of(record)));
        auto sent = send_until_taken(to_send(record));
        if (!sent.ok()) {
            auto code = sent.code();
            bool of_record = code == Errc::message_too_large ||
                             code == Errc::record_list_too_large ||
                             code == Errc::unknown_topic_or_partition;
            refused_bytes_ = size_of(record);
            return Error{code, (of_record ? reader_.where() + ": " : "") + sent.error().message};
        }
    }
    ++records_;
    bytes_ += size_of(record);
    return done();
}

Status Production::send_until_taken(const ProducerRecord& record) {
    while (true) {
        auto sent = producer_->send(record);
        if (!sent.ok() && access_.deadline() && access_.now() >= *access_.deadline()) {
            return Error{Errc::deadline_passed, "the time was up before all records were sent"};
        }
        if (sent.code() != Errc::interrupted) return sent;
        KQ_TRY(interrupted());
    }
}

// Waits until the rate allows the next record.
Status Production::keep_pace(std::size_t bytes) {
    const double done_so_far =
        rate_->of_bytes ? static_cast<double>(bytes_ + bytes) : static_cast<double>(records_);
    const auto due =
        started_ +
        std::chrono::nanoseconds(static_cast<std::int64_t>(done_so_far / rate_->per_second * 1e9));
    while (access_.now() < due) {
        auto waited = access_.runtime().wait_until([] { return false; }, due);
        if (waited.code() == Errc::interrupted) KQ_TRY(interrupted());
        if (access_.deadline() && access_.now() >= *access_.deadline()) {
            return Error{Errc::deadline_passed, "the time was up before all records were sent"};
        }
    }
    return done();
}

void Production::on_batch(const BatchReport& report) {
    if (!options_.report) return;
    Bytes& out = access_.console().buffer();
    for (std::uint32_t i = 0; i < report.record_count; ++i) {
        append_text(out, report.topic);
        out.push_back('\t');
        append_decimal(out, report.partition.value);
        out.push_back('\t');
        if (report.base_offset == no_offset) {
            out.push_back('-');
        } else {
            append_decimal(out, report.base_offset.value + i);
        }
        out.push_back('\t');
        append_text(out, report.status.ok() ? "-" : name_of(report.status.code()));
        out.push_back('\n');
    }
    // At once: who reads it may wait for it. A report that nobody reads is no reason to stop
    // sending; finish() tells of it.
    [[maybe_unused]] auto flushed = access_.console().flush();
}

void Production::show_progress(bool force, const std::string& trouble) {
    Console& console = access_.console();
    if (!force && !console.progress_wanted()) return;
    // Who types does not want a line drawn over.
    if (!force && trouble.empty() && console.process().is_terminal(Stream::in)) {
        return console.end_progress();
    }
    const auto now = access_.now();
    const double seconds = std::chrono::duration<double>(now - started_).count();
    std::string line = human_count(static_cast<double>(records_)) +
                       (records_ == 1 ? " record, " : " records, ") +
                       human_bytes(static_cast<std::int64_t>(bytes_));
    if (seconds > 0) {
        line += ", " + human_count(static_cast<double>(records_) / seconds) + "/s";
    }
    if (producer_) {
        line += ", " + std::to_string(producer_->pending_records()) + " not yet acknowledged";
        if (!trouble.empty()) line = trouble + " (" + line + ")";
    }
    console.progress(line, now, force);
}

// Waits until everything that was taken has its fate.
Status Production::await_answers() {
    std::optional<MonoTime> deadline = access_.deadline();
    bool hurries = false;
    Timer patience(access_.runtime().loop());
    while (true) {
        if (access_.stop_wanted() && !std::exchange(hurries, true)) {
            const auto patient_until = access_.now() + patience_after_signal;
            deadline = std::min(deadline.value_or(patient_until), patient_until);
            patience.set_after(TroubleNotes::silence_max, [this] { tell_of_patience(); });
        }
        access_.runtime().clear_interrupt();
        auto flushed = producer_->flush(deadline);
        if (flushed.code() != Errc::interrupted) return flushed;
        show_progress(access_.console().process().take_progress_request());
    }
}

// Who pressed Ctrl-C wonders why nothing happens.
void Production::tell_of_patience() {
    Console& console = access_.console();
    const auto pending = producer_->pending_records();
    if (!console.process().is_terminal(Stream::err)) return;
    console.note(counted(static_cast<std::int64_t>(pending), "record") +
                 (pending == 1 ? " is" : " are") + " on the way; waiting for " +
                 human_duration(patience_after_signal) + ", a second signal ends it at once");
}

// Everything taken gets its answer, whatever ended the reading.
int Production::finish(const Status& outcome) {
    Console& console = access_.console();
    Status closed = done();
    if (producer_) {
        closed = await_answers();
        [[maybe_unused]] auto given_up = producer_->close(access_.now());
    }
    console.end_progress();
    tell_summary();
    if (producer_ && producer_->stats().records_acked > 0) {
        console.note_change(
            counted(static_cast<std::int64_t>(producer_->stats().records_acked), "record") +
            " acknowledged");
    }
    // What the end of the time cut off is told once, with the records that it cost.
    const bool late =
        !access_.stop_wanted() && (outcome.code() == Errc::deadline_passed ||
                                   (outcome.ok() && closed.code() == Errc::deadline_passed));
    int exit = tell_failures(late);
    if (late && exit != exit_ok) return exit;
    if (!outcome.ok()) {
        Problem problem = problem_of("", outcome.error());
        const bool something_worked = producer_ && producer_->stats().records_acked > 0;
        const int own = exit_of(problem);
        // Usage: an input that was there before the first record and is not there now.
        if ((own == exit_refused || own == exit_usage) && something_worked) {
            problem.exit = exit_partial;
        }
        if (outcome.code() == Errc::message_too_large && refused_bytes_ > 0 &&
            refused_bytes_ < suggested_request_bytes) {
            problem.tries = {
                same_command(console.process(), console.tool(), {}, "-X max.request.size=16MiB")};
        }
        const Setting& format = access_.settings().format;
        if (outcome.code() == Errc::bad_data && format.value != "text" &&
            format.origin != "--format") {  // which nobody may think of
            problem.tries = {same_command(console.process(), console.tool(), {}, "-f text")};
        }
        int told = console.fail(problem);
        if (exit == exit_ok) exit = told;
    } else if (exit == exit_ok && !closed.ok()) {
        exit = console.fail(problem_of("not every record was acknowledged", closed.error()));
    }
    return exit;
}

Problem Production::problem_of(std::string what, const Error& error) const {
    return access_.problem(std::move(what), error,
                           producer_ ? producer_->advertised_trouble() : std::nullopt);
}

int Production::tell_failures(bool late) {
    if (!producer_) return exit_ok;
    const ProducerStats stats = producer_->stats();
    if (stats.records_failed == 0) return exit_ok;
    Error first = producer_->first_error().value_or(Error{Errc::unknown_server_error});
    if (first.code == Errc::cancelled) first = end_of_waiting(late);
    std::string what = counted(static_cast<std::int64_t>(stats.records_failed), "record") + " of " +
                       std::to_string(stats.records_sent) +
                       (stats.records_failed == 1 ? " was" : " were") + " not acknowledged";
    if (stats.records_unknown > 0) {
        what += " (" + std::to_string(stats.records_unknown) + " may have been written)";
    }
    Problem problem = problem_of(what, first);
    problem.target = options_.topic;
    if (stats.records_acked > 0) problem.exit = exit_partial;
    if (const auto& met = producer_->first_trouble(); met && met->code != first.code) {
        problem.tries.push_back("kq explain " + std::string(name_of(met->code)));
    }
    for (const char* raised :
         {"kq.producer.ids.max=1000000", "kq.producer.ids.total.max=10000000"}) {
        const std::string name(raised, std::strchr(raised, '='));
        if (first.code != Errc::policy_violation || first.message.find(name) == std::string::npos) {
            continue;
        }
        problem.tries = {std::string("kq-broker -X ") + raised + "   # on the broker"};
    }
    if (first.code == Errc::message_too_large) {
        problem.tries = {
            "kq-broker -X message.max.bytes=16MiB   # on the broker, for topics without a limit",
            "kq-topics create NAME -c max.message.bytes=16MiB   # a topic that takes more"};
    }
    return access_.console().fail(problem);
}

// close() gave them up because the time was over, or a signal came: that is the reason, not that it
// did.
Error Production::end_of_waiting(bool late) const {
    const auto& met = producer_->first_trouble();
    const bool tells_more = met && met->code != Errc::deadline_passed;
    std::string why = tells_more ? ": " + met->message : "";
    if (late)
        return Error{Errc::deadline_passed, "the time was up before the broker answered" + why};
    return Error{Errc::cancelled, "a signal came, and the broker had not answered" + why};
}

void Production::tell_summary() {
    Console& console = access_.console();
    if (skipped_ > 0) {
        console.warn("skipped " + counted(static_cast<std::int64_t>(skipped_), "bad record"));
    }
    if (!producer_) {
        console.note("would send " + counted(static_cast<std::int64_t>(records_), "record") + ", " +
                     human_bytes(static_cast<std::int64_t>(bytes_)));
        return;
    }
    if (access_.settings().verbose == 0) return;
    const ProducerStats stats = producer_->stats();
    const auto spent = access_.now() - started_;
    const double seconds = std::max(1e-6, std::chrono::duration<double>(spent).count());
    console.note("# " + counted(static_cast<std::int64_t>(records_), "record") + ", " +
                 human_bytes(static_cast<std::int64_t>(bytes_)) + " in " +
                 human_duration(std::chrono::duration_cast<Millis>(spent)) + " (" +
                 human_count(static_cast<double>(records_) / seconds) + "/s); " +
                 counted(static_cast<std::int64_t>(stats.batches_sent), "batch") + ", " +
                 counted(static_cast<std::int64_t>(stats.requests_sent), "request") + ", " +
                 std::to_string(stats.batches_retried) + " retried, " +
                 human_bytes(static_cast<std::int64_t>(stats.bytes_sent)) + " on the wire");
}

}  // namespace kq

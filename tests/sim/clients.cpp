// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/clients.hpp"

#include <array>

namespace kq::sim {
namespace {

constexpr std::array codecs = {Compression::none,   Compression::none, Compression::gzip,
                               Compression::snappy, Compression::lz4,  Compression::zstd};

Millis random_ms(Random& random, std::uint64_t least, std::uint64_t most) {
    return Millis(static_cast<std::int64_t>(least + random.below(most - least + 1)));
}

}  // namespace

ClientOptions client_options(const ClientWorld& world) {
    ClientOptions options;
    options.bootstrap = {world.bootstrap};
    options.request_timeout = 5s;
    options.retry_backoff = 50ms;
    options.reconnect_backoff = 20ms;
    options.connection_setup_timeout = 2s;
    return options;
}

// ---- producer

SimProducer::SimProducer(ClientWorld& world, std::int32_t id, bool idempotent)
    : world_(world),
      id_(id),
      idempotent_(idempotent),
      host_(world, "producer-" + std::to_string(id)),
      timer_(host_.loop) {
    world_.ledger.add_producer(id, {.idempotent = idempotent});
    make_core();
}

SimProducer::~SimProducer() {
    core_->close();
}

void SimProducer::make_core() {
    ProducerOptions options;
    options.client = client_options(world_);
    options.idempotent = idempotent_;
    if (!idempotent_ && world_.may_trust_memory && host_.random.chance(0.5)) {
        options.acks = Acks::leader;
    }
    options.linger = random_ms(host_.random, 0, 20);
    options.batch_bytes = static_cast<std::uint32_t>(256 + host_.random.below(4096));
    options.compression = codecs[host_.random.below(codecs.size())];
    options.in_flight_max = static_cast<std::int32_t>(1 + host_.random.below(5));
    options.delivery_timeout = 600s;
    core_ = std::make_unique<ProducerCore>(host_.loop, *host_.network, host_.random, options);
}

void SimProducer::start() {
    schedule();
}

void SimProducer::schedule() {
    timer_.set_after(random_ms(host_.random, 1, 60), [this] {
        if (stopped_) return;
        send_some();
        schedule();
    });
}

void SimProducer::send_some() {
    auto count = 1 + host_.random.below(8);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto& topic = world_.topics[host_.random.below(world_.topics.size())];
        RecordName name{id_, next_number_};
        auto value = name.text() + std::string(host_.random.below(300), 'x');
        auto key = std::to_string(host_.random.below(20));
        ProducerRecord record{.topic = topic.name,
                              .partition = std::nullopt,
                              .key = std::nullopt,
                              .value = as_bytes(value),
                              .headers = {},
                              .timestamp = std::nullopt};
        switch (host_.random.below(3)) {
            case 0:
                record.key = as_bytes(key);
                break;
            case 1:
                record.partition = PartitionIndex(static_cast<std::int32_t>(
                    host_.random.below(static_cast<std::uint64_t>(topic.partitions))));
                break;
            default:
                break;
        }
        auto taken = core_->send(record, [this, name, topic = topic.name,
                                          generation = generation_](const RecordReport& report) {
            if (report.status.ok()) {
                world_.ledger.on_acked(name, {topic, report.partition}, report.offset);
            } else if (!report.outcome_unknown && generation == generation_) {
                world_.ledger.on_refused(name, report.status.error().text());
            }
        });
        if (!taken.ok()) {
            // Memory or metadata is awaited; a later round sends this record.
            core_->when_writable(topic.name, host_.loop.clock().mono() + 5s, [](const Status&) {});
            return;
        }
        ++next_number_;
    }
}

void SimProducer::replace() {
    ++generation_;
    core_->close();
    make_core();
}

bool SimProducer::is_idle() const {
    return core_->pending_records() == 0;
}

std::string SimProducer::trouble() const {
    auto stats = core_->stats();
    return "producer " + std::to_string(id_) + " waits for " +
           std::to_string(core_->pending_records()) + " of " + std::to_string(next_number_) +
           " records; " + std::to_string(stats.requests_sent) + " requests, " +
           std::to_string(stats.batches_retried) + " repeated batches" +
           (core_->first_error() ? ", first error: " + core_->first_error()->text() : "");
}

// ---- reader

SimReader::SimReader(ClientWorld& world, int id)
    : world_(world),
      host_(world, "reader-" + std::to_string(id)),
      restart_(host_.loop),
      offsets_(host_.loop) {
    admin_ = std::make_unique<AdminCore>(host_.loop, *host_.network, host_.random,
                                         client_options(world_));
}

SimReader::~SimReader() = default;

void SimReader::start() {
    read_on();
    ask_offsets();
}

void SimReader::stop() {
    stopped_ = true;
    restart_.cancel();
    offsets_.cancel();
    consumer_ = nullptr;
    admin_ = nullptr;
}

void SimReader::read_on() {
    if (stopped_) return;
    ++rounds_;
    ++generation_;
    ConsumerOptions options;
    options.client = client_options(world_);
    options.fetch_wait_max = random_ms(host_.random, 0, 500);
    options.fetch_bytes_max = static_cast<std::uint32_t>(1 + host_.random.below(65536));
    options.partition_bytes_max = static_cast<std::uint32_t>(1 + host_.random.below(16384));
    options.isolation =
        host_.random.chance(0.5) ? Isolation::read_committed : Isolation::read_uncommitted;
    consumer_ = std::make_unique<ConsumerCore>(host_.loop, *host_.network, host_.random, options);
    std::vector<Assignment> assignments;
    expected_.clear();
    for (const auto& topic : world_.topics) {
        for (std::int32_t p = 0; p < topic.partitions; ++p) {
            TopicPartition partition{topic.name, PartitionIndex(p)};
            expected_[partition] = Offset(0);
            if (topic.deletes) may_delete_ = true;
            assignments.push_back({partition,
                                   topic.deletes ? Position::from_start() : Position::at(Offset(0)),
                                   std::nullopt});
        }
    }
    auto generation = generation_;
    consumer_->assign(std::move(assignments), host_.loop.clock().mono() + 20s,
                      [this, generation](const Status& status) {
                          if (generation != generation_ || stopped_) return;
                          if (status.ok()) {
                              take();
                          } else {
                              restart_.set_after(100ms, [this] { read_on(); });
                          }
                      });
    restart_.set_after(random_ms(host_.random, 500, 6000), [this] { read_on(); });
}

void SimReader::take() {
    for (;;) {
        auto fetched = consumer_->take();
        if (!fetched.ok()) {
            if ((fetched.code() == Errc::offset_out_of_range && !may_delete_) ||
                fetched.code() == Errc::bad_data) {
                world_.ledger.fail("I1", "a reader was told: " + fetched.error().text());
            }
            restart_.set_after(100ms, [this] { read_on(); });
            return;
        }
        if (!fetched.value()) break;
        auto& records = *fetched.value();
        for (;;) {
            auto next = records.next();
            if (!next.ok()) {
                world_.ledger.fail("I28", "a reader got " + next.error().text());
                return;
            }
            const ConsumedRecord* record = next.value();
            if (record == nullptr) break;
            auto& expected = expected_[records.partition()];
            if (expected == Offset(0) && world_.ledger.may_delete(records.partition())) {
                expected = record->offset;
            }
            world_.ledger.on_position(records.partition(), expected, record->offset);
            expected = record->offset + 1;
            auto name = RecordName::parse(as_text(*record->value));
            if (!name) {
                world_.ledger.fail("I28", "a record that nobody sent was read");
                return;
            }
            world_.ledger.on_read(records.partition(), record->offset, *name);
        }
    }
    auto generation = generation_;
    consumer_->when_ready([this, generation] {
        if (generation == generation_ && !stopped_) take();
    });
}

void SimReader::ask_offsets() {
    if (stopped_) return;
    const auto& topic = world_.topics[host_.random.below(world_.topics.size())];
    TopicPartition partition{
        topic.name, PartitionIndex(static_cast<std::int32_t>(
                        host_.random.below(static_cast<std::uint64_t>(topic.partitions))))};
    admin_->list_offsets(
        {{partition, OffsetSpec::earliest()}, {partition, OffsetSpec::latest()}},
        Isolation::read_uncommitted, host_.loop.clock().mono() + 5s,
        [this, partition,
         known = world_.ledger.known_offsets(partition)](const Result<Each<ListedOffset>>& listed) {
            if (stopped_) return;
            if (listed.ok() && listed.value()[0].ok() && listed.value()[1].ok()) {
                world_.ledger.on_offsets(
                    partition, known,
                    {listed.value()[0].value().offset, listed.value()[1].value().offset});
            }
            offsets_.set_after(random_ms(host_.random, 20, 400), [this] { ask_offsets(); });
        });
}

// ---- one that stalls

SimStaller::SimStaller(ClientWorld& world, const std::string& host) : host_(world, host) {
    host_.loop.post([this, to = world.bootstrap] {
        connection_ = host_.network->connect(to, static_cast<ConnectionEvents&>(*this));
    });
}

void SimStaller::on_connected() {
    Bytes most;
    append_be(most, frame_bytes);
    most.resize(most.size() + frame_bytes - 1 - host_.random.below(frame_bytes / 4), 'x');
    Chain chain;
    chain.add(SharedBytes::of(std::move(most)));
    connection_->send(std::move(chain));
}

}  // namespace kq::sim

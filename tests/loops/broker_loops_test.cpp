// SPDX-License-Identifier: Apache-2.0
//
// Several data loops, for ThreadSanitizer and for what the loops say to one another: partitions
// belong to loops, connections to others, and every client here talks to all partitions.
#include <map>
#include <mutex>

#include "client/admin.hpp"
#include "client/consumer.hpp"
#include "client/producer.hpp"
#include "tests/loops/broker_host.hpp"

using namespace kq;
using namespace kq::test;

namespace {

constexpr std::size_t loops = 3;
constexpr std::int32_t partitions = 7;

// What went wrong on any thread; Catch2's assertions are for one.
class Troubles {
public:
    void add(const std::string& what) {
        std::lock_guard lock(mutex_);
        if (all_.size() < 20) all_.push_back(what);
    }
    void check(const Status& status, const std::string& what) {
        if (!status.ok()) add(what + ": " + status.error().text());
    }
    std::string text() const {
        std::lock_guard lock(mutex_);
        std::string lines;
        for (const auto& line : all_)
            lines += line + '\n';
        return lines;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> all_;
};

ClientOptions client_of(const BrokerHost& host) {
    ClientOptions options;
    options.bootstrap = {host.address()};
    return options;
}

void make_topic(const BrokerHost& host, const std::string& name) {
    ClientRuntime runtime;
    Admin admin(runtime, client_of(host));
    NewTopic topic;
    topic.name = name;
    topic.partitions = partitions;
    auto made = admin.create_topics({topic});
    REQUIRE(made.ok());
    REQUIRE(made.value().front().ok());
    REQUIRE(admin.wait_for_leaders({name}).ok());
}

// Sends `count` records round all partitions; long ones among them, whose frames hold memory of
// their own and die on the loop of the partition.
void produce(const BrokerHost& host, const std::string& topic, int count, Troubles& troubles) {
    ClientRuntime runtime;
    ProducerOptions options;
    options.client = client_of(host);
    options.linger = Millis{1};
    Producer producer(runtime, std::move(options));
    const Bytes small(100, 's');
    const Bytes large(200'000, 'l');
    for (int i = 0; i < count; ++i) {
        ProducerRecord record;
        record.topic = topic;
        record.partition = PartitionIndex{i % partitions};
        record.value = ByteView(i % 10 == 9 ? large : small);
        troubles.check(producer.send(record), "send to " + topic);
        if (i % 100 == 0) troubles.check(producer.flush(), "flush of " + topic);
    }
    troubles.check(producer.close(), "close of a producer of " + topic);
    if (producer.stats().records_acked != static_cast<std::uint64_t>(count)) {
        troubles.add(topic + ": not every record was acknowledged");
    }
}

// Reads `count` records from the start, while they are written.
void consume(const BrokerHost& host, const std::string& topic, int count, Troubles& troubles) {
    ClientRuntime runtime;
    ConsumerOptions options;
    options.client = client_of(host);
    options.fetch_wait_max = Millis{50};
    Consumer consumer(runtime, std::move(options));
    std::vector<Assignment> all;
    for (std::int32_t i = 0; i < partitions; ++i)
        all.push_back({{topic, PartitionIndex{i}}, Position::from_start(), std::nullopt});
    troubles.check(consumer.assign(all), "assign " + topic);
    std::map<std::int32_t, std::int64_t> expected;
    const auto deadline = runtime.clock().mono() + std::chrono::seconds(120);
    int seen = 0;
    while (seen < count) {
        auto records = consumer.poll(deadline);
        if (!records.ok()) return troubles.add("poll: " + records.error().text());
        if (!records.value())
            return troubles.add(topic + ": only " + std::to_string(seen) + " records came");
        auto& batch = *records.value();
        while (true) {
            auto record = batch.next();
            if (!record.ok()) return troubles.add("record: " + record.error().text());
            if (record.value() == nullptr) break;
            auto& next = expected[batch.partition().partition.value];
            if (record.value()->offset.value != next) {
                return troubles.add(batch.partition().text() + ": offset " +
                                    std::to_string(record.value()->offset.value) + " instead of " +
                                    std::to_string(next));
            }
            ++next;
            ++seen;
        }
    }
}

// Topics come and go, with records in them; what all loops know is asked for meanwhile.
void change_topics(const BrokerHost& host, int rounds, Troubles& troubles) {
    ClientRuntime runtime;
    Admin admin(runtime, client_of(host));
    for (int i = 0; i < rounds; ++i) {
        NewTopic topic;
        topic.name = "short-lived-" + std::to_string(i % 2);
        topic.partitions = partitions;
        auto made = admin.create_topics({topic});
        if (!made.ok()) return troubles.add("create: " + made.error().text());
        if (!made.value().front().ok()) {
            return troubles.add("create: " + made.value().front().error().text());
        }
        troubles.check(admin.wait_for_leaders({topic.name}), "leaders");
        produce(host, topic.name, 20, troubles);
        auto sizes = admin.describe_log_dirs();
        if (!sizes.ok()) troubles.add("describe_log_dirs: " + sizes.error().text());
        std::vector<OffsetQuery> queries;
        for (std::int32_t at = 0; at < partitions; ++at) {
            queries.push_back({{topic.name, PartitionIndex{at}}, OffsetSpec::latest()});
            queries.push_back({{topic.name, PartitionIndex{at}}, OffsetSpec::largest_timestamp()});
        }
        auto ends = admin.list_offsets(queries);
        if (!ends.ok()) troubles.add("list_offsets: " + ends.error().text());
        auto settings = admin.describe_configs({{ResourceType::topic, topic.name}}, {}, true);
        if (!settings.ok()) troubles.add("describe_configs: " + settings.error().text());
        auto gone = admin.delete_topics({topic.name});
        if (!gone.ok()) return troubles.add("delete: " + gone.error().text());
        troubles.check(gone.value().front(), "delete");
    }
}

std::int64_t records_in(const BrokerHost& host, const std::string& topic) {
    ClientRuntime runtime;
    Admin admin(runtime, client_of(host));
    std::vector<OffsetQuery> queries;
    for (std::int32_t i = 0; i < partitions; ++i)
        queries.push_back({{topic, PartitionIndex{i}}, OffsetSpec::latest()});
    auto ends = admin.list_offsets(queries);
    REQUIRE(ends.ok());
    std::int64_t sum = 0;
    for (const auto& end : ends.value()) {
        REQUIRE(end.ok());
        sum += end.value().offset.value;
    }
    return sum;
}

}  // namespace

TEST_CASE("several data loops serve clients, each on all partitions", "[loops]") {
    constexpr int count = 1000;
    constexpr int producers = 3;
    ScratchDirectory directory;
    Troubles troubles;
    {
        // Little memory for requests: loops wait for what others give back.
        BrokerHost host(directory.path(), loops,
                        {{"queued.max.request.bytes", "400000"},
                         {"log.segment.bytes", "1048576"},
                         {"replica.high.watermark.checkpoint.interval.ms", "100"},
                         {"log.segment.delete.delay.ms", "100"}});
        make_topic(host, "a");
        make_topic(host, "b");
        std::atomic<bool> over{false};
        std::vector<Thread> watchers;
        watchers.emplace_back("metrics", [&] {
            while (!over)
                if (host.metrics.render().empty()) troubles.add("there are no metrics");
        });
        {
            std::vector<Thread> clients;
            for (const std::string topic : {"a", "b"}) {
                for (int i = 0; i < producers; ++i) {
                    clients.emplace_back("producer",
                                         [&, topic] { produce(host, topic, count, troubles); });
                }
                clients.emplace_back(
                    "consumer", [&, topic] { consume(host, topic, producers * count, troubles); });
            }
            clients.emplace_back("admin", [&] { change_topics(host, 6, troubles); });
        }
        over = true;
        watchers.clear();
        CHECK(troubles.text() == "");
        CHECK(host.metrics.value("kq_partitions") == 2 * partitions);
        CHECK(host.metrics.value("kq_request_memory_waits_total") > 0);
        CHECK(host.stop());
    }
    BrokerHost again(directory.path(), loops - 1);
    CHECK(records_in(again, "a") == producers * count);
    CHECK(records_in(again, "b") == producers * count);
    CHECK(again.stop());
}

TEST_CASE("a broker of several loops stops while its clients go on", "[loops]") {
    ScratchDirectory directory;
    for (int round = 0; round < 3; ++round) {
        BrokerHost host(directory.path(), loops);
        if (round == 0) make_topic(host, "t");
        Troubles ignored;  // it is on purpose that the broker goes away
        std::atomic<bool> over{false};
        std::atomic<int> sent{0};
        std::vector<Thread> clients;
        for (int i = 0; i < 3; ++i) {
            clients.emplace_back("producer", [&] {
                ClientRuntime runtime;
                ProducerOptions options;
                options.client = client_of(host);
                options.linger = Millis{0};
                options.delivery_timeout = Millis{500};
                options.client.request_timeout = Millis{400};
                options.block_max = Millis{200};
                Producer producer(runtime, std::move(options));
                const Bytes value(1000, 'v');
                for (int at = 0; !over; ++at) {
                    ProducerRecord record;
                    record.topic = "t";
                    record.partition = PartitionIndex{at % partitions};
                    record.value = ByteView(value);
                    if (!producer.send(record).ok()) break;
                    if (at % 20 == 19 &&
                        producer.flush(runtime.clock().mono() + Millis{500}).ok()) {
                        ++sent;
                    }
                }
            });
        }
        for (int i = 0; i < 3; ++i) {
            clients.emplace_back("consumer", [&] {
                ClientRuntime runtime;
                ConsumerOptions options;
                options.client = client_of(host);
                Consumer consumer(runtime, std::move(options));
                consumer.set_deadline(runtime.clock().mono() + std::chrono::seconds(5));
                std::vector<Assignment> all;
                for (std::int32_t at = 0; at < partitions; ++at)
                    all.push_back({{"t", PartitionIndex{at}}, Position::from_end(), std::nullopt});
                if (!consumer.assign(all).ok()) return;
                while (!over && consumer.poll(runtime.clock().mono() + Millis{100}).ok()) {
                }
            });
        }
        while (sent < 20)
            std::this_thread::yield();
        CHECK(host.stop());
        over = true;
    }
}

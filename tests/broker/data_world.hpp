// SPDX-License-Identifier: Apache-2.0
//
// A data plane in a simulated world: data loops, a pool, a disk in memory, images made by hand, and
// connections that are no more than a context and a place for the answer.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"
#include "broker/api/00_produce.hpp"
#include "broker/api/01_fetch.hpp"
#include "broker/data_plane.hpp"
#include "metadata/metadata_delta.hpp"
#include "metadata/metadata_state.hpp"
#include "protocol/batch_builder.hpp"
#include "protocol/record_batch.hpp"

namespace kq::sim {

// The answer to a request, once it is there.
template <class Response>
struct Answer {
    std::optional<Response> response;
    std::shared_ptr<Asker> asker = std::make_shared<Asker>();
    std::size_t turn_end = 0;

    bool here() const { return response.has_value(); }
};
template <class Response>
using AnswerPtr = std::shared_ptr<Answer<Response>>;

// A client's connection to one data loop.
struct Client {
    std::size_t loop = 0;
    std::string id = "client";
    ConnectionState connection;
};

struct DataWorldOptions {
    std::size_t loops = 1;
    std::map<std::string, std::string> config;
    std::size_t directories = 1;
    std::uint64_t seed = 1;
};

class DataWorld {
public:
    explicit DataWorld(DataWorldOptions options = {});
    ~DataWorld();

    // --- metadata
    Uuid create_topic(const std::string& name, int partitions = 1,
                      std::map<std::string, std::string> configs = {},
                      BrokerId leader = BrokerId{1});
    void delete_topic(const std::string& name);
    void set_topic_config(const std::string& name, std::map<std::string, std::string> configs);
    void lead(const std::string& topic, int partition, BrokerId leader, int epoch,
              std::vector<BrokerId> isr = {BrokerId{1}});
    // Publishes what was changed and waits until it is applied.
    void publish();
    bool applied() const { return applied_; }
    bool waits_until_applied = true;

    // --- the process
    void start();
    // Pool jobs take so long; does not wait until the partitions are open.
    void start_slowly(Millis least, Millis most);
    bool stop();  // cleanly; false when it did not end in time
    void kill();  // the process dies
    void power_off();
    void restart_after_kill();

    // --- requests
    AnswerPtr<wire::ProduceResponse> produce(Client& client, wire::ProduceRequest request,
                                             int version = 9);
    AnswerPtr<wire::FetchResponse> fetch(Client& client, wire::FetchRequest request,
                                         int version = 12);
    // One batch, acks=all; runs until it is answered.
    wire::ProduceResponse::PartitionProduceResponse send(const std::string& topic, int partition,
                                                         Bytes batch, std::int16_t acks = -1,
                                                         int version = 9);
    // All values from `offset` on, without waiting.
    std::vector<std::string> read(const std::string& topic, int partition, std::int64_t offset = 0);
    wire::FetchRequest fetch_request(const std::string& topic, std::vector<int> partitions,
                                     std::int64_t offset = 0, int max_wait_ms = 0) const;
    wire::ProduceRequest produce_request(const std::string& topic, int partition, ByteView batch,
                                         std::int16_t acks = -1) const;
    template <class Response>
    void wait(const AnswerPtr<Response>& answer, std::chrono::nanoseconds limit = 10s) {
        world.run_until([&] { return answer->here(); }, limit);
    }
    // Lets everything happen that can happen without waiting.
    void run_turns() { world.run_for(5ms); }
    // Runs a task in a turn of the client's loop.
    void on_loop(std::size_t loop, Task task);
    RequestContext context(Client& client, int version, int key);

    // --- looking
    Bytes log_bytes(const std::string& topic, int partition,
                    const std::string& base = "00000000000000000000");
    const Partition* partition(const std::string& topic, int partition);
    std::size_t watch_count();
    Uuid id_of(const std::string& topic) const { return state.topic(topic)->id(); }

    DataWorldOptions options;
    SimScheduler world;
    SimClock clock{world};  // of the broker; its wall clock may jump
    MemoryFileSystem files;
    std::unique_ptr<SimIoPool> pool;
    std::unique_ptr<SimLoop> control;
    std::vector<std::unique_ptr<SimLoop>> loops;
    MemoryLogSink sink;
    MetricRegistry metrics;
    std::vector<std::unique_ptr<LogDirectory>> directories;
    std::unique_ptr<DataPlane> plane;
    MetadataState state;
    MetadataImage image;
    int producer_id_requests = 0;
    bool refuse_producer_ids = false;

private:
    void open_plane();
    void announce();
    void put_topic(const TopicImage& topic);

    std::unique_ptr<EditSession> edit_ = std::make_unique<EditSession>();
    bool applied_ = true;
    std::uint8_t last_topic_ = 0;
    std::uint64_t last_connection_ = 0;
};

// Record values of all whole batches in `bytes`, from `offset` on.
std::vector<std::string> values_of(ByteView bytes, std::int64_t offset = 0);
Bytes bytes_of(const wire::Records& records);

struct BatchOf {
    std::vector<std::string> values{"value"};
    std::int64_t producer = -1;
    std::int16_t epoch = -1;
    std::int32_t sequence = -1;
    Compression compression = Compression::none;
    std::optional<std::string> key;
    std::int64_t timestamp = 1'000'000;
    bool transactional = false;
    bool control = false;
};
Bytes make_batch(const BatchOf& of = {});
inline Bytes make_batch(std::vector<std::string> values) {
    BatchOf of;
    of.values = std::move(values);
    return make_batch(of);
}

}  // namespace kq::sim

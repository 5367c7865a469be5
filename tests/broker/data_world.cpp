// SPDX-License-Identifier: Apache-2.0
#include "tests/broker/data_world.hpp"

#include <utility>

#include <catch2/catch.hpp>

namespace kq::sim {

DataWorld::DataWorld(DataWorldOptions options_in)
    : options(std::move(options_in)),
      world(options.seed),
      files(clock, MemoryFileSystem::CrashModel::on) {
    files.set_blocking_check([this](const char* what) {
        INFO(what);
        REQUIRE_FALSE(world.is_in_turn());  // I35: no loop waits for a disk
    });
    start();
}

DataWorld::~DataWorld() {
    if (plane != nullptr) kill();
}

void DataWorld::start() {
    open_plane();
    if (image != nullptr) {
        image = nullptr;
        publish();
    } else {
        image = std::make_shared<const MetadataState>(state);
    }
}

void DataWorld::start_slowly(Millis least, Millis most) {
    open_plane();
    pool->set_delay(least, most);
    image = nullptr;
    announce();
}

void DataWorld::open_plane() {
    pool = std::make_unique<SimIoPool>(world);
    control = std::make_unique<SimLoop>(world, &clock);
    DataPlaneSeams seams{*control, {}, *pool, files, world.random(), metrics, Logger(sink)};
    for (std::size_t i = 0; i < options.loops; ++i) {
        loops.push_back(std::make_unique<SimLoop>(world, &clock));
        seams.data_loops.push_back(loops.back().get());
    }
    std::vector<LogDirectory*> opened;
    for (std::size_t i = 0; i < options.directories; ++i) {
        auto directory = LogDirectory::open(files, "/data" + std::to_string(i), Logger(sink));
        REQUIRE(directory.ok());
        directories.push_back(std::move(directory).value());
        LogDirectory& made = *directories.back();
        if (!made.identity().has_value()) {
            DirectoryIdentity identity{"cluster", BrokerId{1}, Uuid{}};
            identity.directory_id.bytes[15] = static_cast<std::uint8_t>(100 + i);
            REQUIRE(made.write_identity(identity).ok());
        }
        REQUIRE(made.mark_started().ok());
        REQUIRE(made.note_boot().ok());
        opened.push_back(&made);
    }
    auto config = std::make_shared<ConfigSet>(ConfigScope::broker);
    for (const auto& [name, value] : options.config)
        REQUIRE(config->set(name, value).ok());
    auto made = DataPlane::open(std::move(seams), opened, BrokerId{1}, config,
                                [this](Callback<void(Result<ProducerIdBlock>)> on_block) {
                                    const int request = producer_id_requests++;
                                    if (refuse_producer_ids) {
                                        on_block(Error(Errc::not_controller));
                                        return;
                                    }
                                    on_block(ProducerIdBlock{ProducerId{request * 3}, 3});
                                });
    REQUIRE(made.ok());
    plane = std::move(made).value();
}

bool DataWorld::stop() {
    bool stopped = false;
    control->post([&] { plane->stop(BrokerEpoch{7}, [&](bool) { stopped = true; }); });
    const bool in_time = world.run_until([&] { return stopped; }, 30s);
    plane.reset();
    loops.clear();
    control.reset();
    pool.reset();
    directories.clear();
    return in_time;
}

void DataWorld::kill() {
    pool->kill();
    for (auto& loop : loops)
        loop->kill();
    control->kill();
    plane.reset();
    directories.clear();
    loops.clear();
    control.reset();
    pool.reset();
    files.kill();
}

void DataWorld::power_off() {
    kill();
    files.power_off_losing_all();
}

void DataWorld::restart_after_kill() {
    kill();
    start();
}

void DataWorld::put_topic(const TopicImage& topic) {
    auto shared = std::make_shared<const TopicImage>(topic);
    state.topics_by_name.put(*edit_, topic.name(), shared);
    state.topics_by_id.put(*edit_, topic.id(), shared);
}

Uuid DataWorld::create_topic(const std::string& name, int partitions,
                             std::map<std::string, std::string> configs, BrokerId leader) {
    Uuid id;
    id.bytes[0] = 1;
    id.bytes[15] = ++last_topic_;
    TopicImage topic(name, id);
    for (int i = 0; i < partitions; ++i) {
        PartitionRegistration registration;
        registration.replicas = {BrokerId{1}};
        registration.directories = {Uuid{}};
        registration.isr = {BrokerId{1}};
        registration.leader = leader;
        topic.put(*edit_, PartitionIndex{i}, registration);
    }
    put_topic(topic);
    set_topic_config(name, std::move(configs));
    publish();
    return id;
}

void DataWorld::set_topic_config(const std::string& name,
                                 std::map<std::string, std::string> configs) {
    auto entries = std::make_shared<ConfigEntries>();
    for (auto& [key, value] : configs)
        entries->emplace(key, value);
    state.configs.put(*edit_, ConfigResource{ConfigResourceType::topic, name},
                      std::shared_ptr<const ConfigEntries>(entries));
}

void DataWorld::delete_topic(const std::string& name) {
    const Uuid id = id_of(name);
    state.topics_by_name.erase(*edit_, name);
    state.topics_by_id.erase(*edit_, id);
    publish();
}

void DataWorld::lead(const std::string& topic, int partition, BrokerId leader, int epoch,
                     std::vector<BrokerId> isr) {
    TopicImage changed = *state.topic(topic);
    PartitionRegistration registration = *changed.partition(PartitionIndex{partition});
    registration.leader = leader;
    registration.leader_epoch = Epoch{epoch};
    registration.partition_epoch = registration.partition_epoch + 1;
    registration.isr = std::move(isr);
    changed.put(*edit_, PartitionIndex{partition}, registration);
    put_topic(changed);
    publish();
}

void DataWorld::publish() {
    announce();
    if (waits_until_applied) REQUIRE(world.run_until([this] { return applied_; }, 10s));
}

void DataWorld::announce() {
    const MetadataState before = image == nullptr ? MetadataState() : *image;
    image = std::make_shared<const MetadataState>(state);
    edit_ = std::make_unique<EditSession>();  // what is published is never edited again
    auto delta = std::make_shared<const MetadataDelta>(compare(before, *image));
    applied_ = false;
    control->post([this, published = image, delta] {
        plane->apply(published, delta, [this] { applied_ = true; });
    });
}

RequestContext DataWorld::context(Client& client, int version, int key) {
    if (client.connection.id == 0) client.connection.id = ++last_connection_;
    return {.api_key = static_cast<std::int16_t>(key),
            .api_version = version,
            .correlation_id = 1,
            .client_id = client.id,
            .listener = "PLAINTEXT",
            .principal = "User:ANONYMOUS",
            .peer = {},
            .image = image,
            .loop = *loops[client.loop],
            .clock = clock,
            .connection = client.connection,
            .frame = {},
            .frame_owner = nullptr};
}

void DataWorld::on_loop(std::size_t loop, Task task) {
    bool ran = false;
    loops[loop]->post([&, task = std::move(task)]() mutable {
        task();
        ran = true;
    });
    REQUIRE(world.run_until([&] { return ran; }, 10s));
}

AnswerPtr<wire::ProduceResponse> DataWorld::produce(Client& client, wire::ProduceRequest request,
                                                    int version) {
    auto answer = std::make_shared<Answer<wire::ProduceResponse>>();
    loops[client.loop]->post([this, &client, request = std::move(request), version, answer] {
        // The request is decoded from a frame of its own, as a session does.
        auto frame = std::make_shared<Bytes>();
        wire::encode(request, version, *frame);
        auto decoded = wire::decode<wire::ProduceRequest>(*frame, version);
        REQUIRE(decoded.ok());
        RequestContext ctx = context(client, version, 0);
        ctx.frame = *frame;
        ctx.frame_owner = frame;
        handle_produce(ctx, std::move(decoded).value(), plane->data_loop(client.loop).produces,
                       Reply<wire::ProduceResponse>(
                           [answer](wire::ProduceResponse response) {
                               REQUIRE_FALSE(answer->here());
                               answer->response = std::move(response);
                           },
                           answer->asker));
    });
    return answer;
}

AnswerPtr<wire::FetchResponse> DataWorld::fetch(Client& client, wire::FetchRequest request,
                                                int version) {
    auto answer = std::make_shared<Answer<wire::FetchResponse>>();
    loops[client.loop]->post([this, &client, request = std::move(request), version, answer] {
        RequestContext ctx = context(client, version, 1);
        handle_fetch(ctx, request, plane->data_loop(client.loop).fetches,
                     Reply<wire::FetchResponse>(
                         [answer](wire::FetchResponse response) {
                             REQUIRE_FALSE(answer->here());
                             answer->response = std::move(response);
                         },
                         answer->asker));
    });
    return answer;
}

wire::ProduceRequest DataWorld::produce_request(const std::string& topic, int partition,
                                                ByteView batch, std::int16_t acks) const {
    wire::ProduceRequest request;
    request.acks = acks;
    request.timeout_ms = 1000;
    auto& data = request.topic_data.emplace_back();
    data.name = topic;
    if (const TopicImage* found = state.topic(std::string_view(topic))) data.topic_id = found->id();
    data.partition_data.push_back({partition, wire::Records(batch)});
    return request;
}

wire::ProduceResponse::PartitionProduceResponse DataWorld::send(const std::string& topic,
                                                                int partition, Bytes batch,
                                                                std::int16_t acks, int version) {
    Client client;
    auto request = produce_request(topic, partition, batch, acks);
    auto answer = produce(client, request, version);
    wait(answer);
    REQUIRE(answer->here());
    REQUIRE(answer->response->responses.size() == 1);
    REQUIRE(answer->response->responses[0].partition_responses.size() == 1);
    return answer->response->responses[0].partition_responses[0];
}

wire::FetchRequest DataWorld::fetch_request(const std::string& topic, std::vector<int> partitions,
                                            std::int64_t offset, int max_wait_ms) const {
    wire::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    auto& asked = request.topics.emplace_back();
    asked.topic = topic;
    if (const TopicImage* found = state.topic(std::string_view(topic)))
        asked.topic_id = found->id();
    for (const int partition : partitions) {
        auto& place = asked.partitions.emplace_back();
        place.partition = partition;
        place.fetch_offset = offset;
        place.partition_max_bytes = 1 << 20;
    }
    return request;
}

std::vector<std::string> DataWorld::read(const std::string& topic, int partition,
                                         std::int64_t offset) {
    Client client;
    auto answer = fetch(client, fetch_request(topic, {partition}, offset));
    wait(answer);
    REQUIRE(answer->here());
    REQUIRE(answer->response->responses.size() == 1);
    const auto& data = answer->response->responses[0].partitions.at(0);
    REQUIRE(data.error_code == 0);
    return values_of(bytes_of(data.records), offset);
}

Bytes DataWorld::log_bytes(const std::string& topic, int partition, const std::string& base) {
    const std::string path =
        "/data0/" + topic + '-' + std::to_string(partition) + '/' + base + ".log";
    auto bytes = read_file(files, path);
    REQUIRE(bytes.ok());
    return std::move(bytes).value();
}

const Partition* DataWorld::partition(const std::string& topic, int index) {
    const TopicIdPartition id{id_of(topic), PartitionIndex{index}};
    return plane->router().owner(id).find(id);
}

std::size_t DataWorld::watch_count() {
    std::size_t count = 0;
    for (std::size_t i = 0; i < options.loops; ++i) {
        count += plane->router().at(i).watch_count() + plane->router().at(i).pending_append_count();
        count += plane->data_loop(i).fetches.size() + plane->data_loop(i).produces.size();
    }
    return count;
}

Bytes bytes_of(const wire::Records& records) {
    Bytes bytes;
    if (records.is_null()) return bytes;
    if (records.chain() == nullptr) return to_bytes(records.view());
    for (const auto& piece : records.chain()->pieces()) {
        if (const auto* memory = std::get_if<SharedBytes>(&piece)) {
            append(bytes, memory->view());
            continue;
        }
        const auto& slice = std::get<FileSlice>(piece);
        Bytes part(static_cast<std::size_t>(slice.length));
        const auto got = slice.file->pread(slice.position, part);
        REQUIRE(got.ok());
        REQUIRE(got.value() == part.size());
        append(bytes, part);
    }
    return bytes;
}

std::vector<std::string> values_of(ByteView bytes, std::int64_t offset) {
    std::vector<std::string> values;
    while (!bytes.empty()) {
        const auto size = batch_size_bytes(bytes);
        REQUIRE(size.ok());
        REQUIRE(size.value() <= bytes.size());
        const ByteView batch = bytes.first(size.value());
        REQUIRE(check_crc(batch).ok());
        const auto header = BatchHeader::parse(batch);
        REQUIRE(header.ok());
        Decompressor codecs;
        const auto walked = for_each_record(header.value(), batch, codecs, std::size_t{64} << 20,
                                            [&](const RecordView& record) -> Status {
                                                if (record.offset >= Offset{offset}) {
                                                    values.emplace_back(record.value.has_value()
                                                                            ? as_text(*record.value)
                                                                            : "(null)");
                                                }
                                                return done();
                                            });
        REQUIRE(walked.ok());
        bytes = bytes.subspan(size.value());
    }
    return values;
}

Bytes make_batch(const BatchOf& of) {
    BatchOptions options;
    options.producer_id = ProducerId{of.producer};
    options.producer_epoch = ProducerEpoch{of.epoch};
    options.base_sequence = Sequence{of.sequence};
    options.compression = of.compression;
    options.transactional = of.transactional;
    options.control = of.control;
    BatchBuilder builder(options);
    for (const std::string& value : of.values) {
        builder.append(wall_time(of.timestamp),
                       of.key.has_value() ? std::optional(as_bytes(*of.key)) : std::nullopt,
                       as_bytes(value));
    }
    Compressor compressor;
    return builder.finish(&compressor).value();
}

}  // namespace kq::sim

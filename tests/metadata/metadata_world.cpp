// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_world.hpp"

#include <utility>

#include <catch2/catch.hpp>

namespace kq::sim {

MetadataWorld::Process::Process(MetadataWorld& world, const ConfigSet& config)
    : loop(world.scheduler), pool(world.scheduler) {
    MetadataNodeOptions options;
    options.node_id = BrokerId{1};
    options.cluster_id = "test-cluster";
    options.directory = directory;
    options.log_dirs = {directory};
    options.directory_id = world.directory_id;
    options.controller_endpoint = {"CONTROLLER", "localhost", 9093, 0};
    options.config = std::make_shared<const ConfigSet>(config);
    node = std::make_unique<MetadataNode>(
        MetadataSeams{loop, world.files, pool, world.scheduler.random(), Logger(world.log)},
        std::move(options), static_cast<ImageListener&>(world));
}

MetadataWorld::MetadataWorld(std::uint64_t seed)
    : scheduler(seed),
      files(scheduler.clock(), MemoryFileSystem::CrashModel::on),
      directory_id(scheduler.random().uuid()) {
    REQUIRE(files.mkdir(directory).ok());
    REQUIRE(files.sync_dir("/").ok());
}

MetadataWorld::~MetadataWorld() {
    if (process_ != nullptr) kill();
}

void MetadataWorld::on_image(MetadataImage image, std::shared_ptr<const MetadataDelta> delta) {
    images.push_back(image);
    deltas.push_back(std::move(delta));
    if (!applies) return;
    process_->loop.post([this, image] { process_->node->applied(image->applied_offset); });
}

template <class T, class Ask>
T MetadataWorld::wait_for(Ask ask) {
    auto answer = std::make_shared<std::optional<T>>();
    process_->loop.post([this, answer, ask = std::move(ask)]() mutable {
        ask(*process_->node, [answer](T got) { answer->emplace(std::move(got)); });
    });
    REQUIRE(scheduler.run_until([&] { return answer->has_value(); }, std::chrono::minutes(2)));
    return std::move(**answer);
}

void MetadataWorld::begin_process() {
    REQUIRE(process_ == nullptr);
    images.clear();
    deltas.clear();
    failure.reset();
    process_ = std::make_unique<Process>(*this, config);
}

void MetadataWorld::begin_start() {
    begin_process();
    process_->loop.post([this] { process_->node->start([](Status) {}); });
}

void MetadataWorld::auto_create(const std::set<std::string>& names) {
    process_->loop.post([this, names] { process_->node->auto_create_topics(names); });
}

Status MetadataWorld::start() {
    begin_process();
    return wait_for<Status>([](MetadataNode& node, auto reply) { node.start(std::move(reply)); });
}

void MetadataWorld::start_broker(PreviousStop previous) {
    const auto started = start();
    REQUIRE(started.ok());
    BrokerStart broker;
    broker.incarnation = scheduler.random().uuid();
    broker.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
    broker.log_dirs = {directory_id};
    broker.previous_stop = previous;
    const auto epoch = wait_for<Result<BrokerEpoch>>(
        [&](MetadataNode& node, auto reply) { node.register_broker(broker, std::move(reply)); });
    REQUIRE(epoch.ok());
    const auto unfenced =
        wait_for<Status>([](MetadataNode& node, auto reply) { node.unfence(std::move(reply)); });
    REQUIRE(unfenced.ok());
    REQUIRE(state().broker(BrokerId{1})->epoch == epoch.value());
}

void MetadataWorld::stop() {
    const auto stopped =
        wait_for<Status>([](MetadataNode& node, auto reply) { node.stop(std::move(reply)); });
    REQUIRE(stopped.ok() != failure.has_value());  // one that failed does not stop in good order
    process_.reset();
}

void MetadataWorld::kill(bool power) {
    process_->loop.kill();
    process_->pool.kill();
    process_.reset();
    if (power) {
        files.power_off(scheduler.random());
    } else {
        files.kill();
    }
}

wire::CreateTopicsResponse MetadataWorld::create(const std::string& topic, std::int32_t partitions,
                                                 std::map<std::string, std::string> configs) {
    wire::CreateTopicsRequest request;
    request.topics.push_back({topic, partitions, 1, {}, {}});
    for (auto& [name, value] : configs)
        request.topics[0].configs.push_back({name, value});
    return wait_for<wire::CreateTopicsResponse>([&](MetadataNode& node, auto reply) {
        node.create_topics(request, {"User:test", scheduler.now() + 30s}, std::move(reply));
    });
}

wire::DeleteTopicsResponse MetadataWorld::remove(const std::string& topic) {
    wire::DeleteTopicsRequest request;
    request.topics.push_back({topic, Uuid{}});
    return wait_for<wire::DeleteTopicsResponse>([&](MetadataNode& node, auto reply) {
        node.delete_topics(request, {"User:test", scheduler.now() + 30s}, std::move(reply));
    });
}

Status MetadataWorld::drain() {
    return wait_for<Status>([](MetadataNode& node, auto reply) { node.drain(std::move(reply)); });
}

Status MetadataWorld::snapshot() {
    return wait_for<Status>(
        [](MetadataNode& node, auto reply) { node.take_snapshot(std::move(reply)); });
}

Result<ProducerIdBlock> MetadataWorld::allocate() {
    return wait_for<Result<ProducerIdBlock>>(
        [](MetadataNode& node, auto reply) { node.allocate_producer_ids(std::move(reply)); });
}

}  // namespace kq::sim

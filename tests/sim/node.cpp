// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.hpp"

namespace kq::sim {

Node::Process::Process(SimScheduler& world, SimNetwork& network, const Clock& clock,
                       const NodeOptions& options)
    : control(world, &clock),
      control_network(network.network_for(control, options.host)),
      pool(world, 2),
      random(std::make_unique<SeededRandom>(world.random().u64())) {
    for (std::size_t i = 0; i < options.data_loops; ++i) {
        data.push_back(std::make_unique<SimLoop>(world, &clock));
        data_networks.push_back(network.network_for(*data.back(), options.host));
    }
}

Node::Node(SimScheduler& world, SimNetwork& network, NodeOptions options)
    : world_(world),
      network_(network),
      options_(std::move(options)),
      clock_(world),
      disk_(clock_, MemoryFileSystem::CrashModel::on) {
    ConfigSet config(ConfigScope::broker);
    auto set = [&](const std::string& name, const std::string& value) {
        auto status = config.set(name, value);
        KQ_CHECK_MSG(status.ok(), name.c_str());
    };
    auto address = options_.host + ":" + std::to_string(options_.port);
    set("node.id", "1");
    set("log.dirs", "/data");
    set("listeners", "PLAINTEXT://" + address);
    set("advertised.listeners", "PLAINTEXT://" + address);
    for (const auto& [name, value] : options_.configs)
        set(name, value);
    config_ = std::make_shared<const ConfigSet>(std::move(config));
    // Nothing that waits for a disk may run in a loop's turn (I35).
    disk_.set_blocking_check(
        [this](const char* what) { KQ_CHECK_MSG(!world_.is_in_turn(), what); });
}

Node::~Node() {
    if (process_ != nullptr) kill();
}

Status Node::start() {
    KQ_CHECK(process_ == nullptr);
    auto process = std::make_unique<Process>(world_, network_, clock_, options_);
    BrokerSeams seams{.control = process->control,
                      .control_network = *process->control_network,
                      .data = {},
                      .files = disk_,
                      .pool = process->pool,
                      .random = *process->random,
                      .metrics = process->metrics,
                      .log = options_.log != nullptr ? Logger(*options_.log) : Logger()};
    for (std::size_t i = 0; i < process->data.size(); ++i) {
        seams.data.push_back({*process->data[i], *process->data_networks[i]});
    }
    BrokerOptions options;
    options.config = config_;
    options.host_name = options_.host;
    auto broker = Broker::open(std::move(seams), std::move(options));
    if (!broker.ok()) {
        disk_.kill();  // handles and locks that open() had taken
        network_.kill(options_.host);
        return broker.error();
    }
    process->broker = std::move(broker).value();
    process_ = std::move(process);
    process_->broker->start(
        [this](const Status& status) {
            if (status.ok()) {
                process_->serving = true;
            } else {
                failure_ = status.error();
            }
        },
        [this](const Error& error) { failure_ = error; });
    return done();
}

void Node::end_process() {
    KQ_CHECK(process_ != nullptr);
    process_->broker->abandon();
    process_->pool.kill();
    for (auto& loop : process_->data)
        loop->kill();
    process_->control.kill();
    network_.kill(options_.host);
    process_->broker = nullptr;
    process_ = nullptr;
    failure_ = std::nullopt;
}

void Node::kill() {
    end_process();
    disk_.kill();
}

void Node::power_off() {
    end_process();
    disk_.power_off(world_.random());
}

void Node::stop() {
    KQ_CHECK(process_ != nullptr && !process_->stopping);
    process_->stopping = true;
    process_->serving = false;
    process_->broker->stop([this](bool clean) {
        process_->stopped = true;
        process_->clean = clean;
    });
}

void Node::reap() {
    if (process_ == nullptr || !process_->stopped) return;
    stopped_cleanly_ = process_->clean;
    kill();
}

std::size_t Node::connection_count() const {
    std::size_t count = 0;
    if (process_ == nullptr) return 0;
    for (std::size_t i = 0; i < process_->data.size(); ++i)
        count += process_->broker->connection_count(i);
    return count;
}

std::int64_t Node::metric(std::string_view name) const {
    return process_ == nullptr ? 0 : process_->metrics.value(name);
}

}  // namespace kq::sim

// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.hpp"

#include <algorithm>

#include "broker/handlers.hpp"

namespace kq {
namespace {

// For queued.max.request.bytes=-1; its sentence in the registry says so.
constexpr std::uint64_t request_memory_default = std::uint64_t{512} << 20;

// Things that any request may name, whatever kq.partitions.max says.
constexpr std::size_t named_at_least = 10'000;

std::uint64_t request_memory_of(const ConfigSet& config) {
    auto configured = config.integer("queued.max.request.bytes");
    return configured > 0 ? static_cast<std::uint64_t>(configured) : request_memory_default;
}

SessionOptions session_options_of(const ConfigSet& config) {
    SessionOptions options;
    options.frame_bytes_max = static_cast<std::size_t>(config.integer("socket.request.max.bytes"));
    options.idle_max = config.duration("connections.max.idle.ms");
    return options;
}

std::vector<std::string> log_dirs_of(const ConfigSet& config) {
    auto dirs = config.list(config.is_set("log.dirs") ? "log.dirs" : "log.dir");
    for (auto& dir : dirs) {
        while (dir.size() > 1 && dir.back() == '/')
            dir.pop_back();
    }
    return dirs;
}

}  // namespace

Broker::Broker(ByOpen, BrokerSeams seams, BrokerOptions options)
    : seams_(std::move(seams)),
      options_(std::move(options)),
      id_(static_cast<std::int32_t>(options_.config->integer("node.id"))),
      request_memory_(request_memory_of(*options_.config)),
      request_memory_gauge_(seams_.metrics.observe(
          "kq_request_memory_bytes", "Memory of requests that are being read or handled.",
          [this] { return static_cast<std::int64_t>(request_memory_.used()); })) {}

Broker::~Broker() {
    // Against the order of construction: what refers to others goes first.
    status_ = nullptr;
    acceptor_ = nullptr;
    for (auto& side : data_sides_)
        side->sessions.abandon();
    data_sides_.clear();
    data_plane_ = nullptr;
    metadata_ = nullptr;
}

Result<std::unique_ptr<Broker>> Broker::open(BrokerSeams seams, BrokerOptions options) {
    KQ_CHECK(!seams.data.empty());
    auto broker = std::make_unique<Broker>(ByOpen{}, std::move(seams), std::move(options));
    auto opened = broker->open_parts();
    if (opened.ok()) return broker;
    broker->leave_no_trace();
    return opened.error();
}

Status Broker::open_parts() {
    KQ_LET(listeners_, parse_listeners(*options_.config));
    KQ_TRY(open_directories());
    KQ_TRY(share_descriptors());
    KQ_TRY(bind_listeners());
    KQ_TRY(identify());
    return open_planes();
}

void Broker::leave_no_trace() {
    for (auto& directory : directories_)
        directory->undo_making();
}

Status Broker::open_directories() {
    const auto& config = *options_.config;
    auto dirs = log_dirs_of(config);
    if (dirs.empty()) return Error{Errc::usage, "log.dirs: there is no directory"};
    auto own = config.optional_text("metadata.log.dir");
    metadata_directory_ = own ? *own : dirs.front();
    if (std::find(dirs.begin(), dirs.end(), metadata_directory_) == dirs.end()) {
        dirs.push_back(metadata_directory_);
    }
    // Before anything changes: a directory of a newer version, or one that lost what it should
    // hold, is left as it is.
    KQ_TRY(check_metadata_directory(seams_.files, {metadata_directory_, dirs}, id_, config));
    for (const auto& path : dirs) {
        KQ_LET(auto directory, LogDirectory::open(seams_.files, path, seams_.log));
        directories_.push_back(std::move(directory));
    }
    return done();
}

Status Broker::share_descriptors() {
    if (!options_.open_files) return done();
    std::size_t partitions = 0;
    for (const auto& directory : directories_) {
        KQ_LET(const auto count, directory->partition_count());
        partitions += count;
    }
    const auto connections = options_.config->integer("max.connections");
    KQ_LET(shares_, descriptor_shares(*options_.open_files, partitions,
                                      static_cast<std::size_t>(connections)));
    return done();
}

Status Broker::bind_listeners() {
    auto& first = seams_.data.front();
    const auto& config = *options_.config;
    AcceptorOptions limits;
    limits.connections_max = static_cast<std::size_t>(config.integer("max.connections"));
    limits.connections_per_ip_max =
        static_cast<std::size_t>(config.integer("max.connections.per.ip"));
    // Beyond max.connections who dials is refused; where descriptors are fewer, he waits.
    if (shares_.connections < limits.connections_max) {
        limits.descriptors_max = shares_.connections;
    }
    acceptor_ =
        std::make_unique<Acceptor>(first.loop, first.network, seams_.metrics, seams_.log, limits);
    for (const auto& listener : listeners_.clients) {
        KQ_LET(auto bound, acceptor_->bind(listener));
        bound_.push_back(bound);
        endpoints_.push_back(advertised_endpoint(listener, bound, options_.host_name));
    }
    if (options_.http) {
        auto status = StatusPort::open(seams_.control, seams_.control_network, *options_.http,
                                       seams_.metrics);
        if (!status.ok()) {
            return Error{status.code(), "the status port (--http): " + status.error().message};
        }
        status_ = std::move(status).value();
    }
    return done();
}

// Whose directories these are; an unused one becomes ours.
Status Broker::identify() {
    first_start_ = true;
    for (const auto& directory : directories_) {
        const auto& identity = directory->identity();
        if (!identity) continue;
        first_start_ = false;
        if (identity->node_id != id_) {
            return Error{Errc::foreign_directory, "'" + directory->path() + "' belongs to node " +
                                                      std::to_string(identity->node_id.value) +
                                                      ", and node.id is " +
                                                      std::to_string(id_.value)};
        }
        if (!cluster_id_.empty() && cluster_id_ != identity->cluster_id) {
            return Error{Errc::foreign_directory,
                         "'" + directory->path() + "' belongs to the cluster " +
                             identity->cluster_id + ", another directory to " + cluster_id_};
        }
        cluster_id_ = identity->cluster_id;
    }
    if (first_start_) cluster_id_ = seams_.random.uuid().text();
    for (auto& directory : directories_) {
        if (!directory->identity()) {
            KQ_TRY(directory->write_identity({cluster_id_, id_, seams_.random.uuid()}));
        }
    }
    return done();
}

PreviousStop Broker::previous_stop() const {
    if (first_start_) return PreviousStop::first_start;
    auto worst = PreviousStop::clean;
    for (const auto& directory : directories_) {
        switch (directory->last_stop()) {
            case LastStop::clean:
                break;
            case LastStop::process_died:
                worst = std::max(worst, PreviousStop::process_died);
                break;
            case LastStop::host_died:
                worst = PreviousStop::unknown;
                break;
        }
    }
    return worst;
}

Status Broker::open_planes() {
    std::vector<LogDirectory*> directories;
    for (auto& directory : directories_)
        directories.push_back(directory.get());
    std::vector<Loop*> loops;
    for (auto& data : seams_.data)
        loops.push_back(&data.loop);

    MetadataNodeOptions node;
    node.node_id = id_;
    node.cluster_id = cluster_id_;
    node.directory = metadata_directory_;
    for (const auto& directory : directories_)
        node.log_dirs.push_back(directory->path());
    node.config = options_.config;
    if (options_.open_files) {
        node.room = {static_cast<std::int64_t>(shares_.partitions), options_.open_files->allowed};
    }
    // Where another node would find this one's quorum, once there is another node.
    node.controller_endpoint = listeners_.controller.value_or(
        ListenerEndpoint{options_.config->list("controller.listener.names").at(0),
                         endpoints_.front().host, 9093, 0});
    for (const auto& directory : directories_) {
        if (directory->path() == metadata_directory_) {
            node.directory_id = directory->identity()->directory_id;
        }
    }
    for (auto& directory : directories_)
        KQ_TRY(directory->mark_started());

    metadata_ = std::make_unique<MetadataNode>(
        MetadataSeams{seams_.control, seams_.files, seams_.pool, seams_.random, seams_.log},
        std::move(node), static_cast<ImageListener&>(*this));
    KQ_LET(data_plane_, DataPlane::open({seams_.control, std::move(loops), seams_.pool,
                                         seams_.files, seams_.random, seams_.metrics, seams_.log},
                                        std::move(directories), id_, options_.config,
                                        [this](Callback<void(Result<ProducerIdBlock>)> on_block) {
                                            metadata_->allocate_producer_ids(std::move(on_block));
                                        }));
    data_plane_->on_directory_failed([this](std::uint32_t directory, const Error& why) {
        seams_.control.assert_here();
        directory_failed(directory, why);
    });

    std::vector<Acceptor::Target> targets;
    auto session_options = session_options_of(*options_.config);
    session_options.strangers = &strangers_;
    // What a request names are topics and settings, too: also where there may be few partitions.
    const auto named_max = std::max(
        named_at_least, static_cast<std::size_t>(options_.config->integer("kq.partitions.max")));
    for (std::size_t i = 0; i < seams_.data.size(); ++i) {
        if (auto* job = options_.give_back_memory; job != nullptr) {
            session_options.give_back_memory = [job, &pool = seams_.pool,
                                                &loop = seams_.data[i].loop] {
                pool.submit(loop, job, [] {});
            };
        }
        auto side =
            std::make_unique<DataSide>(seams_.data[i].loop, seams_.data[i].network, request_memory_,
                                       seams_.metrics, seams_.log, session_options, named_max);
        serve_all(side->dispatcher, {id_, cluster_id_, options_.config, data_plane_->data_loop(i),
                                     data_plane_->router(), data_plane_->directories(), seams_.pool,
                                     *metadata_, seams_.control});
        targets.push_back({&side->loop, &side->sessions});
        data_sides_.push_back(std::move(side));
    }
    acceptor_->set_targets(std::move(targets));
    return done();
}

std::optional<Endpoint> Broker::http() const {
    if (status_ == nullptr) return std::nullopt;
    return status_->local();
}

std::size_t Broker::connection_count(std::size_t data_loop) const {
    return data_sides_[data_loop]->sessions.count();
}

void Broker::abandon() {
    for (auto& side : data_sides_)
        side->sessions.abandon();
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "node.hpp"

#include <algorithm>

#include "base/machine.hpp"
#include "base/memory_file_system.hpp"
#include "base/posix_file_system.hpp"
#include "net/http_server.hpp"

namespace kq {
namespace {

PocoNetworkOptions network_options_of(const ConfigSet& config) {
    PocoNetworkOptions options;
    options.congestion_control =
        config.optional_text("kq.socket.congestion.control").value_or("auto");
    options.backlog = static_cast<int>(config.integer("socket.listen.backlog.size"));
    // Kafka's defaults (100 KiB) would cut throughput on fast links to a third: the kernel sizes
    // the buffers unless somebody says otherwise.
    if (config.is_set("socket.send.buffer.bytes")) {
        options.send_buffer_bytes = static_cast<int>(config.integer("socket.send.buffer.bytes"));
    }
    if (config.is_set("socket.receive.buffer.bytes")) {
        options.receive_buffer_bytes =
            static_cast<int>(config.integer("socket.receive.buffer.bytes"));
    }
    return options;
}

std::size_t data_loops_of(const ConfigSet& config) {
    auto configured = config.optional_integer("kq.data.loops");
    if (configured) return static_cast<std::size_t>(*configured);
    return std::max(1u, processor_count() - 1);
}

std::unique_ptr<FileSystem> files_for(const BrokerSettings& settings, const Clock& clock) {
    if (!settings.ephemeral) return std::make_unique<PosixFileSystem>();
    auto files = std::make_unique<MemoryFileSystem>(clock);
    // What does not fit is refused as a full disk would: better than being ended by the kernel.
    PosixFileSystem machine;
    files->set_capacity(usable_memory_bytes(machine) / 2);
    return files;
}

}  // namespace

Node::Node(const BrokerSettings& settings, Process& process)
    : settings_(settings),
      process_(process),
      log_sink_(clock_, settings.log_format),
      log_(log_sink_),
      files_(files_for(settings, clock_)),
      control_(clock_),
      pool_(static_cast<unsigned>(settings.config->integer("kq.io.threads"))),
      control_network_(control_, pool_, network_options_of(*settings.config), log_) {
    log_sink_.set_level(settings.log_level);
    auto spin = std::chrono::microseconds(settings.config->integer("kq.loop.spin.us"));
    control_.count_into(metrics_, "control");
    for (std::size_t i = 0; i < data_loops_of(*settings.config); ++i) {
        auto loop = std::make_unique<EpollLoop>(clock_);
        loop->set_spin(spin);
        loop->count_into(metrics_, "data-" + std::to_string(i));
        data_networks_.push_back(std::make_unique<PocoNetwork>(
            *loop, pool_, network_options_of(*settings.config), log_));
        data_loops_.push_back(std::move(loop));
    }
}

Node::~Node() = default;

// At most, with listeners, locks, the metadata log, a resolver in each of the pool's threads, and a
// full status port.
std::uint64_t Node::descriptors_of_process() const {
    return 32 + HttpServer::connections_max + 4 * (data_loops_.size() + 1) +
           2 * static_cast<std::uint64_t>(settings_.config->integer("kq.io.threads"));
}

Status Node::open() {
    for (const auto& warning : settings_.warnings)
        log_.warn(warning);
    BrokerSeams seams{control_, control_network_, {}, *files_, pool_, random_, metrics_, log_};
    for (std::size_t i = 0; i < data_loops_.size(); ++i) {
        seams.data.push_back({*data_loops_[i], *data_networks_[i]});
    }
    BrokerOptions options;
    options.config = settings_.config;
    options.http = settings_.http;
    options.host_name = host_name();
    options.give_back_memory = give_back_free_memory;
    const std::uint64_t open_files = raise_open_files_limit();
    if (!settings_.ephemeral && open_files > 0) {
        options.open_files = OpenFiles{open_files, descriptors_of_process()};
    }
    KQ_LET(broker_, Broker::open(std::move(seams), std::move(options)));
    return done();
}

Status Node::serve(std::function<void()> on_ready) {
    remove_ready_file();  // of a broker that was killed here
    control_.set_on_wake([this] { look_for_signal(); });
    std::vector<Thread> threads;
    for (std::size_t i = 0; i < data_loops_.size(); ++i) {
        threads.emplace_back("kq-data-" + std::to_string(i),
                             [loop = data_loops_[i].get()] { loop->run(); });
    }
    control_.post([this, on_ready = std::move(on_ready)] {
        look_for_signal();
        if (stopping_) return;
        broker_->start(
            [this, on_ready](Status started) {
                if (started.ok()) {
                    say_ready();
                    if (!failure_) on_ready();
                } else {
                    failure_ = started.error();
                }
                if (failure_) stop();
            },
            [this](const Error& why) {
                failure_ = why;
                stop();
            });
    });
    control_.run();
    for (auto& loop : data_loops_)
        loop->stop();
    threads.clear();
    broker_ = nullptr;
    remove_ready_file();
    if (failure_) return *failure_;
    return done();
}

void Node::look_for_signal() {
    if (process_.signal() == 0 || stopping_) return;
    if (on_signal_ != nullptr) {
        on_signal_();
    } else {
        stop();
    }
}

void Node::stop() {
    if (std::exchange(stopping_, true)) return;
    // Not from inside one of the broker's own calls.
    control_.post([this] {
        broker_->stop([this](bool clean) {
            if (!clean && !failure_) {
                failure_ = Error{Errc::io_error, "the broker could not be stopped cleanly"};
            }
            control_.stop();
        });
    });
}

namespace {

// An address that stands for every one of this machine is none to dial.
Endpoint as_dialled(Endpoint bound) {
    // The socket of :: takes IPv4 in, too.
    if (bound.host.empty() || bound.host == "0.0.0.0" || bound.host == "::")
        bound.host = "127.0.0.1";
    return bound;
}

}  // namespace

std::string Node::address() const {
    std::string list;
    for (const Endpoint& bound : broker_->bound()) {
        list += (list.empty() ? "" : ",") + as_dialled(bound).text();
    }
    return list;
}

std::string Node::ready_line() const {
    std::string line = "kafka=" + address();
    if (auto http = broker_->http()) line += " http=" + http->text();
    return line;
}

namespace {

// Whole or not at all: who waits for the file reads it as soon as it is there. It need not survive
// a power cut, so nothing is synced.
Status write_whole(FileSystem& files, const std::string& path, const std::string& content) {
    std::string temporary = path + ".tmp";
    KQ_LET(auto file, files.open(temporary, OpenMode::create));
    KQ_TRY(file->truncate(0));
    KQ_TRY(file->pwrite(0, as_bytes(content)));
    return files.rename(temporary, path);
}

}  // namespace

// Who waits for the file waits for a broker that is there.
void Node::remove_ready_file() {
    if (!settings_.ready_file) return;
    PosixFileSystem files;
    auto removed = files.unlink(*settings_.ready_file);
    if (!removed.ok() && removed.code() != Errc::not_found)
        log_.warn("the ready file of an earlier start stays", {kv("why", removed.error().message)});
}

void Node::say_ready() {
    if (auto http = broker_->http()) log_.info("status port is open", {kv("http", http->text())});
    if (!settings_.ready_file) return;
    PosixFileSystem files;
    auto written = write_whole(files, *settings_.ready_file, ready_line() + '\n');
    if (!written.ok()) failure_ = written.error();
}

}  // namespace kq

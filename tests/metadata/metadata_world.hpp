// SPDX-License-Identifier: Apache-2.0
//
// MetadataWorld: one MetadataNode on a simulated loop, pool and disk, with a listener that applies
// every image in a later turn, as a broker's loops would.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"
#include "metadata/metadata_node.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"

namespace kq::sim {

class MetadataWorld final : private ImageListener {
public:
    explicit MetadataWorld(std::uint64_t seed = 1);
    ~MetadataWorld() override;

    ConfigSet config{ConfigScope::broker};  // of the next start
    bool applies = true;                    // whether images are applied at all

    // A new process on the same disk, up to on_ready. The answer of start().
    Status start();
    // start(), register and unfence, as a broker does.
    void start_broker(PreviousStop previous = PreviousStop::clean);
    void stop();
    // A new process whose start() was called, and no more.
    void begin_start();
    void auto_create(const std::set<std::string>& names);
    // The process dies; `power` takes what was not synced too.
    void kill(bool power = false);

    wire::CreateTopicsResponse create(const std::string& topic, std::int32_t partitions = 1,
                                      std::map<std::string, std::string> configs = {});
    wire::DeleteTopicsResponse remove(const std::string& topic);
    Status drain();
    Status snapshot();
    Result<ProducerIdBlock> allocate();

    MetadataNode& node() { return *process_->node; }
    const MetadataState& state() { return *images.back(); }
    std::vector<MetadataImage> images;  // since the last start
    std::vector<std::shared_ptr<const MetadataDelta>> deltas;
    std::optional<Error> failure;

    SimScheduler scheduler;
    MemoryFileSystem files;
    MemoryLogSink log;
    static constexpr const char* directory = "/data";
    static std::string log_directory() { return std::string(directory) + "/__cluster_metadata-0"; }
    Uuid directory_id;

private:
    struct Process {
        Process(MetadataWorld& world, const ConfigSet& config);
        SimLoop loop;
        SimIoPool pool;
        std::unique_ptr<MetadataNode> node;
    };
    void on_image(MetadataImage image, std::shared_ptr<const MetadataDelta> delta) override;
    void on_metadata_failed(Error error) override { failure = std::move(error); }
    void begin_process();
    template <class T, class Ask>
    T wait_for(Ask ask);

    std::unique_ptr<Process> process_;
};

}  // namespace kq::sim

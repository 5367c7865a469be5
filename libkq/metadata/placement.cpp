// SPDX-License-Identifier: Apache-2.0
#include "metadata/placement.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace kq {
namespace {

// The brokers of one rack, handed out in turn; fenced ones only after all others.
struct Rack {
    std::vector<BrokerId> active;
    std::vector<BrokerId> fenced;
    std::size_t next_active = 0;
    std::size_t next_fenced = 0;

    std::size_t size() const { return active.size() + fenced.size(); }
    // The `nth` broker of this round.
    BrokerId pick(std::size_t nth) const {
        if (nth < active.size()) return active[(next_active + nth) % active.size()];
        return fenced[(next_fenced + nth - active.size()) % fenced.size()];
    }
    void advance() {
        if (!active.empty()) next_active = (next_active + 1) % active.size();
        if (!fenced.empty()) next_fenced = (next_fenced + 1) % fenced.size();
    }
};

std::vector<Rack> racks_of(const MetadataState& state, Random& random) {
    std::map<std::string, Rack> by_name;  // brokers without a rack share one
    for (const auto& [id, broker] : state.brokers) {
        // A directory that takes no new replicas counts as absent.
        const auto& cordoned = broker->cordoned_log_dirs;
        if (cordoned && !broker->log_dirs.empty() &&
            std::all_of(broker->log_dirs.begin(), broker->log_dirs.end(), [&](const Uuid& dir) {
                return std::find(cordoned->begin(), cordoned->end(), dir) != cordoned->end();
            }))
            continue;
        auto& rack = by_name[broker->rack.value_or("")];
        const bool up = !broker->fenced && !broker->in_controlled_shutdown;
        (up ? rack.active : rack.fenced).push_back(id);
    }
    std::vector<Rack> racks;
    for (auto& [name, rack] : by_name) {
        if (!rack.active.empty()) rack.next_active = random.below(rack.active.size());
        if (!rack.fenced.empty()) rack.next_fenced = random.below(rack.fenced.size());
        racks.push_back(std::move(rack));
    }
    return racks;
}

}  // namespace

Result<std::vector<std::vector<BrokerId>>> place_replicas(const MetadataState& state,
                                                          Random& random, std::int32_t partitions,
                                                          std::int16_t replication_factor) {
    auto racks = racks_of(state, random);
    std::size_t brokers = 0;
    std::size_t active = 0;
    for (const auto& rack : racks) {
        brokers += rack.size();
        active += rack.active.size();
    }
    if (static_cast<std::size_t>(replication_factor) > brokers) {
        return Error(Errc::invalid_replication_factor,
                     std::to_string(replication_factor) +
                         (replication_factor == 1 ? " replica was" : " replicas were") +
                         " asked for and " + std::to_string(brokers) +
                         (brokers == 1 ? " broker" : " brokers") + " can take new ones");
    }
    if (active == 0) {
        return Error(Errc::invalid_replication_factor,
                     "no broker is up that could lead new partitions");
    }
    std::vector<std::vector<BrokerId>> placed;
    std::size_t first_rack = random.below(racks.size());
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
        // The leader's rack needs a broker that is up.
        while (racks[first_rack].active.empty())
            first_rack = (first_rack + 1) % racks.size();
        std::vector<BrokerId> replicas;
        for (std::size_t round = 0; replicas.size() < static_cast<std::size_t>(replication_factor);
             ++round) {
            for (std::size_t i = 0; i < racks.size(); ++i) {
                const auto& rack = racks[(first_rack + i) % racks.size()];
                if (round >= rack.size()) continue;
                replicas.push_back(rack.pick(round));
                if (replicas.size() == static_cast<std::size_t>(replication_factor)) break;
            }
        }
        placed.push_back(std::move(replicas));
        // Only a rack that led is advanced, so that its brokers lead in turn.
        racks[first_rack].advance();
        first_rack = (first_rack + 1) % racks.size();
    }
    return placed;
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "broker/topic_answers.hpp"

#include "base/result.hpp"

namespace kq {

const ListenerEndpoint* reachable(const MetadataState& image, BrokerId broker,
                                  std::string_view listener) {
    const auto* registration = image.broker(broker);
    if (registration == nullptr || registration->fenced) return nullptr;
    return registration->endpoint(listener);
}

PartitionLeader leader_of(const MetadataState& image, const PartitionRegistration& partition,
                          std::string_view listener) {
    if (reachable(image, partition.leader, listener) != nullptr) {
        return {Errc::none, partition.leader};
    }
    if (image.is_active(partition.leader)) return {Errc::listener_not_found, no_broker};
    return {Errc::leader_not_available, no_broker};
}

std::vector<std::int32_t> offline_replicas(const MetadataState& image,
                                           const PartitionRegistration& partition) {
    std::vector<std::int32_t> out;
    for (auto replica : partition.replicas) {
        if (!image.is_active(replica)) out.push_back(replica.value);
    }
    return out;
}

std::vector<std::int32_t> numbers(const std::vector<BrokerId>& brokers) {
    std::vector<std::int32_t> out;
    out.reserve(brokers.size());
    for (auto broker : brokers)
        out.push_back(broker.value);
    return out;
}

BrokerId named_controller(const MetadataState& image, BrokerId self) {
    if (image.is_active(self)) return self;
    for (const auto& [id, registration] : image.brokers) {
        if (!registration->fenced) return id;
    }
    return no_broker;
}

}  // namespace kq

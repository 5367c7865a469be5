// SPDX-License-Identifier: Apache-2.0
#include "broker/api/02_list_offsets.hpp"

#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "metadata/metadata_state.hpp"

namespace kq {

namespace {

using PartitionResponse = wire::ListOffsetsResponse::ListOffsetsPartitionResponse;

// What the answers of several owners are gathered in.
struct OffsetSearch {
    explicit OffsetSearch(Reply<wire::ListOffsetsResponse> reply_in) : reply(std::move(reply_in)) {}
    Reply<wire::ListOffsetsResponse> reply;
    wire::ListOffsetsResponse response;
    int version = 0;
    std::size_t outstanding = 1;  // one for the handler itself, until it has asked everybody

    void one_less() {
        if (--outstanding == 0) std::move(reply).send(std::move(response));
    }
};

// The first version that knows a special timestamp; all versions know -1 and -2.
int version_of(std::int64_t timestamp) {
    switch (timestamp) {
        case SpecialTimestamp::max_timestamp:
            return 7;
        case SpecialTimestamp::earliest_local:
            return 8;
        case SpecialTimestamp::latest_tiered:
            return 9;
        case SpecialTimestamp::earliest_pending_upload:
            return 11;
        default:
            return timestamp < SpecialTimestamp::earliest ? 99 : 1;
    }
}

void fill(PartitionResponse& place, const OffsetAnswer& answer, int version) {
    Errc code = answer.code;
    // Known to clients from version 5 on.
    if (code == Errc::offset_not_available && version < 5) code = Errc::leader_not_available;
    place.error_code = wire_code(code);
    place.timestamp = answer.timestamp;
    place.offset = answer.offset.value;
    if (version >= 4) place.leader_epoch = answer.leader_epoch.value;
}

OffsetAnswer refused(Errc code) {
    OffsetAnswer answer;
    answer.code = code;
    return answer;
}

Visibility visibility_of(const wire::ListOffsetsRequest& request) {
    constexpr std::int32_t consumer = -1;
    if (request.replica_id != consumer) return Visibility::log_end;  // a follower, or a debugger
    return request.isolation_level == 1 ? Visibility::last_stable : Visibility::high_watermark;
}

}  // namespace

void handle_list_offsets(RequestContext& context, wire::ListOffsetsRequest request,
                         const PartitionRouter& router, Reply<wire::ListOffsetsResponse> reply) {
    auto gathering = std::make_shared<OffsetSearch>(std::move(reply));
    gathering->version = context.api_version;
    const Visibility visibility = visibility_of(request);
    std::map<std::pair<std::string_view, std::int32_t>, int> asked;
    for (const auto& topic : request.topics) {
        for (const auto& partition : topic.partitions) {
            ++asked[{topic.name, partition.partition_index}];
        }
    }

    // All places first: answers may come at once, and must not find the vectors growing.
    for (const auto& topic : request.topics) {
        auto& answers = gathering->response.topics.emplace_back();
        answers.name = topic.name;
        for (const auto& partition : topic.partitions) {
            answers.partitions.emplace_back().partition_index = partition.partition_index;
        }
    }
    for (std::size_t t = 0; t < request.topics.size(); ++t) {
        const auto& topic = request.topics[t];
        const TopicImage* image = context.image->topic(std::string_view(topic.name));
        for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
            const auto& partition = topic.partitions[p];
            auto& place = gathering->response.topics[t].partitions[p];
            const auto refuse = [&](Errc code) { fill(place, refused(code), context.api_version); };
            if (asked[{topic.name, partition.partition_index}] > 1) {
                refuse(Errc::invalid_request);
                continue;
            }
            if (image == nullptr || partition.partition_index < 0 ||
                image->partition(PartitionIndex{partition.partition_index}) == nullptr) {
                refuse(Errc::unknown_topic_or_partition);
                continue;
            }
            if (context.api_version < version_of(partition.timestamp)) {
                refuse(Errc::unsupported_version);
                continue;
            }
            const TopicIdPartition id{image->id(), PartitionIndex{partition.partition_index}};
            const OffsetLookup query{partition.timestamp, Epoch{partition.current_leader_epoch},
                                     visibility};
            ++gathering->outstanding;
            PartitionSet& set = router.owner(id);
            run_on(set.loop(), [gathering, &set, &home = context.loop, id, query, t, p] {
                set.list_offset(id, query, [gathering, &home, t, p](OffsetAnswer answer) {
                    run_on(home, [gathering, answer, t, p] {
                        fill(gathering->response.topics[t].partitions[p], answer,
                             gathering->version);
                        gathering->one_less();
                    });
                });
            });
        }
    }
    gathering->one_less();
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "broker/api/02_list_offsets.hpp"

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/repeated_partitions.hpp"
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
    const bool is_unreadable = request.isolation_level != 0 && request.isolation_level != 1;
    std::vector<NamedPartition> named;
    for (const auto& topic : request.topics) {
        for (const auto& partition : topic.partitions)
            named.push_back({topic.name, Uuid{}, partition.partition_index});
    }
    const auto last = last_places(named);

    // All places first: answers may come at once, and must not find the vectors growing.
    struct Place {
        const wire::ListOffsetsRequest::ListOffsetsTopic* topic;
        const wire::ListOffsetsRequest::ListOffsetsPartition* asked;
        std::size_t t;  // of the response
        std::size_t p;
        bool is_repeated;
    };
    std::vector<Place> places;
    auto& topics = gathering->response.topics;
    std::size_t i = 0;
    for (const auto& topic : request.topics) {
        auto& answers = topics.emplace_back();
        answers.name = topic.name;
        for (const auto& partition : topic.partitions) {
            const std::size_t place = i++;
            if (last[place] == named_before) continue;
            answers.partitions.emplace_back().partition_index = partition.partition_index;
            places.push_back({&topic, &partition, topics.size() - 1, answers.partitions.size() - 1,
                              last[place] != place});
        }
        if (answers.partitions.empty() && !topic.partitions.empty()) topics.pop_back();
    }
    for (const auto& [topic, partition, t, p, is_repeated] : places) {
        const TopicImage* image = context.image->topic(std::string_view(topic->name));
        auto& answer = topics[t].partitions[p];
        const auto refuse = [&](Errc code) { fill(answer, refused(code), context.api_version); };
        if (is_unreadable) {
            refuse(Errc::unknown_server_error);  // as Kafka, for a level it does not know
            continue;
        }
        if (is_repeated) {
            refuse(Errc::invalid_request);
            continue;
        }
        if (image == nullptr || partition->partition_index < 0 ||
            image->partition(PartitionIndex{partition->partition_index}) == nullptr) {
            refuse(Errc::unknown_topic_or_partition);
            continue;
        }
        if (context.api_version < version_of(partition->timestamp)) {
            refuse(Errc::unsupported_version);
            continue;
        }
        const TopicIdPartition id{image->id(), PartitionIndex{partition->partition_index}};
        const OffsetLookup query{partition->timestamp, Epoch{partition->current_leader_epoch},
                                 visibility};
        ++gathering->outstanding;
        PartitionSet& set = router.owner(id);
        run_on(set.loop(), [gathering, &set, &home = context.loop, id, query, t = t, p = p] {
            set.list_offset(id, query, [gathering, &home, t, p](OffsetAnswer found) {
                run_on(home, [gathering, found, t, p] {
                    fill(gathering->response.topics[t].partitions[p], found, gathering->version);
                    gathering->one_less();
                });
            });
        });
    }
    gathering->one_less();
}

}  // namespace kq

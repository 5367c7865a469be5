// SPDX-License-Identifier: Apache-2.0
//
// ControllerChannel: carries requests that change the metadata from the loop of a connection to
// the controller, and the answers back.
//
// shape    one message each way; the answer comes on the loop that asked, in a later turn
// owner    immutable; any loop may use it as long as the MetadataNode lives
#pragma once

#include <utility>

#include "base/loop.hpp"
#include "metadata/metadata_node.hpp"
#include "protocol/messages/19_create_topics.hpp"
#include "protocol/messages/20_delete_topics.hpp"

namespace kq {

class ControllerChannel {
public:
    ControllerChannel(Loop& control, MetadataNode& metadata)
        : control_(control), metadata_(metadata) {}

    void create_topics(Loop& asker, wire::CreateTopicsRequest request, AdminCall call,
                       Callback<void(wire::CreateTopicsResponse)> reply) const {
        control_.post([&metadata = metadata_, request = std::move(request), call = std::move(call),
                       back = returning(asker, std::move(reply))]() mutable {
            metadata.create_topics(std::move(request), std::move(call), std::move(back));
        });
    }
    void delete_topics(Loop& asker, wire::DeleteTopicsRequest request, AdminCall call,
                       Callback<void(wire::DeleteTopicsResponse)> reply) const {
        control_.post([&metadata = metadata_, request = std::move(request), call = std::move(call),
                       back = returning(asker, std::move(reply))]() mutable {
            metadata.delete_topics(std::move(request), std::move(call), std::move(back));
        });
    }

private:
    // A callback for the control loop that runs `reply` on the asker's.
    template <class Response>
    static Callback<void(Response)> returning(Loop& asker, Callback<void(Response)> reply) {
        return [&asker, reply = std::move(reply)](Response response) mutable {
            asker.post([reply = std::move(reply), response = std::move(response)]() mutable {
                reply(std::move(response));
            });
        };
    }

    Loop& control_;
    MetadataNode& metadata_;
};

}  // namespace kq

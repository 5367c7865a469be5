// SPDX-License-Identifier: Apache-2.0
//
// RequestContext: what a handler may know of a request beside its body: who asked, through which
// listener, under which version, and the metadata image of the moment it was dispatched.
//
// owner    the connection's loop. Borrowed for the handler's call: what answers later copies what
// it
//          needs (image and frame_owner are cheap to copy)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/loop.hpp"
#include "net/network.hpp"

namespace kq {

class MetadataState;
class FetchSession;

// What lives as long as a connection and belongs to handlers. It dies with the connection.
struct ConnectionState {
    std::uint64_t id = 0;  // of the connection, unique in this process
    // The fetch session of this connection (01_fetch).
    std::shared_ptr<FetchSession> fetch_session;
};

struct RequestContext {
    std::int16_t api_key = 0;
    int api_version = 0;
    std::int32_t correlation_id = 0;
    std::string client_id;  // "" where the client sent null

    std::string_view listener;   // its name: "PLAINTEXT"
    std::string_view principal;  // "User:ANONYMOUS"
    Endpoint peer;

    std::shared_ptr<const MetadataState> image;
    Loop& loop;
    const Clock& clock;
    ConnectionState& connection;

    // The frame that holds the request, header included. Views in the decoded request point into
    // it; they stay valid while `frame_owner` or a copy of it lives. Nobody else reads these bytes,
    // so a batch may be changed in place.
    MutableBytes frame;
    ByteView body;  // of the request, behind the header
    std::shared_ptr<const void> frame_owner;

    // The writable bytes behind a view into the frame.
    MutableBytes writable(ByteView view) const {
        if (view.empty()) return {};
        KQ_CHECK(view.data() >= frame.data() &&
                 view.data() + view.size() <= frame.data() + frame.size());
        return frame.subspan(static_cast<std::size_t>(view.data() - frame.data()), view.size());
    }
    SharedBytes shared(ByteView view) const { return {frame_owner, view}; }
};

}  // namespace kq

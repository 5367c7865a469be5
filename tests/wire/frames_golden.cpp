// SPDX-License-Identifier: Apache-2.0
#include "tests/wire/frames_golden.hpp"

#include <cstdio>

#include "protocol/frames.hpp"

namespace kq::test {

ByteView GoldenFrame::body() const {
    auto content = ByteView(bytes).subspan(wire::frame_size_bytes);
    if (is_request) return wire::decode_request_header(content).value().body;
    return wire::decode_response_header(content, *wire::find_api(schema->key), version)
        .value()
        .body;
}

std::vector<GoldenFrame> golden_frames() {
    std::vector<GoldenFrame> frames;
    for (const auto& api : wire::all_apis()) {
        char key[8];
        std::snprintf(key, sizeof key, "%02d", api.key);
        auto path = "frames/" + std::string(key) + "_" + std::string(api.name) + ".txt";
        for (auto& block : read_blocks(path)) {
            auto head = words(block["frame"]);  // Metadata 3 v12 request
            bool is_request = head.at(3) == "request";
            int version = std::stoi(head.at(2).substr(1));
            if (!api.versions.contains(version)) continue;
            const auto& schema = schema_of(head.at(0) + (is_request ? "Request" : "Response"));
            bool unknown_tags = block["source"].find("unknown-tags") != std::string::npos;
            auto bytes = from_hex(block["hex"]);
            frames.push_back(
                {std::move(block), &schema, version, is_request, unknown_tags, std::move(bytes)});
        }
    }
    return frames;
}

}  // namespace kq::test

// SPDX-License-Identifier: Apache-2.0
//
// CreateTopics and DeleteTopics, from a connection's loop to the controller and back.
#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "base/sim_loop.hpp"
#include "broker/api/19_create_topics.hpp"
#include "broker/api/20_delete_topics.hpp"

using namespace kq;

namespace {

struct World final : private ImageListener {
    SimScheduler scheduler{3};
    MemoryFileSystem files{scheduler.clock()};
    SimLoop control{scheduler};
    SimLoop data{scheduler};
    SimIoPool pool{scheduler};
    std::unique_ptr<MetadataNode> node;
    std::unique_ptr<ControllerChannel> channel;
    ConnectionState connection;
    MetadataImage image = std::make_shared<const MetadataState>();
    std::chrono::milliseconds apply_delay{1};

    World() {
        MetadataNodeOptions options;
        options.cluster_id = "c";
        options.directory = "/d";
        options.log_dirs = {"/d"};
        options.directory_id = scheduler.random().uuid();
        options.controller_endpoint = {"CONTROLLER", "h", 1, 0};
        options.config = std::make_shared<const ConfigSet>(ConfigScope::broker);
        node = std::make_unique<MetadataNode>(
            MetadataSeams{control, files, pool, scheduler.random(), Logger()}, options,
            static_cast<ImageListener&>(*this));
        channel = std::make_unique<ControllerChannel>(control, *node);
        bool ready = false;
        control.post([&] {
            node->start([&](Status started) {
                REQUIRE(started.ok());
                BrokerStart start{scheduler.random().uuid(),
                                  {{"L", "h", 2, 0}},
                                  {},
                                  {options.directory_id},
                                  PreviousStop::clean};
                node->register_broker(start, [&](Result<BrokerEpoch> epoch) {
                    REQUIRE(epoch.ok());
                    node->unfence([&](Status status) { ready = status.ok(); });
                });
            });
        });
        REQUIRE(scheduler.run_until([&] { return ready; }, 10s));
    }
    void on_image(MetadataImage now, std::shared_ptr<const MetadataDelta>) override {
        control.after(apply_delay, [this, now] {
            image = now;
            node->applied(now->applied_offset);
        });
    }
    void on_metadata_failed(Error) override { FAIL("the metadata failed"); }

    template <class Response, class Ask>
    Response ask(int version, Ask handle) {
        std::optional<Response> heard;
        data.post([&] {
            RequestContext context{.api_version = version,
                                   .client_id = "test",
                                   .listener = "L",
                                   .principal = "User:ANONYMOUS",
                                   .peer = {},
                                   .image = image,
                                   .loop = data,
                                   .clock = scheduler.clock(),
                                   .connection = connection,
                                   .frame = {},
                                   .body = {},
                                   .frame_owner = nullptr};
            handle(context, Reply<Response>([&](Response response) {
                       CHECK(data.is_here());
                       heard = std::move(response);
                   }));
        });
        REQUIRE(scheduler.run_until([&] { return heard.has_value(); }, std::chrono::minutes(5)));
        return std::move(*heard);
    }
    wire::CreateTopicsResponse create(const std::string& name, std::int32_t timeout_ms = 1000) {
        wire::CreateTopicsRequest request;
        request.topics.push_back({name, 2, 1, {}, {}});
        request.timeout_ms = timeout_ms;
        return ask<wire::CreateTopicsResponse>(7, [&](RequestContext& context, auto reply) {
            handle_create_topics(context, request, *channel, std::move(reply));
        });
    }
    wire::DeleteTopicsResponse remove(wire::DeleteTopicsRequest request, int version,
                                      bool allowed) {
        if (request.timeout_ms == 0) request.timeout_ms = 1000;
        return ask<wire::DeleteTopicsResponse>(version, [&](RequestContext& context, auto reply) {
            handle_delete_topics(context, request, *channel, allowed, std::move(reply));
        });
    }
};

}  // namespace

TEST_CASE("when a change is answered, the image that the next request sees has it", "[broker]") {
    World world;
    world.apply_delay = 700ms;
    const auto created = world.create("orders");
    CHECK(created.topics.at(0).error_code == 0);
    REQUIRE(world.image->topic("orders") != nullptr);  // I26
    CHECK(world.image->topic("orders")->id() == created.topics[0].topic_id);
    wire::DeleteTopicsRequest request;
    request.topics = {{"orders", Uuid{}}};
    CHECK(world.remove(request, 6, true).responses.at(0).error_code == 0);
    CHECK(world.image->topic("orders") == nullptr);
}

TEST_CASE("an answer comes at the timeout at the latest, and says that the outcome is unknown",
          "[broker]") {
    World world;
    world.apply_delay = std::chrono::hours(1);
    const auto start = world.scheduler.now();
    CHECK(world.create("slow", 2500).topics.at(0).error_code == wire_code(Errc::request_timed_out));
    CHECK(world.scheduler.now() - start >= 2500ms);
    CHECK(world.scheduler.now() - start < 3s);
    CHECK(world.create("hasty", 0).topics.at(0).error_code == wire_code(Errc::request_timed_out));
}

TEST_CASE("a change with a negative timeout is refused and changes nothing", "[broker]") {
    World world;
    CHECK(world.create("never", -1).topics.at(0).error_code == wire_code(Errc::invalid_request));
    REQUIRE(world.create("kept").topics.at(0).error_code == 0);
    CHECK(world.image->topic("never") == nullptr);
    wire::DeleteTopicsRequest request;
    request.topic_names = {"kept"};
    request.timeout_ms = -1;
    CHECK(world.remove(request, 5, true).responses.at(0).error_code ==
          wire_code(Errc::invalid_request));
    REQUIRE(world.create("another").topics.at(0).error_code == 0);
    CHECK(world.image->topic("kept") != nullptr);
}

TEST_CASE("where topics may not be deleted, each is refused as its client knows it", "[broker]") {
    World world;
    REQUIRE(world.create("kept").topics.at(0).error_code == 0);
    wire::DeleteTopicsRequest old;
    old.topic_names = {"kept", "other"};
    auto response = world.remove(old, 2, false);
    REQUIRE(response.responses.size() == 2);
    CHECK(response.responses[0].error_code == wire_code(Errc::invalid_request));
    CHECK(world.remove(old, 3, false).responses[1].error_code ==
          wire_code(Errc::topic_deletion_disabled));
    wire::DeleteTopicsRequest by_id;
    by_id.topics = {{std::nullopt, world.image->topic("kept")->id()}};
    response = world.remove(by_id, 6, false);
    CHECK(response.responses.at(0).error_code == wire_code(Errc::topic_deletion_disabled));
    CHECK(response.responses[0].topic_id == by_id.topics[0].topic_id);
    CHECK(world.image->topic("kept") != nullptr);
}

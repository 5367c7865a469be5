// SPDX-License-Identifier: Apache-2.0
#include "net/receive_buffers.hpp"

#include <catch2/catch.hpp>

#include "base/sim_loop.hpp"

using namespace kq;

namespace {

struct Scene {
    SimScheduler world{1};
    SimLoop loop{world};
    SimLoop other{world};
    MemoryBudget budget{std::uint64_t{4} << 20};
    std::unique_ptr<ReceiveBuffers> buffers = std::make_unique<ReceiveBuffers>(loop, budget);

    // Receives a frame of that size; null when the budget is used up.
    std::shared_ptr<const void> receive(std::size_t bytes) {
        auto space = buffers->space(bytes);
        if (space.empty()) return nullptr;
        REQUIRE(space.size() >= bytes);
        return buffers->take(bytes);
    }
};

constexpr std::size_t half = ReceiveBuffers::slab_bytes / 2;

}  // namespace

TEST_CASE("frames that are done with cost nothing", "[net][I34]") {
    Scene scene;
    for (int i = 0; i < 100; ++i)
        REQUIRE(scene.receive(half) != nullptr);
    CHECK(scene.buffers->slab_count() == 1);
    CHECK(scene.budget.used() == 0);
}

TEST_CASE("full slabs count until their last frame is done with, wherever that is", "[net][I33]") {
    Scene scene;
    std::vector<std::shared_ptr<const void>> held;
    while (auto hold = scene.receive(half))
        held.push_back(std::move(hold));
    CHECK(held.size() == 10);  // the budget's four, and the one that each loop has
    CHECK(scene.budget.used() == scene.budget.bytes_max());

    SECTION("on another loop, and who waits is told") {
        bool told = false;
        scene.budget.when_freed(scene.loop, [&] { told = true; });
        scene.other.post([hold = std::move(held[0])]() mutable { hold = nullptr; });
        scene.world.run_ready();
        CHECK_FALSE(told);  // the other half of the slab is held yet
        CHECK(scene.receive(half) == nullptr);
        scene.other.post([hold = std::move(held[1])]() mutable { hold = nullptr; });
        scene.world.run_ready();
        CHECK(told);
        CHECK(scene.receive(half) != nullptr);
        CHECK(scene.budget.used() == scene.budget.bytes_max());
    }
    SECTION("all of them") {
        held.clear();
        CHECK(scene.budget.used() == 0);
        CHECK(scene.receive(half) != nullptr);
        // A burst does not stay in memory for ever.
        held.push_back(scene.receive(half));
        held.push_back(scene.receive(half));
        held.push_back(scene.receive(half));
        CHECK(scene.buffers->slab_count() <= 4);
    }
    SECTION("also when the loop's buffers are gone") {
        scene.buffers = nullptr;
        CHECK(scene.budget.used() == scene.budget.bytes_max());
        scene.other.post([all = std::move(held)]() mutable { all.clear(); });
        scene.world.run_ready();
        CHECK(scene.budget.used() == 0);
    }
}

TEST_CASE("a long frame's buffer counts until it is done with, and is used again", "[net][I33]") {
    Scene scene;
    auto first = scene.buffers->single(3 << 20);
    REQUIRE(first.has_value());
    CHECK(scene.budget.used() == 3 << 20);
    CHECK_FALSE(scene.buffers->single(2 << 20).has_value());
    const auto* place = first->bytes.data();

    SECTION("on its own loop: the memory is warm") {
        scene.loop.post([&] { first.reset(); });
        scene.world.run_ready();
        CHECK(scene.budget.used() == 0);
        scene.loop.post([&] {
            auto second = scene.buffers->single(2 << 20);
            REQUIRE(second.has_value());
            CHECK(second->bytes.data() == place);
            CHECK(scene.budget.used() == 2 << 20);
        });
        scene.world.run_ready();
    }
    SECTION("on another loop") {
        scene.other.post([hold = std::move(first->hold)]() mutable { hold = nullptr; });
        scene.world.run_ready();
        CHECK(scene.budget.used() == 0);
    }
}

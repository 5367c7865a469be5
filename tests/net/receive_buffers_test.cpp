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
    auto first = scene.buffers->single(3 << 20, 3 << 20);
    REQUIRE(first != nullptr);
    CHECK(scene.budget.used() == 3 << 20);
    CHECK(scene.buffers->single(2 << 20, 2 << 20) == nullptr);
    const auto* place = first->room().data();

    SECTION("on its own loop: the memory is warm") {
        scene.loop.post([&] { first.reset(); });
        scene.world.run_ready();
        CHECK(scene.budget.used() == 0);
        scene.loop.post([&] {
            auto second = scene.buffers->single(2 << 20, 1 << 20);
            REQUIRE(second != nullptr);
            CHECK(second->room().data() == place);
            CHECK(second->room().size() == 1 << 20);
            CHECK(scene.budget.used() == 1 << 20);
        });
        scene.world.run_ready();
    }
    SECTION("on another loop") {
        scene.other.post([hold = std::move(first)]() mutable { hold = nullptr; });
        scene.world.run_ready();
        CHECK(scene.budget.used() == 0);
    }
}

TEST_CASE("a long frame counts as its bytes come", "[net][I33]") {
    Scene scene;  // 4 MiB
    constexpr std::size_t mib = 1 << 20;
    auto frame = scene.buffers->single(3 * mib, 16 << 10);
    REQUIRE(frame != nullptr);
    CHECK(scene.budget.used() == 16 << 10);
    frame->room()[0] = 7;
    while (frame->room().size() < frame->frame_bytes()) {
        const std::size_t before = frame->room().size();
        frame->room()[before - 1] = 9;
        REQUIRE(ReceiveBuffers::grow(*frame));
        CHECK(frame->room().size() == std::min(3 * mib, 2 * before));
        CHECK(frame->room()[0] == 7);
        CHECK(frame->room()[before - 1] == 9);
        CHECK(scene.budget.used() == frame->room().size());
    }
    frame.reset();
    CHECK(scene.budget.used() == 0);
}

TEST_CASE("frames that all wait for the rest let one finish past the limit", "[net][I33]") {
    Scene scene;  // 4 MiB
    constexpr std::size_t mib = 1 << 20;
    auto one = scene.buffers->single(4 * mib, 2 * mib);
    auto two = scene.buffers->single(4 * mib, mib);
    auto busy = scene.buffers->single(mib, mib);
    REQUIRE((one != nullptr && two != nullptr && busy != nullptr));
    // While somebody is at work with what it holds they wait: that comes back by itself.
    CHECK_FALSE(ReceiveBuffers::grow(*one));
    CHECK_FALSE(ReceiveBuffers::grow(*one));
    busy.reset();
    // There is room for the second, but not for both.
    CHECK(ReceiveBuffers::grow(*two));
    CHECK(two->room().size() == 2 * mib);
    CHECK_FALSE(ReceiveBuffers::grow(*one));
    // Now all wait: one gets all that it lacks, the other goes on waiting for it.
    CHECK(ReceiveBuffers::grow(*two));
    CHECK(two->room().size() == 4 * mib);
    CHECK(scene.budget.used() == 6 * mib);
    CHECK_FALSE(ReceiveBuffers::grow(*one));
    two.reset();
    CHECK(ReceiveBuffers::grow(*one));
    CHECK(scene.budget.used() == 4 * mib);
    one.reset();
    CHECK(scene.budget.used() == 0);
    // Nothing is left of them among those who wait.
    CHECK(scene.budget.try_overdraw(1));
    scene.budget.give_back(1);
}

// SPDX-License-Identifier: Apache-2.0
#include "base/machine.hpp"

#include <catch2/catch.hpp>

#include "base/memory_file_system.hpp"
#include "base/posix_file_system.hpp"
#include "base/sim_loop.hpp"

using namespace kq;

namespace {

struct Machine {
    SimScheduler world{1};
    MemoryFileSystem files{world.clock()};

    void put(const std::string& path, const std::string& text) {
        REQUIRE(files.mkdir(parent_of(path)).ok());
        auto file = files.open(path, OpenMode::create).value();
        REQUIRE(file->pwrite(0, as_bytes(text)).ok());
    }
};

}  // namespace

TEST_CASE("a process may use what its machine has, and what its control groups leave", "[base]") {
    Machine machine;
    const auto all = physical_memory_bytes();
    const std::string groups = "/sys/fs/cgroup";
    CHECK(usable_memory_bytes(machine.files) == all);

    SECTION("v2, its own group") {
        machine.put("/proc/self/cgroup", "0::/system.slice/kq.service\n");
        machine.put(groups + "/system.slice/kq.service/memory.max", "max\n");
        CHECK(usable_memory_bytes(machine.files) == all);
        machine.put(groups + "/system.slice/memory.max", "3000000\n");
        CHECK(usable_memory_bytes(machine.files) == 3'000'000);  // of the group above it
        machine.put(groups + "/system.slice/kq.service/memory.max", "1000000\n");
        CHECK(usable_memory_bytes(machine.files) == 1'000'000);
    }
    SECTION("v2, a container that sees its group as the top") {
        machine.put("/proc/self/cgroup", "0::/\n");
        machine.put(groups + "/memory.max", "2000000\n");
        CHECK(usable_memory_bytes(machine.files) == 2'000'000);
    }
    SECTION("v1, beside v2 without the memory controller") {
        machine.put("/proc/self/cgroup",
                    "9:name=systemd:/\n5:hugetlb,memory:/docker/1f2e\n1:cpu:/docker/1f2e\n0::/\n");
        machine.put(groups + "/memory/memory.limit_in_bytes", "9223372036854771712\n");
        CHECK(usable_memory_bytes(machine.files) == all);
        machine.put(groups + "/memory/docker/1f2e/memory.limit_in_bytes", "4000000\n");
        CHECK(usable_memory_bytes(machine.files) == 4'000'000);
    }
    SECTION("v1, a container that sees the group's path, but not the group") {
        machine.put("/proc/self/cgroup", "4:memory:/docker/1f2e\n");
        machine.put(groups + "/memory/memory.limit_in_bytes", "5000000\n");
        CHECK(usable_memory_bytes(machine.files) == 5'000'000);
    }
    SECTION("what is no such file limits nothing") {
        machine.put("/proc/self/cgroup", "0::\n::\nmemory\n4:memory:docker\n\n0::/a");
        machine.put(groups + "/a/memory.max", "many\n");
        CHECK(usable_memory_bytes(machine.files) == all);
    }
}

TEST_CASE("this machine's memory is asked for where the kernel tells it", "[base]") {
    PosixFileSystem files;
    CHECK(usable_memory_bytes(files) > 0);
    CHECK(usable_memory_bytes(files) <= physical_memory_bytes());
}

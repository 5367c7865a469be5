// SPDX-License-Identifier: Apache-2.0
#include "broker/descriptor_shares.hpp"

#include <catch2/catch.hpp>

using namespace kq;

namespace {

constexpr std::size_t many = 2'147'483'647;

}  // namespace

TEST_CASE("connections and partitions get about half of the descriptors each",
          "[broker][descriptors]") {
    const auto shares = descriptor_shares({1000, 200}, 0, many).value();
    CHECK(shares.connections == 300);
    CHECK(shares.partitions == 400);  // and 100 for what is open for a while
}

TEST_CASE("what connections may not take is the partitions'", "[broker][descriptors]") {
    const auto shares = descriptor_shares({1000, 200}, 0, 50).value();
    CHECK(shares.connections == 50);
    CHECK(shares.partitions == 650);
    CHECK(descriptor_shares({1000, 200}, 0, 0).value().connections == 0);
}

TEST_CASE("partitions that are there take from connections, to a point", "[broker][descriptors]") {
    const auto shares = descriptor_shares({1000, 200}, 600, many).value();
    CHECK(shares.connections == 100);
    CHECK(shares.partitions == 600);
    CHECK(descriptor_shares({1000, 200}, 684, many).value().connections == 16);
    const auto too_many = descriptor_shares({1000, 200}, 685, many);
    CHECK(too_many.code() == Errc::too_many_open_files);
    CHECK(too_many.error().message ==
          "685 partitions need at least 1018 open files, and 1000 are allowed (ulimit -n, "
          "LimitNOFILE)");
    CHECK(descriptor_shares({1018, 200}, 685, many).ok());
    CHECK(descriptor_shares({100, 200}, 0, many).code() == Errc::too_many_open_files);
    CHECK(descriptor_shares({1u << 20, 200}, 500'000, many).ok());
}

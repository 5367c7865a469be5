// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include <catch2/catch.hpp>

#include "base/ids.hpp"
#include "protocol/murmur2.hpp"
#include "protocol/varint.hpp"
#include "tests/wire/golden.hpp"

using namespace kq;

TEST_CASE("murmur2 and the partition of a key are Java's", "[protocol]") {
    for (const auto& row : test::read_rows("murmur2.tsv")) {
        auto key = test::from_hex(row.at(0));
        REQUIRE(murmur2(key) == std::stoi(row.at(1)));
        for (int partitions = 1; partitions <= 50; ++partitions) {
            auto column = static_cast<std::size_t>(partitions) + 2;
            REQUIRE(partition_for_key(key, partitions) == std::stoi(row.at(column)));
        }
    }
}

TEST_CASE("the coordinator partition of an id is Java's", "[protocol]") {
    constexpr int partitions[] = {1, 2, 3, 7, 16, 50, 100};
    for (const auto& row : test::read_rows("group-coordinator-partition.tsv")) {
        CAPTURE(row.at(0));
        REQUIRE(java_string_hash(row.at(0)) == std::stoi(row.at(1)));
        for (std::size_t i = 0; i < std::size(partitions); ++i) {
            REQUIRE(coordinator_partition(row.at(0), partitions[i]) == std::stoi(row.at(i + 2)));
        }
    }
    CHECK(java_string_hash("polygenelubricants") == std::numeric_limits<std::int32_t>::min());
    CHECK(coordinator_partition("polygenelubricants", 50) == 0);
    CHECK(coordinator_partition("grüße", 50) == 23);
    CHECK(java_string_hash("grüße") == 98768023);
    CHECK(coordinator_partition("my-group", 50) == 12);
    // Beyond the basic plane Java counts two halves of a surrogate pair.
    CHECK(java_string_hash("\xf0\x9f\x9a\x80") == 0xd83d * 31 + 0xde80);
}

TEST_CASE("ids have the text that Java gives them", "[protocol]") {
    for (const auto& row : test::read_rows("uuid.tsv")) {
        auto bytes = test::from_hex(row.at(0));
        Uuid id;
        REQUIRE(bytes.size() == id.bytes.size());
        std::ranges::copy(bytes, id.bytes.begin());
        CHECK(id.text() == row.at(1));
        CHECK(Uuid::parse(row.at(1)).value() == id);
    }
}

TEST_CASE("varints of both kinds are written and read as Java does", "[protocol]") {
    auto put = [](auto writer, auto value) {
        std::uint8_t place[10];
        return to_hex(ByteView(place, writer(place, value)));
    };
    for (const auto& row : test::read_rows("varint.tsv")) {
        auto value = std::stoll(row.at(0));
        CAPTURE(value);
        REQUIRE(put(put_varlong, std::int64_t{value}) == row.at(2));
        auto bytes = test::from_hex(row.at(2));
        VarintReader longs(bytes);
        REQUIRE(longs.varlong() == value);
        REQUIRE((longs.ok() && longs.left() == 0));
        REQUIRE(varlong_size(value) == bytes.size());
        if (row.at(1) != "-") {
            auto narrow = static_cast<std::int32_t>(value);
            REQUIRE(put(put_varint, narrow) == row.at(1));
            bytes = test::from_hex(row.at(1));
            VarintReader ints(bytes);
            REQUIRE(ints.varint() == narrow);
            REQUIRE(ints.ok());
        }
        if (row.at(3) != "-") {
            auto low = static_cast<std::uint32_t>(value);
            REQUIRE(put(put_unsigned_varint, std::uint64_t{low}) == row.at(3));
            bytes = test::from_hex(row.at(3));
            VarintReader unsigned_ints(bytes);
            REQUIRE(unsigned_ints.unsigned_varint() == low);
            REQUIRE(unsigned_ints.ok());
        }
    }
}

TEST_CASE("a varint that is too long, too large or cut is refused", "[protocol]") {
    auto read_32 = [](const char* hex) {
        auto bytes = test::from_hex(hex);
        VarintReader reader(bytes);
        reader.unsigned_varint();
        return reader.ok();
    };
    CHECK(read_32("ffffffff0f"));
    CHECK(!read_32("ffffffff1f"));    // more than 32 bits
    CHECK(!read_32("808080808000"));  // six bytes
    CHECK(!read_32("80"));
    CHECK(!read_32(""));
    auto read_64 = [](const char* hex) {
        auto bytes = test::from_hex(hex);
        VarintReader reader(bytes);
        reader.varlong();
        return reader.ok();
    };
    CHECK(read_64("ffffffffffffffffff01"));
    CHECK(!read_64("ffffffffffffffffff02"));
    CHECK(!read_64("8080808080808080808000"));
}

// SPDX-License-Identifier: Apache-2.0
#include "storage/file_names.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("segment files are named by twenty digits", "[storage][names]") {
    CHECK(segment_path("/d/t-0", Offset{42}, log_suffix) == "/d/t-0/00000000000000000042.log");
    CHECK(earlier_batches_path("/d/t-0", Offset{7}) == "/d/t-0/kq.00000000000000000007.producers");
    CHECK(offset_in_name("00000000000000000042.log", log_suffix) == Offset{42});
    CHECK(offset_in_name("09223372036854775807.log", log_suffix) == Offset{9223372036854775807});
    for (const char* other : {"0000000000000000042.log", "00000000000000000042.log.deleted",
                              "0000000000000000004x.log", "-0000000000000000042.log", ".log",
                              "99999999999999999999.log", "00000000000000000042.index"}) {
        CAPTURE(other);
        CHECK_FALSE(offset_in_name(other, log_suffix).has_value());
    }
    CHECK(offset_in_earlier_batches_name("kq.00000000000000000007.producers") == Offset{7});
    CHECK_FALSE(offset_in_earlier_batches_name("00000000000000000007.producers").has_value());
}

TEST_CASE("names of directories are Kafka's, and no others", "[storage][names]") {
    struct Row {
        const char* name;
        DirectoryKind kind;
        const char* topic;
        int partition;
    };
    for (const auto& row :
         {Row{"orders-0", DirectoryKind::partition, "orders", 0},
          Row{"a-b-12", DirectoryKind::partition, "a-b", 12},
          Row{"a--1", DirectoryKind::partition, "a-", 1},
          Row{"__cluster_metadata-0", DirectoryKind::partition, "__cluster_metadata", 0},
          Row{"orders-delete-3", DirectoryKind::partition, "orders-delete", 3},
          Row{"orders-3.0123456789abcdef0123456789abcdef-delete", DirectoryKind::deleted, "orders",
              3},
          Row{"a.b-3.0123456789abcdef0123456789ABCDEF-stray", DirectoryKind::stray, "a.b", 3},
          Row{"t-0.0123456789abcdef0123456789abcdef-future", DirectoryKind::future, "t", 0}}) {
        CAPTURE(row.name);
        auto parsed = parse_directory_name(row.name);
        REQUIRE(parsed.has_value());
        CHECK(parsed->kind == row.kind);
        CHECK(parsed->partition.topic == row.topic);
        CHECK(parsed->partition.partition == PartitionIndex{row.partition});
    }
    CHECK(parse_directory_name("remote-log-index-cache")->kind == DirectoryKind::remote_cache);
    for (const char* bad : {"", "orders", "orders-", "-0", "orders-x", "orders-00", "lost+found",
                            "orders-3.0123-delete", "orders-99999999999", "..-0",
                            "orders-0123456789abcdef0123456789abcdef-delete"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_directory_name(bad).has_value());
    }
}

TEST_CASE("a renamed directory stays a legal file name", "[storage][names]") {
    Uuid id{{0x01, 0x23}};
    auto name =
        renamed_directory_name({std::string(249, 'x'), PartitionIndex{12345}}, id, "delete");
    CHECK(name.size() == 255);
    auto parsed = parse_directory_name(name);
    REQUIRE(parsed.has_value());
    CHECK(parsed->kind == DirectoryKind::deleted);
    CHECK(renamed_directory_name({"t", PartitionIndex{0}}, id, "stray") ==
          "t-0.01230000000000000000000000000000-stray");
}

TEST_CASE("only legal topic names become paths", "[storage][names]") {
    CHECK(is_legal_topic_name("a.B_c-1"));
    CHECK(is_legal_topic_name(std::string(249, 'a')));
    for (const auto& bad : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                            std::string("a b"), std::string("\xc3\xa4"), std::string(250, 'a')}) {
        CHECK_FALSE(is_legal_topic_name(bad));
    }
}

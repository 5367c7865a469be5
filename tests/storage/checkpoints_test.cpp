// SPDX-License-Identifier: Apache-2.0
#include "storage/checkpoints.hpp"

#include <catch2/catch.hpp>

using namespace kq;

TEST_CASE("offset checkpoints are Kafka's text", "[storage][checkpoints]") {
    OffsetsByPartition offsets;
    offsets[{"orders", PartitionIndex{1}}] = Offset{42};
    offsets[{"name.with_all-Legal.characters", PartitionIndex{0}}] = Offset{1};
    auto text = format_offset_checkpoint(offsets);
    CHECK(text == "0\n2\nname.with_all-Legal.characters 0 1\norders 1 42\n");
    CHECK(parse_offset_checkpoint(text).value() == offsets);

    CHECK(parse_offset_checkpoint("").value().empty());
    CHECK(parse_offset_checkpoint("0\n0\n").value().empty());
    CHECK(parse_offset_checkpoint("0\r\n1\r\nt 0 5\r\n").value().size() == 1);
}

TEST_CASE("an offset checkpoint that is damaged or newer is refused", "[storage][checkpoints]") {
    for (const char* text :
         {"x\n", "0\n", "0\nx\n", "0\n2\nt 0 5\n", "0\n0\nt 0 5\n", "0\n1\nt 0\n", "0\n1\nt -1 5\n",
          "0\n1\nt 0 5 6\n", "0\n1\nt 0 5x\n", "0\n-1\n", "-1\n0\n", "0\n1\n\n\n"}) {
        CAPTURE(text);
        CHECK(parse_offset_checkpoint(text).code() == Errc::corrupt_file);
    }
    for (const char* text :
         {"1\n2\n", "1\n", "1\nt 0 5\n", "1\n1\nt 0 5 6\n", "2\n1\nid t 0 5\n"}) {
        CAPTURE(text);
        CHECK(parse_offset_checkpoint(text).code() == Errc::unsupported);
    }
    // Version 0 to the last line: a bit of the version turned.
    CHECK(parse_offset_checkpoint("1\n1\nt 0 5\n").code() == Errc::corrupt_file);
    CHECK(parse_offset_checkpoint("4\n0\n").code() == Errc::corrupt_file);
}

TEST_CASE("leader epochs ascend, or the file is not believed", "[storage][checkpoints]") {
    std::vector<EpochStart> epochs{{Epoch{0}, Offset{0}}, {Epoch{2}, Offset{43}}};
    auto text = format_epoch_checkpoint(epochs);
    CHECK(text == "0\n2\n0 0\n2 43\n");
    CHECK(parse_epoch_checkpoint(text).value() == epochs);
    CHECK(parse_epoch_checkpoint("").value().empty());
    for (const char* bad :
         {"0\n2\n0 0\n0 5\n", "0\n2\n1 5\n2 5\n", "0\n1\n-1 0\n", "0\n1\n1 -1\n"}) {
        CAPTURE(bad);
        CHECK(parse_epoch_checkpoint(bad).code() == Errc::corrupt_file);
    }
    CHECK(parse_epoch_checkpoint("1\n1\n0 0 9\n").code() == Errc::unsupported);
    CHECK(parse_epoch_checkpoint("1\n1\n0 0\n").code() == Errc::corrupt_file);
}

TEST_CASE("partition.metadata names the topic id", "[storage][checkpoints]") {
    CHECK(format_partition_metadata(metadata_topic_id) ==
          "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    CHECK(parse_partition_metadata("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ").value() ==
          metadata_topic_id);
    CHECK(parse_partition_metadata("").code() == Errc::corrupt_file);
    CHECK(parse_partition_metadata("version: 0\n").code() == Errc::corrupt_file);
    CHECK(parse_partition_metadata("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA").code() ==
          Errc::corrupt_file);
    CHECK(parse_partition_metadata("version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ").code() ==
          Errc::unsupported);
    CHECK_FALSE(parse_partition_metadata("version: 0\ntopic_id: AAAA").ok());
}

TEST_CASE("meta.properties as Kafka writes it is understood", "[storage][checkpoints]") {
    auto identity = parse_meta_properties(
        "#\n#Sat Nov 21 10:45:36 UTC 2026\nnode.id=1\ndirectory.id=wkfhZGV_U2XC7kwezdBQMA\n"
        "version=1\ncluster.id=a3EtcGVlci1jbHVzdGVyMQ\n");
    REQUIRE(identity.ok());
    CHECK(identity.value().node_id == BrokerId{1});
    CHECK(identity.value().cluster_id == "a3EtcGVlci1jbHVzdGVyMQ");
    CHECK(identity.value().directory_id.text() == "wkfhZGV_U2XC7kwezdBQMA");
    CHECK(parse_meta_properties(format_meta_properties(identity.value())).value() ==
          identity.value());

    CHECK(
        parse_meta_properties(" version : 1\r\ncluster.id=a\\=b\nnode.id 7\n").value().cluster_id ==
        "a=b");
    CHECK(
        parse_meta_properties("version=1\ncluster.id=a\nnode.id=7").value().directory_id.is_zero());
    CHECK(parse_meta_properties("version=0\nbroker.id=1\n").code() == Errc::unsupported);
    CHECK(parse_meta_properties("version=2\ncluster.id=a\nnode.id=7").code() == Errc::unsupported);
    CHECK(parse_meta_properties("version=1\nnode.id=7").code() == Errc::corrupt_file);
    CHECK(parse_meta_properties("version=1\ncluster.id=a\nnode.id=x").code() == Errc::corrupt_file);
    CHECK(parse_meta_properties("").code() == Errc::corrupt_file);
}

TEST_CASE("the clean-shutdown marker bears the broker epoch", "[storage][checkpoints]") {
    CHECK(format_clean_shutdown(BrokerEpoch{14}) == "{\"version\":0,\"brokerEpoch\":14}");
    CHECK(parse_clean_shutdown("{\"version\":0,\"brokerEpoch\":14}").value() == BrokerEpoch{14});
    CHECK(parse_clean_shutdown(" { \"brokerEpoch\" : 3 , \"version\" : 0 } ").value() ==
          BrokerEpoch{3});
    CHECK_FALSE(parse_clean_shutdown("").value().has_value());  // Kafka before 3.6
    CHECK_FALSE(parse_clean_shutdown("{\"version\":0,\"brokerEpoch\":-1}").value().has_value());
    CHECK(parse_clean_shutdown("{\"version\":1,\"brokerEpoch\":14}").code() == Errc::unsupported);
    for (const char* bad : {"{", "x", "{\"version\":0,\"brokerEpoch\":}", "{\"brokerEpoch\":14}"}) {
        CAPTURE(bad);
        CHECK(parse_clean_shutdown(bad).code() == Errc::corrupt_file);
    }
}

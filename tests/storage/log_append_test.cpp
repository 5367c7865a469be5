// SPDX-License-Identifier: Apache-2.0
#include "storage/checkpoints.hpp"
#include "tests/storage/support.hpp"

using namespace kq;
using namespace kq::test;

TEST_CASE("a leader gives offsets and its epoch, in place", "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    CHECK(log.log_end() == Offset{0});
    CHECK(log.latest_epoch() == no_epoch);

    auto first = append(log, BatchSpec{.records = 3}, Epoch{5});
    REQUIRE(first.ok());
    CHECK(first.value().first == Offset{0});
    CHECK(first.value().last == Offset{2});
    CHECK_FALSE(first.value().duplicate);
    CHECK(first.value().log_append_time == no_timestamp);
    CHECK(append(log, BatchSpec{.records = 2}, Epoch{6}).value().first == Offset{3});
    CHECK(log.log_end() == Offset{5});
    CHECK(log.latest_epoch() == Epoch{6});
    CHECK(log.epoch_entry(Epoch{6})->start == Offset{3});

    auto headers = all_batches(log);
    REQUIRE(headers.size() == 2);
    CHECK(headers[1].base_offset == Offset{3});
    CHECK(headers[1].leader_epoch == Epoch{6});
}

TEST_CASE("several batches go in one write; a refused one does not keep the others out",
          "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    std::vector<Bytes> bytes;
    bytes.push_back(make_batch(produced(1, 0, 2)));
    bytes.push_back(make_batch(produced(1, 2, 2)));
    bytes.push_back(make_batch(produced(1, 9, 2)));  // a gap
    bytes.push_back(make_batch(produced(1, 2, 2)));  // the second again, while it is on its way
    bytes.push_back(make_batch(produced(2, 7, 1)));
    std::vector<ValidatedBatch> checked;
    for (const auto& batch : bytes)
        checked.push_back(validated(batch));
    std::vector<LeaderBatch> batches;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        batches.push_back({bytes[i], &checked[i]});

    auto results = log.append_as_leader(batches, Epoch{0});
    REQUIRE(results.size() == 5);
    CHECK(results[0].value().first == Offset{0});
    CHECK(results[1].value().first == Offset{2});
    CHECK(results[2].code() == Errc::out_of_order_sequence_number);
    CHECK(results[3].value().duplicate);
    CHECK(results[3].value().first == Offset{2});
    CHECK(results[3].value().last == Offset{3});
    CHECK(results[4].value().first == Offset{4});
    CHECK(log.log_end() == Offset{5});
    CHECK(all_batches(log).size() == 3);
}

TEST_CASE("a repeated batch is answered with its first offsets and time", "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, BatchSpec{.records = 5}).ok());
    REQUIRE(append(log, produced(1, 0, 3)).ok());
    auto size = log.size_bytes();
    auto again = append(log, produced(1, 0, 3));
    CHECK(again.value().duplicate);
    CHECK(again.value().first == Offset{5});
    CHECK(again.value().last == Offset{7});
    CHECK(again.value().log_append_time == wall_time(1'700'000'000'002));
    CHECK(log.size_bytes() == size);
}

TEST_CASE("LogAppendTime is told to the producer", "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    BatchOptions options;
    options.timestamp_type = TimestampType::log_append_time;
    BatchBuilder builder(options);
    builder.append(wall_time(77), std::nullopt, std::nullopt);
    CHECK(append(log, builder.finish().value()).value().log_append_time == wall_time(77));
}

TEST_CASE("a batch larger than a segment is refused", "[storage][log]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 200;
    auto& log = disk.create();
    CHECK(append(log, BatchSpec{.value_bytes = 300}).code() == Errc::record_list_too_large);
    CHECK(append(log, BatchSpec{.value_bytes = 60}).ok());
}

// ---- As follower

TEST_CASE("a follower keeps offsets and epochs, and takes over the producers", "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    auto first = produced(1, 0, 2);
    first.base = Offset{10};
    first.leader_epoch = Epoch{3};
    auto second = produced(1, 2, 2);
    second.base = Offset{20};  // compaction left a gap
    second.leader_epoch = Epoch{4};
    Bytes batches = make_batch(first);
    auto more = make_batch(second);
    kq::append(batches, more);
    REQUIRE(log.append_as_follower(batches).ok());
    CHECK(log.log_end() == Offset{22});
    CHECK(log.latest_epoch() == Epoch{4});
    CHECK(log.epoch_of(Offset{11}) == Epoch{3});
    CHECK(log.epoch_of(Offset{20}) == Epoch{4});
    CHECK(append(log, produced(1, 0, 2), Epoch{5}).value().duplicate);
}

TEST_CASE("a follower appends nothing of what is not sound as a whole", "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    auto at = [](std::int64_t base, int epoch) {
        BatchSpec spec;
        spec.base = Offset{base};
        spec.leader_epoch = Epoch{epoch};
        return make_batch(spec);
    };
    REQUIRE(log.append_as_follower(at(0, 2)).ok());
    Bytes good = at(1, 2);

    Bytes cut = good;
    append(cut, ByteView(good).first(70));
    CHECK(log.append_as_follower(cut).code() == Errc::corrupt_message);
    Bytes flipped = good;
    flipped[70] ^= 1;
    CHECK(log.append_as_follower(flipped).code() == Errc::corrupt_message);
    Bytes twice = good;
    append(twice, ByteView(good));
    CHECK(log.append_as_follower(twice).code() == Errc::corrupt_message);
    CHECK(log.append_as_follower(at(0, 2)).code() == Errc::corrupt_message);  // below the end
    CHECK(log.append_as_follower(at(1, 1)).code() == Errc::corrupt_message);  // an older epoch
    CHECK(log.log_end() == Offset{1});
    CHECK(log.append_as_follower(good).ok());
    CHECK(log.append_as_follower({}).ok());
    CHECK(all_batches(log).size() == 2);
}

// ---- Transactions

TEST_CASE("transactions: last stable offset, markers, aborted list", "[storage][log]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, BatchSpec{}).ok());                        // 0
    REQUIRE(append(log, in_transaction(produced(1, 0, 2))).ok());  // 1-2
    REQUIRE(append(log, in_transaction(produced(2, 0, 2))).ok());  // 3-4
    CHECK(log.last_stable_offset(log.log_end()) == Offset{1});
    CHECK(log.last_stable_offset(Offset{0}) == Offset{0});
    REQUIRE(end_transaction(log, 1, false).ok());  // 5
    CHECK(log.last_stable_offset(Offset{6}) == Offset{3});
    REQUIRE(end_transaction(log, 2, true).ok());            // 6
    CHECK(log.last_stable_offset(Offset{6}) == Offset{3});  // the marker is not committed yet
    CHECK(log.last_stable_offset(Offset{7}) == Offset{7});
    log.advance_high_watermark(Offset{7});

    auto aborted = log.aborted_transactions(Offset{0}, Offset{7});
    REQUIRE(aborted.size() == 1);
    CHECK(aborted[0] == AbortedTransaction{ProducerId{1}, Offset{1}, Offset{5}, Offset{3}});
    CHECK(log.aborted_transactions(Offset{6}, Offset{7}).empty());
    CHECK(log.aborted_transactions(Offset{0}, Offset{1}).empty());
    CHECK(log.aborted_transactions(Offset{5}, Offset{6}).size() == 1);

    CHECK(end_transaction(log, 1, true, 0, 0).code() == Errc::transaction_coordinator_fenced);

    auto& again = disk.reopen();
    CHECK(again.aborted_transactions(Offset{0}, Offset{7}) == aborted);
    CHECK(again.last_stable_offset(Offset{7}) == Offset{7});
    // One entry of Kafka's 34 bytes.
    CHECK(to_hex(disk.content(disk.path(Offset{0}, transaction_index_suffix))) ==
          "0000"
          "0000000000000001"
          "0000000000000001"
          "0000000000000005"
          "0000000000000003");
}

TEST_CASE("aborted transactions that end in later segments are found, by first offset",
          "[storage][log]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 400;
    auto& log = disk.create();
    REQUIRE(append(log, in_transaction(produced(1, 0, 1))).ok());  // 0
    REQUIRE(append(log, in_transaction(produced(2, 0, 1))).ok());  // 1
    for (int i = 0; i < 10; ++i)
        REQUIRE(append(log, BatchSpec{.value_bytes = 60}).ok());
    REQUIRE(end_transaction(log, 2, false).ok());
    for (int i = 0; i < 10; ++i)
        REQUIRE(append(log, BatchSpec{.value_bytes = 60}).ok());
    REQUIRE(end_transaction(log, 1, false).ok());
    REQUIRE(log.segment_count() > 4);
    auto aborted = log.aborted_transactions(Offset{0}, Offset{5});
    REQUIRE(aborted.size() == 2);
    CHECK(aborted[0].producer == ProducerId{1});
    CHECK(aborted[1].producer == ProducerId{2});
    CHECK(disk.reopen().aborted_transactions(Offset{0}, Offset{5}) == aborted);
}

// ---- Full disks and failures

TEST_CASE("a full disk refuses the batch whole, and takes it when there is room",
          "[storage][log][faults]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, produced(1, 0, 1)).ok());
    auto size = log.size_bytes();
    disk.files.set_capacity(disk.files.used_bytes() + 500);
    auto big = produced(1, 1, 1);
    big.value_bytes = 2000;
    CHECK(append(log, big).code() == Errc::disk_full);
    CHECK(log.is_full());
    CHECK_FALSE(log.failed());
    CHECK(log.log_end() == Offset{1});
    CHECK(log.size_bytes() == size);
    CHECK(disk.files.info(disk.path(Offset{0}, log_suffix)).value().size == size);
    CHECK(log.producers().find(ProducerId{1})->batches().size() == 1);
    CHECK(append(log, big).code() == Errc::disk_full);

    disk.files.set_capacity(std::uint64_t{1} << 30);
    CHECK(append(log, big).value().first == Offset{1});
    CHECK_FALSE(log.is_full());
    CHECK(all_batches(log).size() == 2);
}

TEST_CASE("what follows a refused batch in the same call is refused too",
          "[storage][log][faults]") {
    LogOnDisk disk;
    disk.options.segment_bytes = 1000;
    auto& log = disk.create();
    std::vector<Bytes> bytes;
    std::vector<ValidatedBatch> checked;
    for (int i = 0; i < 6; ++i)
        bytes.push_back(make_batch(BatchSpec{.value_bytes = 600}));
    for (const auto& batch : bytes)
        checked.push_back(validated(batch));
    std::vector<LeaderBatch> batches;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        batches.push_back({bytes[i], &checked[i]});
    disk.files.set_capacity(disk.files.used_bytes() + 1500);
    auto results = log.append_as_leader(batches, Epoch{0});
    bool refused = false;
    Offset end{0};
    for (const auto& result : results) {
        if (!result.ok()) {
            refused = true;
            CHECK(result.code() == Errc::disk_full);
            continue;
        }
        CHECK_FALSE(refused);
        end = result.value().last + 1;
    }
    CHECK(refused);
    CHECK(log.log_end() == end);
    disk.files.set_capacity(std::uint64_t{1} << 30);
    CHECK(all_batches(log).size() == static_cast<std::size_t>(end.value));
}

TEST_CASE("a reserve keeps producers out before the disk is full", "[storage][log][faults]") {
    LogOnDisk disk;
    disk.options.disk_reserve_bytes = std::uint64_t{1} << 20;
    disk.files.set_capacity(std::uint64_t{40} << 20);
    auto& log = disk.create();
    BatchSpec big{.value_bytes = 1 << 20};
    int taken = 0;
    while (append(log, big).ok())
        ++taken;
    CHECK(taken > 16);
    CHECK(taken < 40);
    CHECK_FALSE(log.failed());
    CHECK(disk.files.free_space("/data").value().free_bytes > (std::uint64_t{1} << 20));
}

TEST_CASE("a write that fails otherwise ends the log until it is opened again",
          "[storage][log][faults]") {
    LogOnDisk disk;
    auto& log = disk.create();
    REQUIRE(append(log, BatchSpec{}).ok());
    disk.files.fail_writes(disk.path(Offset{0}, log_suffix));
    CHECK(append(log, BatchSpec{}).code() == Errc::kafka_storage_error);
    CHECK(log.failed());
    disk.files.clear_faults();
    CHECK(append(log, BatchSpec{}).code() == Errc::kafka_storage_error);
    CHECK(log.read(Offset{0}, 100, Offset{1}, true).code() == Errc::kafka_storage_error);
    CHECK(log.close_clean().code() == Errc::kafka_storage_error);
    CHECK(disk.open(LastStop::process_died).log_end() == Offset{1});
}

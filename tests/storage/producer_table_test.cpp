// SPDX-License-Identifier: Apache-2.0
#include "storage/producer_table.hpp"

#include <catch2/catch.hpp>

#include "storage/producer_snapshot.hpp"

using namespace kq;

namespace {

constexpr std::int32_t largest = 0x7fffffff;
const MonoTime now{std::chrono::hours{100}};
const ProducerId p{1000};

ProducerAppend batch(std::int32_t sequence, int records, std::int16_t epoch = 0,
                     std::int64_t first_offset = 0) {
    ProducerAppend append;
    append.producer = p;
    append.epoch = ProducerEpoch{epoch};
    append.base_sequence = Sequence{sequence};
    append.offset_delta = records - 1;
    append.first_offset = Offset{first_offset};
    append.last_offset = Offset{first_offset + records - 1};
    append.timestamp = wall_time(5);
    return append;
}

ProducerAppend in_transaction(ProducerAppend append) {
    append.transactional = true;
    return append;
}

// Seven batches of ten in epoch 3: sequences 0-9 … 60-69 at the offsets 100-109 … 160-169.
ProducerTable seven_batches() {
    ProducerTable table;
    for (int i = 0; i < 7; ++i)
        table.apply(batch(i * 10, 10, 3, 100 + i * 10), now);
    return table;
}

EndTransaction marker(bool commit, std::int64_t offset, std::int16_t epoch = 0,
                      std::int32_t coordinator_epoch = 1) {
    return {p, ProducerEpoch{epoch}, commit, coordinator_epoch, Offset{offset}, wall_time(6)};
}

}  // namespace

TEST_CASE("what a leader decides about a producer's batch, row by row", "[storage][producers]") {
    auto table = seven_batches();
    struct Row {
        const char* what;
        int sequence;
        int records;
        int epoch;
        Errc code;                  // none: appended, or a duplicate
        std::int64_t duplicate_of;  // first offset; -1: appended
    };
    for (const auto& row : {
             Row{"the next one", 70, 10, 3, Errc::none, -1},
             Row{"the last one again", 60, 10, 3, Errc::none, 160},
             Row{"the fifth last again", 20, 10, 3, Errc::none, 120},
             Row{"the sixth last again", 10, 10, 3, Errc::out_of_order_sequence_number, -1},
             Row{"a part of the last one", 60, 5, 3, Errc::out_of_order_sequence_number, -1},
             Row{"the last one and more", 60, 11, 3, Errc::out_of_order_sequence_number, -1},
             Row{"a gap", 71, 1, 3, Errc::out_of_order_sequence_number, -1},
             Row{"an older epoch", 70, 10, 2, Errc::invalid_producer_epoch, -1},
             Row{"an older epoch, known sequences", 60, 10, 2, Errc::invalid_producer_epoch, -1},
             Row{"a new epoch from 0", 0, 10, 4, Errc::none, -1},
             Row{"a new epoch, not from 0", 70, 10, 4, Errc::out_of_order_sequence_number, -1},
         }) {
        CAPTURE(row.what);
        auto result =
            table.check(batch(row.sequence, row.records, static_cast<std::int16_t>(row.epoch)));
        CHECK(result.code() == row.code);
        if (!result.ok()) continue;
        CHECK(result.value().has_value() == (row.duplicate_of >= 0));
        if (result.value()) CHECK(result.value()->first_offset() == Offset{row.duplicate_of});
    }
}

TEST_CASE("a producer without state may begin anywhere, unless it runs transactions v2",
          "[storage][producers]") {
    ProducerTable table;
    CHECK(table.check(batch(17, 3)).ok());
    CHECK(table.check(batch(17, 3), true).code() == Errc::out_of_order_sequence_number);
    CHECK(table.check(batch(0, 3), true).ok());
}

TEST_CASE("a new epoch forgets the batches of the old one", "[storage][producers]") {
    auto table = seven_batches();
    table.apply(batch(0, 10, 4, 170), now);
    CHECK(table.find(p)->batches().size() == 1);
    CHECK(table.check(batch(0, 10, 4)).value()->first_offset() == Offset{170});
    CHECK(table.check(batch(60, 10, 3)).code() == Errc::invalid_producer_epoch);
}

TEST_CASE("sequences wrap from 2147483647 to 0", "[storage][producers]") {
    ProducerTable table;
    table.apply(batch(largest - 4, 3, 0, 0), now);
    CHECK(table.find(p)->last_sequence() == Sequence{largest - 2});
    auto across = batch(largest - 1, 4, 0, 3);  // largest-1, largest, 0, 1
    CHECK(across.last_sequence() == Sequence{1});
    CHECK_FALSE(table.check(across).value().has_value());
    table.apply(across, now);
    CHECK(table.find(p)->batches().back().first_sequence() == Sequence{largest - 1});
    CHECK(table.check(across).value()->first_offset() == Offset{3});
    CHECK_FALSE(table.check(batch(2, 1)).value().has_value());
    CHECK(table.check(batch(0, 1)).code() == Errc::out_of_order_sequence_number);

    ProducerTable exact;
    exact.apply(batch(largest, 1, 0, 0), now);
    CHECK(exact.check(batch(0, 1)).ok());
    CHECK(exact.check(batch(1, 1)).code() == Errc::out_of_order_sequence_number);
}

TEST_CASE("transactions hold back the last stable offset until their marker is committed",
          "[storage][producers]") {
    ProducerTable table;
    CHECK_FALSE(table.first_unstable(Offset{0}).has_value());
    table.apply(in_transaction(batch(0, 10, 0, 100)), now);
    table.apply(in_transaction(batch(10, 10, 0, 110)), now);
    CHECK(table.first_unstable(Offset{120}) == Offset{100});
    CHECK(table.check(batch(20, 1)).code() == Errc::invalid_txn_state);
    CHECK(table.check(in_transaction(batch(20, 1))).ok());

    auto completed = table.apply(marker(false, 120), now);
    REQUIRE(completed.has_value());
    CHECK(completed->first == Offset{100});
    CHECK(completed->last == Offset{120});
    CHECK(completed->aborted);
    CHECK(table.last_stable_after(*completed) == Offset{121});
    CHECK(table.first_unstable(Offset{120}) == Offset{100});  // the marker may yet be lost
    CHECK_FALSE(table.first_unstable(Offset{121}).has_value());
    table.advance_high_watermark(Offset{121});
    CHECK_FALSE(table.first_unstable(Offset{0}).has_value());
    CHECK(table.check(batch(20, 1)).ok());
}

TEST_CASE("two transactions: the older one decides", "[storage][producers]") {
    ProducerTable table;
    auto other = in_transaction(batch(0, 1, 0, 5));
    other.producer = ProducerId{2000};
    table.apply(other, now);
    table.apply(in_transaction(batch(0, 1, 0, 6)), now);
    auto completed = table.apply(marker(true, 7), now);
    CHECK_FALSE(completed->aborted);
    CHECK(table.last_stable_after(*completed) == Offset{5});
    CHECK(table.first_unstable(Offset{8}) == Offset{5});
}

TEST_CASE("a marker without data leaves its epochs, and nothing else", "[storage][producers]") {
    ProducerTable table;
    CHECK_FALSE(table.apply(marker(true, 50, 3, 9), now).has_value());
    CHECK(table.find(p)->epoch == ProducerEpoch{3});
    CHECK_FALSE(table.first_unstable(Offset{100}).has_value());
    CHECK(table.check(marker(true, 51, 2, 9)).code() == Errc::invalid_producer_epoch);
    CHECK(table.check(marker(true, 51, 3, 8)).code() == Errc::transaction_coordinator_fenced);
    CHECK(table.check(marker(true, 51, 3, 9)).ok());
    // The epoch is known by the marker alone: its first sequence is 0.
    CHECK(table.check(batch(0, 1, 3)).ok());
    CHECK(table.check(batch(5, 1, 3)).code() == Errc::out_of_order_sequence_number);
}

TEST_CASE("silent producers are forgotten by our own clock, open transactions never",
          "[storage][producers]") {
    ProducerTable table;
    table.apply(batch(0, 1), now);
    auto open = in_transaction(batch(0, 1, 0, 5));
    open.producer = ProducerId{2000};
    table.apply(open, now);
    CHECK(table.expire(now + Millis{999}, Millis{1000}) == 0);
    CHECK(table.expire(now + Millis{1000}, Millis{1000}) == 1);
    CHECK(table.find(p) == nullptr);
    CHECK(table.find(ProducerId{2000}) != nullptr);
}

TEST_CASE("the table is bounded", "[storage][producers]") {
    ProducerTable table(2);
    for (int id = 1; id <= 2; ++id) {
        auto append = batch(0, 1);
        append.producer = ProducerId{id};
        table.apply(append, now);
    }
    CHECK(table.check(batch(0, 1)).code() == Errc::policy_violation);
}

TEST_CASE("tables share a bound, and give back what they forget", "[storage][producers]") {
    auto room = std::make_shared<SharedLimit>(3);
    const auto of = [](int id) {
        auto append = batch(0, 1);
        append.producer = ProducerId{id};
        return append;
    };
    ProducerTable one(100, room);
    {
        ProducerTable other(100, room);
        one.apply(of(1), now);
        one.apply(of(1), now);  // known already
        other.apply(of(1), now);
        CHECK(room->used() == 2);
        CHECK(one.check(of(2)).ok());
        other.apply(of(2), now);
        CHECK(room->used() == 3);
        CHECK(one.check(of(3)).code() == Errc::policy_violation);
        CHECK(other.check(of(1)).ok());  // who is known goes on
        CHECK(other.expire(now + Millis{1000}, Millis{1000}) == 2);
        CHECK(room->used() == 1);
        CHECK(one.check(of(3)).ok());
        other.apply(of(4), now);
        other.restore(ProducerId{4}, std::nullopt);
        CHECK(room->used() == 1);
        other.apply(of(5), now);
        other.clear();
        CHECK(room->used() == 1);
        other.apply(of(6), now);
    }
    CHECK(room->used() == 1);  // the other is gone
    auto moved = std::move(one);
    CHECK(room->used() == 1);
}

TEST_CASE("an undone append leaves no trace", "[storage][producers]") {
    ProducerTable table;
    table.apply(in_transaction(batch(0, 1, 0, 5)), now);
    auto before = *table.find(p);
    table.apply(marker(false, 6), now);
    table.restore(p, before);
    CHECK(table.first_unstable(Offset{100}) == Offset{5});
    CHECK(table.find(p)->transaction_start == Offset{5});
    table.restore(p, std::nullopt);
    CHECK(table.find(p) == nullptr);
    CHECK_FALSE(table.first_unstable(Offset{100}).has_value());
}

TEST_CASE("a snapshot holds Kafka's bytes, and the last batch", "[storage][producers]") {
    CHECK(to_hex(encode_snapshot(ProducerTable{})).size() == 20);
    auto table = seven_batches();
    auto file = encode_snapshot(table);
    REQUIRE(file.size() == 56);
    // Version, (crc,) count, id 1000, epoch 3, sequence 69, offset 169, delta 9, timestamp 5,
    // coordinator epoch -1, no transaction.
    auto hex = to_hex(file);
    CHECK(hex.substr(0, 4) == "0001");
    CHECK(hex.substr(12) ==
          "00000001"
          "00000000000003e8"
          "0003"
          "00000045"
          "00000000000000a9"
          "00000009"
          "0000000000000005"
          "ffffffff"
          "ffffffffffffffff");

    ProducerTable loaded;
    REQUIRE(decode_snapshot(file, now, loaded).ok());
    CHECK(loaded.find(p)->batches().size() == 1);
    CHECK(loaded.check(batch(60, 10, 3)).value()->first_offset() == Offset{160});
    CHECK(loaded.check(batch(50, 10, 3)).code() == Errc::out_of_order_sequence_number);
}

TEST_CASE("our file beside it brings the four batches before", "[storage][producers]") {
    auto table = seven_batches();
    auto later = now + Millis{500};
    auto snapshot = encode_snapshot(table);
    auto earlier = encode_earlier_batches(table, snapshot, later);

    ProducerTable loaded;
    REQUIRE(decode_snapshot(snapshot, now, loaded).ok());
    REQUIRE(decode_earlier_batches(earlier, snapshot, now, loaded).ok());
    CHECK(loaded.find(p)->batches().size() == 5);
    CHECK(loaded.check(batch(20, 10, 3)).value()->first_offset() == Offset{120});
    CHECK(loaded.check(batch(10, 10, 3)).code() == Errc::out_of_order_sequence_number);
    // Silence goes on where it was.
    CHECK(loaded.expire(now + Millis{499}, Millis{1000}) == 0);
    CHECK(loaded.expire(now + Millis{500}, Millis{1000}) == 1);

    // Beside another snapshot it says nothing.
    ProducerTable other;
    other.apply(batch(0, 1, 4, 500), now);
    CHECK(decode_earlier_batches(earlier, encode_snapshot(other), now, other).code() ==
          Errc::corrupt_file);
    CHECK(other.find(p)->batches().size() == 1);
}

TEST_CASE("open transactions and markers survive a snapshot", "[storage][producers]") {
    ProducerTable table;
    table.apply(in_transaction(batch(0, 1, 0, 5)), now);
    ProducerTable only_marker;
    only_marker.apply(marker(true, 50, 3, 9), now);
    ProducerTable loaded;
    REQUIRE(decode_snapshot(encode_snapshot(table), now, loaded).ok());
    CHECK(loaded.first_unstable(Offset{100}) == Offset{5});
    loaded.clear();
    REQUIRE(decode_snapshot(encode_snapshot(only_marker), now, loaded).ok());
    CHECK_FALSE(loaded.find(p)->has_batches());
    CHECK(loaded.find(p)->coordinator_epoch == 9);
}

TEST_CASE("every cut and every flipped bit of a snapshot is noticed", "[storage][producers]") {
    auto table = seven_batches();
    auto snapshot = encode_snapshot(table);
    auto earlier = encode_earlier_batches(table, snapshot, now);
    ProducerTable loaded;
    for (std::size_t n = 0; n < snapshot.size(); ++n) {
        CHECK_FALSE(decode_snapshot(ByteView(snapshot).first(n), now, loaded).ok());
    }
    for (std::size_t n = 0; n < earlier.size(); ++n) {
        CHECK_FALSE(decode_earlier_batches(ByteView(earlier).first(n), snapshot, now, loaded).ok());
    }
    for (std::size_t bit = 0; bit < snapshot.size() * 8; ++bit) {
        auto bad = snapshot;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
        CHECK_FALSE(decode_snapshot(bad, now, loaded).ok());
        CHECK(loaded.size() == 0);
    }
    for (std::size_t bit = 0; bit < earlier.size() * 8; ++bit) {
        auto bad = earlier;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
        CHECK_FALSE(decode_earlier_batches(bad, snapshot, now, loaded).ok());
    }
    // Of version 2 and in our very shape: damage. Of version 2 and another shape: newer.
    snapshot[1] = 2;
    CHECK(decode_snapshot(snapshot, now, loaded).code() == Errc::corrupt_file);
    snapshot.push_back(0);
    CHECK(decode_snapshot(snapshot, now, loaded).code() == Errc::unsupported);
}

// SPDX-License-Identifier: Apache-2.0
//
// The two files a producer table is kept in: Kafka's <offset>.snapshot, which holds the last batch
// of each producer, and kq.<offset>.producers beside it, which holds the four before.
//
// shape    .snapshot: int16 version 1, uint32 crc32c of all behind it, int32 count, 46 bytes a
//          producer. kq file: an envelope (storage/kq_file.hpp) of kind "prod" around the crc in
//          the snapshot that it belongs to, a count, and per producer: id, epoch, ms of silence,
//          number of earlier batches and those batches
// errors   corrupt_file: the file is to be ignored; unsupported: a newer version
// source   docs/formats.md, "Producer snapshots"
#pragma once

#include "base/bytes.hpp"
#include "storage/producer_table.hpp"

namespace kq {

Bytes encode_snapshot(const ProducerTable& table);
// Fills `table`; every producer counts as seen at `now`.
Status decode_snapshot(ByteView file, MonoTime now, ProducerTable& table);

// `snapshot` is what encode_snapshot() gave.
Bytes encode_earlier_batches(const ProducerTable& table, ByteView snapshot, MonoTime now);
// Adds to what decode_snapshot() made of `snapshot`. corrupt_file too where the file belongs to
// another snapshot of the same offset.
Status decode_earlier_batches(ByteView file, ByteView snapshot, MonoTime now, ProducerTable& table);

}  // namespace kq

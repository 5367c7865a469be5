// SPDX-License-Identifier: Apache-2.0
#include "storage/producer_replay.hpp"

#include "storage/batch_walk.hpp"

namespace kq {

namespace {

constexpr std::size_t marker_value_bytes = 6;  // int16 version, int32 coordinator epoch
constexpr std::size_t control_batch_max = 1 << 20;

bool concerns_producers(const BatchHeader& header) {
    return header.has_producer() && (!header.is_control() || header.is_transactional());
}

}  // namespace

ProducerAppend producer_append_of(const BatchHeader& header) {
    ProducerAppend append;
    append.producer = header.producer_id;
    append.epoch = header.producer_epoch;
    append.base_sequence = header.base_sequence;
    append.first_offset = header.base_offset;
    append.last_offset = header.last_offset();
    append.offset_delta = header.last_offset_delta;
    append.timestamp = header.max_timestamp;
    append.transactional = header.is_transactional();
    return append;
}

Result<std::optional<EndTransaction>> parse_marker(const BatchHeader& header, ByteView batch) {
    if (!header.is_control() || !header.is_transactional() || header.record_count == 0) {
        return std::optional<EndTransaction>{};
    }
    if (header.is_compressed() || batch.size() != header.size_bytes) {
        return Error{Errc::corrupt_file, "a control batch that is cut or compressed"};
    }
    RecordReader reader(header, batch.subspan(batch_header_bytes));
    RecordView record;
    KQ_LET(bool found, reader.next(record));
    if (!found) return Error{Errc::corrupt_file, "a control batch without a record"};
    KQ_LET(auto type, control_type(record));
    if (type != ControlType::abort && type != ControlType::commit) {
        return std::optional<EndTransaction>{};
    }
    if (!record.value || record.value->size() < marker_value_bytes) {
        return Error{Errc::corrupt_file, "a transaction marker without its value"};
    }
    EndTransaction marker;
    marker.producer = header.producer_id;
    marker.epoch = header.producer_epoch;
    marker.commit = type == ControlType::commit;
    marker.coordinator_epoch = load_be<std::int32_t>(record.value->data() + 2);
    marker.marker = record.offset;
    marker.timestamp = record.timestamp;
    return std::optional<EndTransaction>{marker};
}

Result<std::optional<AbortedTransaction>> replay(ProducerTable& table, const BatchHeader& header,
                                                 ByteView batch, MonoTime now) {
    std::optional<AbortedTransaction> aborted;
    if (!concerns_producers(header)) return aborted;
    if (!header.is_control()) {
        table.apply(producer_append_of(header), now);
        return aborted;
    }
    KQ_LET(auto marker, parse_marker(header, batch));
    if (!marker) return aborted;
    auto completed = table.apply(*marker, now);
    if (completed && completed->aborted) {
        aborted = AbortedTransaction{completed->producer, completed->first, completed->last,
                                     table.last_stable_after(*completed)};
    }
    return aborted;
}

Result<std::optional<AbortedTransaction>> replay(ProducerTable& table, const BatchHeader& header,
                                                 const File& file, std::uint64_t position,
                                                 MonoTime now) {
    if (!header.is_control() || !concerns_producers(header)) {
        return replay(table, header, ByteView{}, now);
    }
    if (header.size_bytes > control_batch_max) {
        return Error{Errc::corrupt_file,
                     "a control batch of " + std::to_string(header.size_bytes) + " bytes"};
    }
    KQ_LET(auto batch, read_batch(file, position, header));
    return replay(table, header, batch, now);
}

}  // namespace kq

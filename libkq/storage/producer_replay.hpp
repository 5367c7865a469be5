// SPDX-License-Identifier: Apache-2.0
//
// What a batch that stands in the log does to the producer table: the same whether it was just
// appended, came from a leader, or is read again at start.
#pragma once

#include <optional>

#include "base/file_system.hpp"
#include "protocol/record_batch.hpp"
#include "storage/index_entries.hpp"
#include "storage/producer_table.hpp"

namespace kq {

ProducerAppend producer_append_of(const BatchHeader& header);

// The transaction marker in a control batch; nothing where it holds another control record.
Result<std::optional<EndTransaction>> parse_marker(const BatchHeader& header, ByteView batch);

// Remembers the batch. Gives the entry for the transaction index if it ends an aborted transaction.
// `batch` is looked at for control batches only.
Result<std::optional<AbortedTransaction>> replay(ProducerTable& table, const BatchHeader& header,
                                                 ByteView batch, MonoTime now);

// The same for a batch in a file, which is read if it is a control batch.
Result<std::optional<AbortedTransaction>> replay(ProducerTable& table, const BatchHeader& header,
                                                 const File& file, std::uint64_t position,
                                                 MonoTime now);

}  // namespace kq

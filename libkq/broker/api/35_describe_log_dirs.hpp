// SPDX-License-Identifier: Apache-2.0
//
// The handler of DescribeLogDirs: the log directories of this broker and what lies in them.
#pragma once

#include "base/io_pool.hpp"
#include "broker/log_directories.hpp"
#include "broker/partition_router.hpp"
#include "broker/reply.hpp"
#include "broker/request_context.hpp"
#include "protocol/messages/35_describe_log_dirs.hpp"

namespace kq {

void handle_describe_log_dirs(RequestContext& context, wire::DescribeLogDirsRequest request,
                              const PartitionRouter& router, const LogDirectories& directories,
                              IoPool& pool, Reply<wire::DescribeLogDirsResponse> reply);

}  // namespace kq

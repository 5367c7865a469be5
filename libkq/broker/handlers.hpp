// SPDX-License-Identifier: Apache-2.0
//
// The broker's table of APIs: which handler answers what, and what it works with. What is not in it
// is neither served nor announced.
#pragma once

#include <memory>
#include <string>

#include "broker/data_plane.hpp"
#include "broker/dispatch.hpp"

namespace kq {

// What the handlers of one data loop work with. All of it outlives the dispatcher.
struct HandlerNeeds {
    BrokerId broker;
    std::string cluster_id;
    std::shared_ptr<const ConfigSet> config;
    DataLoop& data;
    const PartitionRouter& router;
    const LogDirectories& directories;
    IoPool& pool;
    MetadataNode& metadata;  // on the control loop
    Loop& control;
};

void serve_all(Dispatcher& dispatcher, HandlerNeeds needs);

}  // namespace kq

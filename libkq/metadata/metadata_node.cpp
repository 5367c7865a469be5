// SPDX-License-Identifier: Apache-2.0
#include "metadata/metadata_node.hpp"

#include "metadata/metadata_core.hpp"

namespace kq {

MetadataNode::MetadataNode(MetadataSeams seams, MetadataNodeOptions options,
                           ImageListener& listener)
    : core_(std::make_unique<Core>(seams, std::move(options), listener)) {}

MetadataNode::~MetadataNode() = default;

void MetadataNode::start(Callback<void(Status)> on_ready) {
    core_->start(std::move(on_ready));
}

void MetadataNode::stop(Callback<void(Status)> on_stopped) {
    core_->stop(std::move(on_stopped));
}

MetadataImage MetadataNode::image() const {
    return core_->image();
}

bool MetadataNode::is_controller() const {
    return core_->is_controller();
}

BrokerId MetadataNode::leader_id() const {
    return core_->leader_id();
}

Epoch MetadataNode::leader_epoch() const {
    return core_->leader_epoch();
}

BrokerEpoch MetadataNode::broker_epoch() const {
    return core_->broker_epoch();
}

const std::string& MetadataNode::cluster_id() const {
    return core_->cluster_id();
}

void MetadataNode::applied(Offset offset) {
    core_->applied(offset);
}

void MetadataNode::register_broker(BrokerStart start, Callback<void(Result<BrokerEpoch>)> reply) {
    core_->register_broker(std::move(start), std::move(reply));
}

void MetadataNode::unfence(Callback<void(Status)> reply) {
    core_->unfence(std::move(reply));
}

void MetadataNode::drain(Callback<void(Status)> reply) {
    core_->drain(std::move(reply));
}

void MetadataNode::create_topics(wire::CreateTopicsRequest request, AdminCall call,
                                 Callback<void(wire::CreateTopicsResponse)> reply) {
    core_->create_topics(std::move(request), std::move(call), std::move(reply));
}

void MetadataNode::delete_topics(wire::DeleteTopicsRequest request, AdminCall call,
                                 Callback<void(wire::DeleteTopicsResponse)> reply) {
    core_->delete_topics(std::move(request), std::move(call), std::move(reply));
}

void MetadataNode::auto_create_topics(const std::set<std::string>& names) {
    core_->auto_create_topics(names);
}

void MetadataNode::allocate_producer_ids(Callback<void(Result<ProducerIdBlock>)> reply) {
    core_->allocate_producer_ids(std::move(reply));
}

void MetadataNode::take_snapshot(Callback<void(Status)> on_done) {
    core_->take_snapshot(std::move(on_done));
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// ClientOptions, ProducerOptions, ConsumerOptions: Kafka's client properties, checked.
//
// shape    from_properties() takes Kafka's names and values in their units (CLI units too: 5s,
//          1MiB); the fields' defaults are Kafka's
// errors   usage  an unknown key (the nearest one is named), a value outside its range, two values
//          that contradict each other, or one that fate_of_property() refuses
// source   Kafka 4.3 configuration: "Producer Configs", "Consumer Configs", "Admin Configs"
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_def.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/network.hpp"
#include "protocol/compression.hpp"

namespace kq {

class ExchangeObserver;

using Properties = std::map<std::string, std::string>;

// What becomes of a property that Kafka's clients have. kq's act on some. Of the others those are
// refused that would change what the user gets; the rest only tunes what kq does in its own way.
struct PropertyFate {
    enum class Kind : std::uint8_t { counts, has_no_effect, refused };
    Kind kind = Kind::counts;
    std::string_view why = {};  // it is refused
};
// Requires: one of Kafka's clients has `key`. A value that says what kq does anyway counts.
PropertyFate fate_of_property(ConfigScope scope, std::string_view key, std::string_view value);

// Dial `to` where a broker advertises (or the bootstrap list says) `from`.
struct AddressOverride {
    Endpoint from;
    Endpoint to;
    // HOST:PORT=ADDR:PORT, as --resolve takes it.
    static Result<AddressOverride> parse(std::string_view text);
};

// What every client has: admin.* and the common part of producer and consumer properties.
struct ClientOptions {
    std::vector<Endpoint> bootstrap;              // bootstrap.servers
    std::vector<AddressOverride> resolve;         // not a property: --resolve
    std::string client_id = "kq";                 // client.id
    Millis request_timeout{30'000};               // request.timeout.ms
    Millis api_timeout{60'000};                   // default.api.timeout.ms
    Millis retry_backoff{100};                    // retry.backoff.ms
    Millis retry_backoff_max{1'000};              // retry.backoff.max.ms
    Millis reconnect_backoff{50};                 // reconnect.backoff.ms
    Millis reconnect_backoff_max{1'000};          // reconnect.backoff.max.ms
    Millis connection_setup_timeout{10'000};      // socket.connection.setup.timeout.ms
    Millis metadata_max_age{300'000};             // metadata.max.age.ms
    Millis connections_max_idle{540'000};         // connections.max.idle.ms
    std::uint32_t answer_bytes_max = 128u << 20;  // a longer answer closes the connection
    // Give up when no address of the bootstrap list answered once, instead of trying on until the
    // deadline: what a person at a prompt wants. Not a property.
    bool fail_fast = false;
    // With fail_fast, while nobody answered yet and every address is this machine's: how long a
    // broker may need that was started in the line before. Not a property.
    Millis startup_grace{0};
    ExchangeObserver* observer = nullptr;  // sees every request and answer. Not a property

    // Reads admin properties. Here and below: keys that mean something to another kind of client
    // only are passed over, so that one set of properties serves a program that is several.
    static Result<ClientOptions> from_properties(const Properties& properties);
};

enum class Acks : std::int16_t { all = -1, none = 0, leader = 1 };
struct ProducerOptions {
    ClientOptions client;
    Acks acks = Acks::all;                        // acks
    bool idempotent = true;                       // enable.idempotence
    std::uint32_t batch_bytes = 16'384;           // batch.size
    Millis linger{5};                             // linger.ms
    std::uint64_t buffer_bytes = 32u << 20;       // buffer.memory
    Millis block_max{60'000};                     // max.block.ms
    std::uint32_t request_bytes_max = 1'048'576;  // max.request.size
    std::int32_t in_flight_max = 5;               // max.in.flight.requests.per.connection
    std::int32_t retries = 2'147'483'647;         // retries
    Millis delivery_timeout{120'000};             // delivery.timeout.ms
    Compression compression = Compression::none;  // compression.type
    std::optional<int> compression_level;         // compression.{gzip,lz4,zstd}.level
    bool ignore_keys = false;                     // partitioner.ignore.keys
    bool auto_create_topics = true;               // allow.auto.create.topics; not Kafka's here
    // What idempotence needs and did not get, so that it gave way: "acks=all". Not a property.
    std::string_view idempotence_lacks = {};

    static Result<ProducerOptions> from_properties(const Properties& properties);
};

enum class Isolation : std::int8_t { read_uncommitted = 0, read_committed = 1 };
// What to do when a position is no longer (or not yet) in the log.
enum class OnOutOfRange { earliest, latest, fail };

struct ConsumerOptions {
    ClientOptions client;
    Isolation isolation = Isolation::read_uncommitted;  // isolation.level
    OnOutOfRange on_out_of_range = OnOutOfRange::fail;  // auto.offset.reset
    std::uint32_t fetch_bytes_min = 1;                  // fetch.min.bytes
    std::uint32_t fetch_bytes_max = 52'428'800;         // fetch.max.bytes
    Millis fetch_wait_max{500};                         // fetch.max.wait.ms
    std::uint32_t partition_bytes_max = 1'048'576;      // max.partition.fetch.bytes
    bool check_crcs = true;                             // check.crcs
    bool auto_create_topics = true;                     // allow.auto.create.topics
    std::string rack;                                   // client.rack
    // A compressed batch that unpacks to more is bad_data. Not a property.
    std::uint32_t unpacked_batch_bytes_max = 64u << 20;

    static Result<ConsumerOptions> from_properties(const Properties& properties);
};

}  // namespace kq

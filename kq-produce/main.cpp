// SPDX-License-Identifier: Apache-2.0
//
// kq-produce: sends what it reads to a topic. See kq-produce(1).
#include "base/posix_file_system.hpp"
#include "base/posix_process.hpp"
#include "production.hpp"

namespace kq {
namespace {

Command table(CommonOptions& common, ProduceOptions& options) {
    Command command{"kq-produce", "send lines, files and records to a topic", "kq-produce(1)"};
    Verb& bare = command.bare;
    bare.operands = {{"TOPIC", "where the records go", into(options.topic)},
                     {"FILE", "what is read; - or none is standard input", into(options.files), 0,
                      Operand::any_number}};
    bare.options = framing_options(options.framing, true);
    const std::vector<Option> own = {
        {"-k,--key", "KEY", "the key of every record", into(options.key)},
        {"-p,--partition", "N", "send to this partition",
         into(options.partition, 0, std::numeric_limits<std::int32_t>::max()),
         "by key, else spread"},
        {"-H,--header", "NAME=VALUE", "a header of every record", into(options.headers)},
        {"--at", "WHEN", "the timestamp of every record", into(options.at), "now"},
        {"--keep", "WHAT,...", "keep partition, timestamp, topic of the records read",
         into_list(options.keep)},
        {"-z,--compress", "CODEC", "none, gzip, snappy, lz4 or zstd", into(options.compress),
         "none"},
        {"--rate", "RATE", "no faster than 1000/s or 10MiB/s", into(options.rate)},
        {"--skip-bad", "", "pass over records that do not parse", into(options.skip_bad)},
        {"--report", "", "print topic, partition, offset and error of each record as tsv",
         into(options.report)}};
    bare.options.insert(bare.options.end(), own.begin(), own.end());
    bare.schema = {
        "kq.produce.report/1",
        {{"topic", ColumnKind::text, "where the record went"},
         {"partition", ColumnKind::count, "its partition"},
         {"offset", ColumnKind::count, "its offset"},
         {"error", ColumnKind::text, "code of the error that kept it from being written"}}};
    command.options = common_options(
        common, {.changes_things = true,
                 .formats = "text (lines), jsonl, frame, raw, or a template with %k and %v",
                 .timeout_sentence = "give up on everything after that long",
                 .default_timeout = "none"});
    command.examples = {
        {"seq 1 1000 | kq-produce orders", "one record for each line"},
        {"printf 'k1\\tv1\\nk2\\tv2\\n' | kq-produce orders -K '\\t' -H source=import",
         "with keys and a header"},
        {"find . -type f -print0 | kq-produce files -0 -z zstd", "names that hold anything"},
        {"kq-consume orders -f jsonl | kq-produce copy -f jsonl --keep timestamp",
         "copy a topic, headers and all"}};
    return command;
}

int run(Process& process) {
    CommonOptions common;
    ProduceOptions options;
    Command command = table(common, options);
    const Parsed parsed = parse(command, process);
    if (parsed.verb == nullptr) return parsed.exit;

    Console console(process, command.name);
    PosixFileSystem files;
    auto settings = settle(common, ConfigScope::producer, console, files);
    if (!settings.ok()) return console.fail("", settings.error());
    if (options.compress) {
        settings.value().properties["compression.type"] = Setting{*options.compress, "--compress"};
    }
    // A pipe brings records faster than small batches can carry them to a broker that syncs each
    // round; what is alone still leaves after linger.ms.
    settings.value().properties.try_emplace("batch.size",
                                            Setting{"524288", "default of kq-produce"});
    ClusterAccess access(console, std::move(settings).value(), std::nullopt);
    auto production = Production::prepare(access, options);
    if (!production.ok()) return console.fail("", production.error());
    return console.finish(production.value()->run());
}

}  // namespace
}  // namespace kq

int main(int argc, char** argv) {
    kq::PosixProcess process(argc, argv);
    return kq::run(process);
}

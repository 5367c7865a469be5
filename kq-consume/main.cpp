// SPDX-License-Identifier: Apache-2.0
//
// kq-consume: writes the records of topics to standard output. See kq-consume(1).
#include "base/posix_file_system.hpp"
#include "base/posix_process.hpp"
#include "consumption.hpp"

namespace kq {
namespace {

Command table(CommonOptions& common, ConsumeOptions& options) {
    Command command{"kq-consume", "print the records of topics", "kq-consume(1)"};
    Verb& bare = command.bare;
    bare.operands = {
        {"TOPIC", "names or quoted globs", into(options.topics), 1, Operand::any_number}};
    bare.options = framing_options(options.framing, false);
    const std::vector<Option> own = {
        {"-o,--offset", "POS|RANGE", "from where, or FROM..TO: start, end, 42, +10, -10, @WHEN",
         into(options.range), "start"},
        {"-p,--partition", "N,...", "these partitions only", into_list(options.partitions)},
        {"-n,--count", "COUNT", "stop after that many records; with -t, wait for that many",
         into(options.count, 1, std::numeric_limits<std::int64_t>::max())},
        {"-F,--follow", "", "do not stop at the end: wait for more", into(options.follow)}};
    bare.options.insert(bare.options.end(), own.begin(), own.end());
    command.options = common_options(
        common, {.formats = "text (lines), jsonl, frame, raw, or a template with %k and %v",
                 .timeout_sentence = "give up after that long, with exit status 7",
                 .default_timeout = "none"});
    command.examples = {
        {"kq-consume orders", "everything there is now"},
        {"kq-consume orders -F", "and everything that comes"},
        {"kq-consume orders -o -5.. -f '%p %o %T{iso} %v\\n'", "the last five of each partition"},
        {"kq-consume orders -o @-1h..@now -f jsonl", "the last hour, for a program"},
        {"kq-consume out -n 10 -t 5s", "wait for ten records; exit status 7 if fewer came"}};
    return command;
}

int run(Process& process) {
    CommonOptions common;
    ConsumeOptions options;
    Command command = table(common, options);
    const Parsed parsed = parse(command, process);
    if (parsed.verb == nullptr) return parsed.exit;

    Console console(process, command.name);
    PosixFileSystem files;
    auto settings = settle(common, ConfigScope::consumer, console, files);
    if (!settings.ok()) return console.fail("", settings.error());
    // Reading is no reason to make a topic.
    settings.value().properties.try_emplace("allow.auto.create.topics",
                                            Setting{"false", "default of kq-consume"});
    ClusterAccess access(console, std::move(settings).value(), std::nullopt);
    auto consumption = Consumption::prepare(access, options);
    if (!consumption.ok()) return console.fail("", consumption.error());
    return console.finish(consumption.value()->run());
}

}  // namespace
}  // namespace kq

int main(int argc, char** argv) {
    kq::PosixProcess process(argc, argv);
    return kq::run(process);
}

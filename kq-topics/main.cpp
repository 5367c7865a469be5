// SPDX-License-Identifier: Apache-2.0
//
// kq-topics: lists, describes, creates and deletes topics. See kq-topics(1).
#include "base/posix_file_system.hpp"
#include "base/posix_process.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

constexpr Millis default_timeout{10'000};

struct TopicsOptions {
    CommonOptions common;
    ListOptions list;
    DescribeOptions describe;
    CreateOptions create;
    DeleteOptions remove;
};

Verb list_verb(ListOptions& options) {
    Verb verb{"list", "one line for each topic"};
    verb.operands = {{"TOPIC", "names or quoted globs; all topics where none is given",
                      into(options.names), 0, Operand::any_number}};
    verb.options = {{"--internal", "", "the brokers' own topics too", into(options.internal)}};
    for (Option& option : row_options(options.rows))
        verb.options.push_back(std::move(option));
    verb.examples = {
        {"kq-topics list", "every topic, with its size"},
        {"kq-topics list 'orders.*' -f tsv | awk '$5 > 1e9 {print $1}'", "those over a gigabyte"},
        {"kq-topics list -f '%{name}\\t%{records}\\n'", "two columns of your choice"}};
    verb.schema = list_schema();
    return verb;
}

Verb describe_verb(DescribeOptions& options) {
    Verb verb{"describe", "one line for each partition: leader, replicas, offsets"};
    verb.operands = {{"TOPIC", "names or quoted globs; all topics where none is given",
                      into(options.names), 0, Operand::any_number}};
    verb.options = {{"--internal", "", "the brokers' own topics too", into(options.internal)}};
    for (Option& option : row_options(options.rows))
        verb.options.push_back(std::move(option));
    verb.examples = {{"kq-topics describe orders", "leaders, replicas and offsets"},
                     {"kq-topics describe orders -f json", "the same for a program"}};
    verb.schema = describe_schema();
    return verb;
}

Verb create_verb(CreateOptions& options) {
    Verb verb{"create", "make topics, and wait until they can be written"};
    verb.operands = {
        {"TOPIC", "names of the new topics", into(options.names), 1, Operand::any_number}};
    verb.options = {{"-p,--partitions", "N", "how many partitions",
                     into(options.partitions, 1, 1'000'000), "the broker's"},
                    {"-r,--replicas", "N", "replicas of each partition",
                     into(options.replicas, 1, 32'767), "the broker's"},
                    {"-c,--config", "KEY=VALUE", "a setting of the topic, such as retention.ms=7d",
                     into(options.configs)},
                    {"--if-not-exists", "", "a topic that is there already is fine",
                     into(options.if_not_exists)}};
    for (Option& option : row_options(options.rows))
        verb.options.push_back(std::move(option));
    verb.examples = {{"kq-topics create orders -p 6", "six partitions"},
                     {"kq-topics create orders -p 6 -c retention.ms=7d --if-not-exists",
                      "records are kept for a week; safe to run twice"}};
    verb.schema = create_schema();
    return verb;
}

Verb delete_verb(DeleteOptions& options) {
    Verb verb{"delete", "delete topics with all their records, after a question"};
    verb.operands = {
        {"TOPIC", "names or quoted globs", into(options.names), 1, Operand::any_number}};
    verb.options = {
        {"--if-exists", "", "a topic that is not there is fine", into(options.if_exists)},
        {"--internal", "", "globs match the brokers' own topics too", into(options.internal)},
        {"--confirm", "NAME", "name each topic once more, where a context is protected",
         into_list(options.confirmed)}};
    for (Option& option : row_options(options.rows))
        verb.options.push_back(std::move(option));
    verb.examples = {{"kq-topics delete 'test.*' --dry-run", "what would go"},
                     {"kq-topics delete orders -y", "without a question"}};
    verb.schema = delete_schema();
    return verb;
}

Command table(TopicsOptions& options) {
    Command command{"kq-topics", "list, describe, create and delete topics", "kq-topics(1)"};
    command.verbs = {list_verb(options.list), describe_verb(options.describe),
                     create_verb(options.create), delete_verb(options.remove)};
    command.options = common_options(
        options.common, {.changes_things = true, .asks = true, .default_timeout = "10s"});
    for (const Verb& verb : command.verbs) {
        command.examples.insert(command.examples.end(), verb.examples.begin(), verb.examples.end());
    }
    return command;
}

int run(Process& process) {
    TopicsOptions options;
    const Command command = table(options);
    const Parsed parsed = parse(command, process);
    if (parsed.verb == nullptr) return parsed.exit;

    Console console(process, command.name);
    PosixFileSystem files;
    auto settings = settle(options.common, ConfigScope::admin, console, files);
    if (!settings.ok()) return console.fail("", settings.error());
    ClusterAccess access(console, std::move(settings).value(), default_timeout);
    const std::string& verb = parsed.verb->name;
    int exit = verb == "list"       ? list_topics(access, options.list)
               : verb == "describe" ? describe_topics(access, options.describe)
               : verb == "create"   ? create_topics(access, options.create)
                                    : delete_topics(access, options.remove);
    access.tell_work();
    return console.finish(exit);
}

}  // namespace
}  // namespace kq

int main(int argc, char** argv) {
    kq::PosixProcess process(argc, argv);
    return kq::run(process);
}

// SPDX-License-Identifier: Apache-2.0
//
// kq-broker: keeps records and hands them out. See kq-broker(8).
#include "base/posix_process.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

struct AllOptions {
    Console* console = nullptr;  // once the words are parsed
    BrokerCommandOptions broker;
    CheckOptions check;
    std::vector<std::string> command;
};

Command table(AllOptions& options) {
    Command command{"kq-broker", "serve records to Kafka's clients", "kq-broker(8)"};
    command.bare = Verb{"", "serve until a signal comes"};
    command.bare.examples = {
        {"kq-broker", "localhost:9092, data in ~/.local/state/kq"},
        {"kq-broker --ephemeral --listen 127.0.0.1:0 --ready-file r",
         "in memory, on a free port that r tells"},
        {"kq-broker --config server.properties", "with a Kafka file as it is"}};

    command.bare.run = [&options] { return serve(*options.console, options.broker); };

    Verb run{"run", "run a command beside a private broker, and end as it did"};
    run.operands = {{"CMD",
                     "the command and its arguments, after --; KQ_BOOTSTRAP tells it where "
                     "the broker is",
                     into(options.command), 1, Operand::any_number, true}};
    run.examples = {{"kq-broker run -- make test", "tests with a broker of their own"}};

    run.run = [&options] { return run_command(*options.console, options.broker, options.command); };

    Verb check{"check", "print the settings a broker would run with, and start nothing"};
    check.options = {
        {"-a,--all", "", "settings that nobody gave, too", into(options.check.all)},
        {"-f,--format", "FORMAT", "text, tsv, json, jsonl, or a template with %{column}",
         into(options.check.format), "text"}};
    for (Option& option : row_options(options.check.rows)) {
        check.options.push_back(std::move(option));
    }
    check.examples = {{"kq-broker check --config /etc/kq/broker.toml", "is the file right?"},
                      {"kq-broker check --all -f tsv", "every setting with its default"}};
    check.schema = check_schema();
    check.run = [&options] {
        return check_settings(*options.console, options.broker, options.check);
    };

    command.verbs = {std::move(run), std::move(check)};
    command.options = broker_options(options.broker);
    command.examples = command.bare.examples;
    for (const auto& verb : command.verbs) {
        command.examples.insert(command.examples.end(), verb.examples.begin(), verb.examples.end());
    }
    return command;
}

int run(Process& process) {
    AllOptions options;
    const Command command = table(options);
    const Parsed parsed = parse(command, process);
    if (parsed.verb == nullptr) return parsed.exit;
    Console console(process, command.name);
    options.console = &console;
    int exit = parsed.verb->run();
    // A signal is how a broker is told to stop, and a command's status is ours: neither changes it.
    const auto flushed = console.flush();
    if (flushed.ok()) return exit;
    return flushed.code() == Errc::connection_closed ? exit_reader_gone
                                                     : console.fail("", flushed.error());
}

}  // namespace
}  // namespace kq

int main(int argc, char** argv) {
    kq::PosixProcess process(argc, argv);
    return kq::run(process);
}

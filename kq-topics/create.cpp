// SPDX-License-Identifier: Apache-2.0
#include "base/config_value.hpp"
#include "cli/text.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

// KEY=VALUE with values as people write them (7d, 1GiB), as brokers read them. A name that only
// looks wrong is left to the broker, which may be newer than we are.
Result<std::pair<std::string, std::string>> config_of(const std::string& text) {
    auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        return Error{Errc::usage, "option '--config': " + in_quotes(text) + " is no KEY=VALUE"};
    }
    std::string name = text.substr(0, equals);
    std::string value = text.substr(equals + 1);
    const ConfigDef* def = find_config(ConfigScope::topic, name);
    if (def == nullptr) {
        auto nearest = nearest_config(ConfigScope::topic, name);
        if (nearest.empty()) return std::pair(std::move(name), std::move(value));
        return Error{Errc::usage, "option '--config': there is no topic setting " +
                                      in_quotes(name) + "; is " + in_quotes(nearest) + " meant?"};
    }
    auto canonical = canonical_config(*def, value, ConfigSyntax::with_units);
    if (!canonical.ok()) {
        return Error{Errc::usage, "option '--config': " + canonical.error().message};
    }
    return std::pair(std::move(name), std::move(canonical).value());
}

Result<std::vector<NewTopic>> new_topics(const CreateOptions& options) {
    NewTopic pattern;
    pattern.partitions = options.partitions.value_or(-1);
    pattern.replication_factor = static_cast<std::int16_t>(options.replicas.value_or(-1));
    for (const std::string& text : options.configs) {
        KQ_LET(auto config, config_of(text));
        pattern.configs.push_back(std::move(config));
    }
    std::vector<NewTopic> topics;
    for (const std::string& name : options.names) {
        topics.push_back(pattern);
        topics.back().name = name;
    }
    return topics;
}

// Nobody shall believe in a setting that does nothing. Kafka's brokers, which we may talk to, act
// on them.
void warn_of_idle_settings(Console& console, const NewTopic& topic) {
    std::string list;
    for (const auto& [name, value] : topic.configs) {
        const ConfigDef* def = find_config(ConfigScope::topic, name);
        const bool compacts =
            name == "cleanup.policy" && value.find("compact") != std::string::npos;
        const bool idle = def != nullptr && def->effect == ConfigEffect::accepted;
        if (compacts || idle) {
            list += (list.empty() ? "" : ", ") + name + (compacts ? "=compact" : "");
        }
    }
    if (!list.empty()) console.warn("no effect on kq's own brokers yet: " + list);
}

// What to do about a refusal, in a command that can be pasted.
std::vector<std::string> tries_for(ClusterAccess& access, const Error& error) {
    switch (error.code) {
        case Errc::invalid_replication_factor:
            return {same_command(access.console().process(), access.console().tool(),
                                 {"-r", "--replicas"}, "-r 1")};
        case Errc::topic_already_exists:
            return {same_command(access.console().process(), access.console().tool(), {},
                                 "--if-not-exists")};
        default:
            return {};
    }
}

std::string sentence(const CreatedTopic& topic, bool dry_run) {
    std::string line = (dry_run ? "would create " : "created ") + visible(topic.name);
    if (topic.partitions < 0) return line;
    line += " (" + counted(topic.partitions, "partition");
    if (topic.replication_factor > 0) line += ", " + counted(topic.replication_factor, "replica");
    return line + ")";
}

}  // namespace

Schema create_schema() {
    return {"kq.topics.create/1",
            {{"name", ColumnKind::text, "name of the topic"},
             {"partitions", ColumnKind::count, "how many partitions it has"},
             {"replicas", ColumnKind::count, "replicas of each partition"},
             {"id", ColumnKind::text, "the topic id"},
             {"error", ColumnKind::text, "code of the error that kept it from being made"},
             {"message", ColumnKind::text, "why"}}};
}

int create_topics(ClusterAccess& access, const CreateOptions& options) {
    Console& console = access.console();
    const bool dry_run = access.settings().dry_run;
    auto rows =
        RowPrinter::create(console, create_schema(), access.settings().format, options.rows);
    if (!rows.ok()) return console.fail("", rows.error());
    auto topics = new_topics(options);
    if (!topics.ok()) return console.fail("", topics.error());
    if (auto allowed = access.check_writable(); !allowed.ok()) {
        return console.fail("cannot create topics", allowed.error());
    }
    auto client = access.client_options();
    if (!client.ok()) return console.fail("", client.error());
    Admin admin(access.runtime(), std::move(client).value());
    admin.set_deadline(access.deadline());
    access.awaiting(access.settings().bootstrap());

    auto answers = admin.create_topics(topics.value(), dry_run);
    if (!answers.ok()) {
        return console.fail(access.problem("cannot create " + in_quotes(options.names.front()),
                                           answers.error(), admin.advertised_trouble()));
    }
    std::vector<int> exits;
    std::vector<std::string> made;
    for (std::size_t i = 0; i < options.names.size(); ++i) {
        const auto& answer = answers.value()[i];
        const std::string& name = options.names[i];
        if (answer.ok()) {
            const CreatedTopic& topic = answer.value();
            made.push_back(name);
            exits.push_back(exit_ok);
            if (rows.value().for_people()) {
                if (!console.quiet()) {
                    append(console.buffer(), as_bytes(sentence(topic, dry_run) + "\n"));
                }
            } else {
                rows.value().add(
                    {name, topic.partitions < 0 ? Cell() : Cell(topic.partitions),
                     topic.replication_factor < 0 ? Cell() : Cell(topic.replication_factor),
                     topic.id.is_zero() ? Cell() : Cell(topic.id.text()), Cell(), Cell()});
            }
            continue;
        }
        const Error& error = answer.error();
        if (options.if_not_exists && error.code == Errc::topic_already_exists) {
            console.note(visible(name) + " exists already");
            exits.push_back(exit_ok);
            continue;
        }
        if (!rows.value().for_people()) {
            rows.value().add({name, Cell(), Cell(), Cell(), name_of(error.code), error.message});
        }
        exits.push_back(rows.value().fail(
            Problem{"cannot create " + in_quotes(name), error, name, tries_for(access, error)}));
    }
    if (!rows.value().for_people()) rows.value().finish();
    if (!made.empty()) warn_of_idle_settings(console, topics.value().front());
    if (made.empty() || dry_run) return exit_of_items(exits);
    console.note_change("created " + listed(made));
    if (auto ready = admin.wait_for_leaders(made); !ready.ok()) {
        return console.fail(access.problem("the topics are made, but not yet ready", ready.error(),
                                           admin.advertised_trouble()));
    }
    return exit_of_items(exits);
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/question.hpp"
#include "cli/text.hpp"
#include "verbs.hpp"

namespace kq {
namespace {

// What would be lost: "orders (3 partitions, 1000 records, 1.2MiB)".
std::string loss(const TopicDescription& topic, const TopicSize& size) {
    std::string text = visible(topic.name) + " (" +
                       counted(static_cast<std::int64_t>(topic.partitions.size()), "partition");
    if (size.records) text += ", " + counted(*size.records, "record");
    if (size.bytes) text += ", " + human_bytes(*size.bytes);
    return text + ")";
}

// Whether the topics may go: said with --yes, or answered; and named, where the context protects.
Status agree(ClusterAccess& access, const DeleteOptions& options,
             const std::vector<TopicDescription>& topics, const TopicSizes& sizes) {
    if (access.settings().protect) {
        for (const TopicDescription& topic : topics) {
            const auto& named = options.confirmed;
            if (std::find(named.begin(), named.end(), topic.name) != named.end()) continue;
            return Error{Errc::usage, "context " + in_quotes(access.settings().context) +
                                          " is protected: deleting wants --confirm " +
                                          shell_word(topic.name)};
        }
    }
    if (access.settings().yes) return done();
    Console& console = access.console();
    for (std::size_t i = 0; i < topics.size(); ++i) {
        console.tell("  " + loss(topics[i], sizes.topics[i]));
    }
    return ask(
        console,
        "delete " + counted(static_cast<std::int64_t>(topics.size()), "topic") + " for good?",
        access.settings().no_input);
}

}  // namespace

Schema delete_schema() {
    return {"kq.topics.delete/1",
            {{"name", ColumnKind::text, "name of the topic"},
             {"error", ColumnKind::text, "code of the error that kept it from being deleted"},
             {"message", ColumnKind::text, "why"}}};
}

int delete_topics(ClusterAccess& access, const DeleteOptions& options) {
    Console& console = access.console();
    const bool dry_run = access.settings().dry_run;
    auto rows =
        RowPrinter::create(console, delete_schema(), access.settings().format, options.rows);
    if (!rows.ok()) return console.fail("", rows.error());
    if (auto allowed = access.check_writable(); !allowed.ok()) {
        return console.fail("cannot delete topics", allowed.error());
    }
    auto client = access.client_options();
    if (!client.ok()) return console.fail("", client.error());
    Admin admin(access.runtime(), std::move(client).value());
    admin.set_deadline(access.deadline());
    access.awaiting(access.settings().bootstrap());

    auto failed = [&](const Error& error) {
        return console.fail(
            access.problem("cannot delete topics", error, admin.advertised_trouble()));
    };
    auto chosen = choose_topics(access, admin, options.names, options.internal, "delete");
    if (!chosen.ok()) return failed(chosen.error());
    const auto& topics = chosen.value().topics;
    auto sizes = measure(admin, topics);
    if (!sizes.ok()) return failed(sizes.error());

    std::vector<int> exits;
    for (const Problem& missing : chosen.value().missing) {
        if (options.if_exists) {
            console.note("there is no topic " + in_quotes(missing.target));
            exits.push_back(exit_ok);
            continue;
        }
        if (!rows.value().for_people()) {
            rows.value().add({missing.target, name_of(missing.error.code), missing.error.message});
        }
        exits.push_back(rows.value().fail(missing));
    }
    auto finish = [&] {
        if (!rows.value().for_people()) rows.value().finish();
        return exit_of_items(exits);
    };
    auto say = [&](const std::string& verb, std::size_t i) {
        exits.push_back(exit_ok);
        if (!rows.value().for_people()) {
            rows.value().add({topics[i].name, Cell(), Cell()});
        } else if (!console.quiet()) {
            append(console.buffer(),
                   as_bytes(verb + ' ' + loss(topics[i], sizes.value().topics[i]) + "\n"));
        }
    };
    if (topics.empty()) return finish();
    if (dry_run) {
        for (std::size_t i = 0; i < topics.size(); ++i)
            say("would delete", i);
        return finish();
    }
    access.no_longer_awaiting();
    if (auto agreed = agree(access, options, topics, sizes.value()); !agreed.ok()) {
        Problem problem{{}, agreed.error()};
        if (agreed.code() == Errc::cancelled) problem.exit = exit_no;  // so was the answer
        return console.fail(problem);
    }

    std::vector<std::string> names;
    for (const TopicDescription& topic : topics)
        names.push_back(topic.name);
    auto answers = admin.delete_topics(names);
    if (!answers.ok()) return failed(answers.error());
    std::vector<std::string> gone;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const Status& answer = answers.value()[i];
        if (answer.ok()) {
            say("deleted", i);
            gone.push_back(names[i]);
            continue;
        }
        const Error& error = answer.error();
        if (!rows.value().for_people()) {
            rows.value().add({names[i], name_of(error.code), error.message});
        }
        exits.push_back(rows.value().fail(
            Problem{"cannot delete " + in_quotes(names[i]), error, names[i], {}}));
    }
    if (!gone.empty()) console.note_change("deleted " + listed(gone));
    return finish();
}

}  // namespace kq

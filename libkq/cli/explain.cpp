// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.hpp"

#include <algorithm>
#include <vector>

#include "base/config_def.hpp"
#include "base/config_value.hpp"
#include "cli/encodings.hpp"
#include "cli/exit_codes.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

constexpr Errc all_codes[] = {
#define KQ_ERROR(name, number, wire_name, retriable, sentence) Errc::name,
#include "base/errors.def"
#undef KQ_ERROR
};

struct Advice {
    Errc code;
    std::string_view causes;
    std::string_view remedies;
};

constexpr Advice advice[] = {
#define KQ_EXPLANATION(name, causes, remedies) {Errc::name, causes, remedies},
#include "cli/explanations.def"
#undef KQ_EXPLANATION
};

// Where kq's programs take something else than the table of settings, which has Kafka's defaults.
// kq-config.toml(5) tells those of clients.
struct OwnDefault {
    ConfigScope scope;
    std::string_view name;
    std::string_view text;
};
constexpr std::string_view state_directory =
    "${XDG_STATE_HOME:-~/.local/state}/kq (Kafka's: /tmp/kafka-logs)";
constexpr OwnDefault own_defaults[] = {
    {ConfigScope::broker, "log.dir", state_directory},
    {ConfigScope::broker, "log.dirs", state_directory},
    {ConfigScope::producer, "batch.size", "524288 in kq-produce (Kafka's: 16384)"},
    {ConfigScope::producer, "client.id", "kq"},
    {ConfigScope::consumer, "allow.auto.create.topics", "false in kq-consume (Kafka's: true)"},
    {ConfigScope::consumer, "auto.offset.reset", "none in kq-consume (Kafka's: latest)"},
    {ConfigScope::consumer, "client.id", "kq"},
    {ConfigScope::admin, "client.id", "kq"},
};

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return out;
}

// Words of `text` on lines that a terminal of 80 columns shows whole.
std::string wrapped(std::string_view label, std::string_view text) {
    constexpr std::size_t width = 78;
    const std::string indent(10, ' ');
    std::string out;
    std::string line(label);
    line.resize(indent.size(), ' ');
    while (!text.empty()) {
        auto word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (columns_of(line) + word.size() > width && line.find_last_not_of(' ') >= indent.size()) {
            out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
            line = indent;
        }
        line += std::string(word) + ' ';
    }
    return out + line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
}

Explanation explain_code(Errc code) {
    Explanation out;
    out.kind = "error";
    out.name = name_of(code);
    out.number = static_cast<int>(code);
    out.meaning = sentence_of(code);
    for (const Advice& one : advice) {
        if (one.code != code) continue;
        out.causes = one.causes;
        out.remedies = one.remedies;
    }
    out.retriable = is_retriable(code);
    out.exit = exit_of(code);
    return out;
}

std::string default_of(const ConfigDef& def, ConfigScope scope) {
    for (const OwnDefault& own : own_defaults) {
        if (own.scope == scope && own.name == def.name) return std::string(own.text);
    }
    switch (def.fallback.kind) {
        case ConfigDefault::Kind::value:
            return def.fallback.text.empty() ? "the empty text" : std::string(def.fallback.text);
        case ConfigDefault::Kind::null:
            return "none";
        case ConfigDefault::Kind::required:
            return "must be given";
    }
    return {};
}

// kq changes nothing while it runs yet, whatever Kafka does.
std::string changes_of(const ConfigDef& def) {
    switch (def.mode) {
        case ConfigMode::read_only:
            return "with a restart";
        case ConfigMode::per_broker:
            return "with a restart (Kafka: while it runs, per broker)";
        case ConfigMode::cluster_wide:
            return "with a restart (Kafka: while it runs)";
    }
    return {};
}

Explanation explain_setting(const ConfigDef& def, ConfigScope scope) {
    Explanation out;
    out.kind = "setting";
    out.name = def.name;
    out.scope = name_of(scope);
    out.meaning = def.sentence;
    out.type = name_of(def.type);
    out.fallback = default_of(def, scope);
    out.values = describe_valid(def);
    if (scope == ConfigScope::broker) out.changes = changes_of(def);
    out.has_effect = def.effect == ConfigEffect::acted_on;
    return out;
}

Cell cell_of(const std::string& text) {
    return text.empty() ? Cell() : Cell(text);
}

template <class T>
Cell cell_of(const std::optional<T>& value) {
    return value ? Cell(*value) : Cell();
}

}  // namespace

Result<std::vector<Explanation>> explain(std::string_view what) {
    const std::string name = upper(what);
    const auto number = decimal(as_bytes(what));
    std::vector<SpokenName> known;
    for (Errc code : all_codes) {
        known.push_back({name_of(code), name_of(code)});
        if (name == name_of(code) || (number && *number == static_cast<int>(code))) {
            return std::vector<Explanation>{explain_code(code)};
        }
    }
    std::vector<Explanation> out;
    for (ConfigScope scope : {ConfigScope::topic, ConfigScope::broker, ConfigScope::producer,
                              ConfigScope::consumer, ConfigScope::admin, ConfigScope::group}) {
        const auto names = spoken_names(scope);
        known.insert(known.end(), names.begin(), names.end());
        const ConfigDef* def = find_config(scope, what);
        if (def != nullptr) out.push_back(explain_setting(*def, scope));
    }
    if (!out.empty()) return out;
    const auto nearest = nearest_name(what, known);
    std::string message = in_quotes(what) + " is neither an error code nor a setting";
    if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
    return Error{Errc::not_found, message};
}

std::string text_of(const Explanation& one) {
    const bool is_code = one.number.has_value();
    std::string out = one.name + " (" + (is_code ? std::to_string(*one.number) : one.scope) + ")\n";
    const auto add = [&out](std::string_view label, const std::string& text) {
        if (!text.empty()) out += wrapped(label, text);
    };
    add("meaning", one.meaning);
    add("causes", one.causes);
    add("remedies", one.remedies);
    if (one.retriable) {
        add("again", *one.retriable ? "asking again may help; clients do it by themselves"
                                    : "asking again changes nothing");
    }
    if (one.exit) add("exit", std::to_string(*one.exit));
    add("type", one.type);
    add("default", one.fallback);
    add("values", one.values);
    add("changes", one.changes);
    if (one.has_effect == false) {
        const bool is_client = one.scope == name_of(ConfigScope::producer) ||
                               one.scope == name_of(ConfigScope::consumer) ||
                               one.scope == name_of(ConfigScope::admin);
        add("effect", is_client ? "none: kq's programs refuse it where it would change what they "
                                  "do, and else say that it does nothing; kq-config.toml(5)"
                                : "read and kept, but kq does nothing with it yet");
    }
    return out;
}

Schema explain_schema() {
    return {"kq.explain/1",
            {{"name", ColumnKind::text, "the code or the setting"},
             {"kind", ColumnKind::text, "error or setting"},
             {"meaning", ColumnKind::text, "what it is"},
             {"number", ColumnKind::count, "of an error: as it travels; below -1: never"},
             {"causes", ColumnKind::text, "of an error: why it comes"},
             {"remedies", ColumnKind::text, "of an error: what helps"},
             {"retriable", ColumnKind::text, "of an error: whether asking again may help"},
             {"exit", ColumnKind::count, "of an error: the exit status it makes"},
             {"scope", ColumnKind::text, "of a setting: who has it"},
             {"type", ColumnKind::text, "of a setting: Kafka's word for its type"},
             {"default", ColumnKind::text, "of a setting: what it is when nobody says"},
             {"values", ColumnKind::text, "of a setting: what it takes"},
             {"changes", ColumnKind::text, "of a broker's setting: when a change counts"},
             {"effect", ColumnKind::text, "of a setting: whether kq acts on it today"}}};
}

Row row_of(const Explanation& one) {
    return {one.name,
            one.kind,
            one.meaning,
            cell_of(one.number),
            cell_of(one.causes),
            cell_of(one.remedies),
            cell_of(one.retriable),
            cell_of(one.exit),
            cell_of(one.scope),
            cell_of(one.type),
            cell_of(one.fallback),
            cell_of(one.values),
            cell_of(one.changes),
            cell_of(one.has_effect)};
}

}  // namespace kq

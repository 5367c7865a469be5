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

struct Explanation {
    Errc code;
    std::string_view causes;
    std::string_view remedies;
};

constexpr Explanation explanations[] = {
#define KQ_EXPLANATION(name, causes, remedies) {Errc::name, causes, remedies},
#include "cli/explanations.def"
#undef KQ_EXPLANATION
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

std::string explain_code(Errc code) {
    std::string out =
        std::string(name_of(code)) + " (" + std::to_string(static_cast<int>(code)) + ")\n";
    out += wrapped("meaning", sentence_of(code));
    for (const Explanation& one : explanations) {
        if (one.code != code) continue;
        out += wrapped("causes", one.causes);
        out += wrapped("remedies", one.remedies);
    }
    out +=
        wrapped("again", is_retriable(code) ? "asking again may help; clients do it by themselves"
                                            : "asking again changes nothing");
    return out + wrapped("exit", std::to_string(exit_of(code)));
}

std::string explain_setting(const ConfigDef& def, ConfigScope scope) {
    std::string out = std::string(def.name) + " (" + std::string(name_of(scope)) + ")\n";
    out += wrapped("meaning", def.sentence);
    out += wrapped("type", name_of(def.type));
    if (def.fallback.kind == ConfigDefault::Kind::value) {
        out += wrapped("default", def.fallback.text.empty() ? "the empty text" : def.fallback.text);
    } else {
        out += wrapped("default",
                       def.fallback.kind == ConfigDefault::Kind::null ? "none" : "must be given");
    }
    if (auto valid = describe_valid(def); !valid.empty()) out += wrapped("values", valid);
    if (scope == ConfigScope::broker) {
        out += wrapped("changes", def.mode == ConfigMode::read_only    ? "with a restart"
                                  : def.mode == ConfigMode::per_broker ? "while it runs, per broker"
                                                                       : "while it runs");
    }
    if (def.effect == ConfigEffect::accepted) {
        out += wrapped("effect", "read and kept, but kq does nothing with it yet");
    }
    return out;
}

}  // namespace

Result<std::string> explain(std::string_view what) {
    const std::string name = upper(what);
    const auto number = decimal(as_bytes(what));
    std::vector<std::string_view> known;
    for (Errc code : all_codes) {
        known.push_back(name_of(code));
        if (name == name_of(code) || (number && *number == static_cast<int>(code))) {
            return explain_code(code);
        }
    }
    std::string out;
    for (ConfigScope scope : {ConfigScope::topic, ConfigScope::broker, ConfigScope::producer,
                              ConfigScope::consumer, ConfigScope::admin, ConfigScope::group}) {
        for (const ConfigDef& def : config_defs(scope))
            known.push_back(def.name);
        const ConfigDef* def = find_config(scope, what);
        if (def != nullptr) out += (out.empty() ? "" : "\n") + explain_setting(*def, scope);
    }
    if (!out.empty()) return out;
    auto nearest = nearest_word(name, known);
    if (nearest.empty()) nearest = nearest_word(what, known);
    std::string message = in_quotes(what) + " is neither an error code nor a setting";
    if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
    return Error{Errc::not_found, message};
}

}  // namespace kq

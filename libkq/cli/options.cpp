// SPDX-License-Identifier: Apache-2.0
//
// The only source file that includes CLI11. It splits words into options and operands; which verb
// they belong to, what values mean and what is said about mistakes is ours.
#include "cli/options.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <CLI/CLI.hpp>

#include "base/config_value.hpp"
#include "cli/console.hpp"
#include "cli/help.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

std::string long_name(const Option& option) {
    return option.names.substr(option.names.find("--"));
}

// Every option of the program, by its long name: one that several verbs have must be alike in all.
struct Known {
    const Option* option;
    CLI::Option* parsed = nullptr;
};

class Reader {
public:
    Reader(const Command& command, Process& process) : command_(command), process_(process) {}

    Parsed run() {
        declare();
        if (auto status = split(); !status.ok()) return failed(status.error(), {});
        if (given("--version")) {
            return answer(command_.name + " " KQ_VERSION "\n");
        }
        Parsed found = choose_verb();
        if (given("--help") && found.exit == exit_ok) {
            bool whole = !command_.verbs.empty() && found.verb == nullptr;
            return answer(help_text(command_, whole ? nullptr : found.verb));
        }
        if (found.verb == nullptr) return found;
        if (given("--schema")) return answer(schema_text(command_, *found.verb, json_wanted()));
        if (auto wrong = bind(*found.verb)) return *wrong;
        return found;
    }

private:
    void declare() {
        app_.set_help_flag();
        app_.allow_extras();
        for (const Option& option : command_.options)
            add(option);
        for (const Option& option : command_.bare.options)
            add(option);
        for (const Verb& verb : command_.verbs) {
            for (const Option& option : verb.options)
                add(option);
        }
        for (const Option& option : always_)
            add(option);
    }

    void add(const Option& option) {
        KQ_CHECK(option.names.find("--") != std::string::npos);  // every option has a long name
        auto [place, fresh] = known_.try_emplace(long_name(option), Known{&option});
        if (!fresh) {
            KQ_CHECK(place->second.option->names == option.names);
            KQ_CHECK(place->second.option->value.empty() == option.value.empty());
            return;
        }
        if (option.value.empty()) {
            place->second.parsed = app_.add_flag(option.names)->disable_flag_override();
        } else {
            const CLI::callback_t keep = [](const std::vector<std::string>&) { return true; };
            place->second.parsed = app_.add_option(option.names, keep);
        }
        place->second.parsed->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }

    // CLI11 takes the words before "--" and says which of them are no options.
    Status split() {
        std::vector<std::string> words = process_.arguments();
        auto end = end_of_options(words);
        has_dashes_ = end != words.end();
        std::vector<std::string> after(has_dashes_ ? end + 1 : end, words.end());
        words.erase(end, words.end());
        const std::string last = words.empty() ? std::string() : words.back();
        std::reverse(words.begin(), words.end());  // CLI11 wants the last word first
        try {
            app_.parse(std::move(words));
        } catch (const CLI::ParseError&) {
            return refusal(last);
        }
        for (std::string& word : app_.remaining()) {
            if (word.size() > 1 && word.front() == '-') {
                if (unknown_.empty()) {
                    unknown_ = word;
                    operands_before_unknown_ = operands_.size();
                }
            } else {
                operands_.push_back(std::move(word));
            }
        }
        operands_.insert(operands_.end(), after.begin(), after.end());
        return done();
    }

    // The "--" after which everything is an operand; one that is the value of an option is none.
    std::vector<std::string>::iterator end_of_options(std::vector<std::string>& words) const {
        auto takes_next = [this](const std::string& word) {
            if (word.starts_with("--")) {
                auto known = known_.find(word);
                return known != known_.end() && !known->second.option->value.empty();
            }
            if (!word.starts_with('-')) return false;
            for (std::size_t i = 1; i < word.size(); ++i) {
                const Option* option = short_option(word[i]);
                if (option == nullptr) return false;
                if (!option->value.empty()) return i + 1 == word.size();
            }
            return false;
        };
        for (auto word = words.begin(); word != words.end(); ++word) {
            if (*word == "--") return word;
            if (takes_next(*word) && ++word == words.end()) break;
        }
        return words.end();
    }

    const Option* short_option(char letter) const {
        for (const auto& [name, known] : known_) {
            const std::string& names = known.option->names;
            if (names[1] == letter && names[1] != '-') return known.option;
        }
        return nullptr;
    }

    // CLI11 refuses a value that a flag was given, and an option whose value is missing, which can
    // only be the last word.
    Error refusal(const std::string& last) const {
        for (const std::string& word : process_.arguments()) {
            auto known = known_.find(word.substr(0, word.find('=')));
            if (known == known_.end() || known->first == word) continue;
            if (!known->second.option->value.empty()) continue;
            return Error{Errc::usage, "option '" + known->first + "' takes no value"};
        }
        for (const auto& [name, known] : known_) {
            if (known.option->value.empty() || !in_list(known.option->names, last)) continue;
            return Error{Errc::usage,
                         "option '" + last + "' needs a value, " + known.option->value};
        }
        return Error{Errc::usage, "option '" + last + "' is not complete"};
    }

    // Whether "-p,--partitions" names `word`, alone or at the end of a cluster: "-qp".
    static bool in_list(const std::string& names, const std::string& word) {
        const std::string long_one = names.substr(names.find("--"));
        const bool cluster = word.size() > 1 && word[0] == '-' && word[1] != '-';
        return word == long_one || (cluster && names[1] == word.back() && names[1] != '-');
    }

    Parsed choose_verb() {
        const bool bare = command_.bare.run != nullptr;
        if (command_.verbs.empty()) return {&command_.bare, exit_ok};
        if (operands_.empty()) {
            if (bare) return {&command_.bare, exit_ok};
            if (!unknown_.empty()) return unknown_option();
            if (given("--help")) return {};
            if (given("--schema")) return answer(schemas_text(command_, json_wanted()));
            return usage(short_help_text(command_));
        }
        for (const Verb& verb : command_.verbs) {
            if (verb.name != operands_.front()) continue;
            operands_.erase(operands_.begin());
            return {&verb, exit_ok};
        }
        if (bare && !command_.bare.operands.empty()) return {&command_.bare, exit_ok};
        // The first wrong word is the mistake: what follows an option that nobody knows may be its
        // value.
        if (!unknown_.empty() && operands_before_unknown_ == 0) return unknown_option();
        return unknown_verb();
    }

    Parsed unknown_verb() {
        std::vector<std::string_view> names;
        for (const Verb& verb : command_.verbs)
            names.push_back(verb.name);
        const std::string& word = operands_.front();
        auto nearest = nearest_word(word, names);
        std::string list;
        for (auto name : names)
            list += (list.empty() ? "" : ", ") + std::string(name);
        return failed(Error{Errc::usage, "unknown verb " + in_quotes(word) + "; verbs are " + list},
                      corrected(word, std::string(nearest)));
    }

    Parsed unknown_option() {
        std::string word = unknown_.substr(0, unknown_.find('='));
        std::vector<std::string_view> names;
        for (const auto& [name, known] : known_)
            names.push_back(name);
        auto nearest = word.starts_with("--") ? nearest_word(word, names) : std::string_view();
        std::string fixed(nearest);
        if (!fixed.empty()) fixed += unknown_.substr(word.size());
        return failed(Error{Errc::usage, "unknown option " + in_quotes(word)},
                      corrected(unknown_, fixed));
    }

    // An option of the command that stands before no "--": "run ls -l".
    Parsed missing_dashes(const Verb& verb) {
        const bool follows_the_command = operands_before_unknown_ > 1;  // the verb is one
        if (has_dashes_ || !follows_the_command) return unknown_option();
        const auto& words = process_.arguments();
        auto place = std::find(words.begin(), words.end(), verb.name);
        auto command = std::find(place, words.end(), operands_.front());
        std::string line = command_.name;
        for (auto word = words.begin(); word != words.end(); ++word) {
            line += (word == command ? " -- " : " ") + shell_word(*word);
        }
        return failed(Error{Errc::usage, "unknown option " + in_quotes(unknown_) +
                                             "; the options of a command follow --"},
                      {line});
    }

    // Hands the values over, in the order of the table.
    std::optional<Parsed> bind(const Verb& verb) {
        if (!unknown_.empty()) {
            return verb.is_followed_by_command() ? missing_dashes(verb) : unknown_option();
        }
        for (const auto& [name, known] : known_) {
            if (known.parsed->count() == 0 || belongs(name, verb)) continue;
            return failed(
                Error{Errc::usage, "option '" + name + "' does not go with " +
                                       in_quotes(verb.name.empty() ? command_.name : verb.name)},
                {});
        }
        for (const auto* table : {&command_.options, &verb.options}) {
            for (const Option& option : *table) {
                if (auto wrong = bind(option)) return wrong;
            }
        }
        return bind_operands(verb);
    }

    std::optional<Parsed> bind(const Option& option) {
        const CLI::Option* parsed = known_.at(long_name(option)).parsed;
        for (const std::string& value : parsed->results()) {
            auto taken = option.bind(option.value.empty() ? std::string_view() : value);
            if (taken.ok()) continue;
            return failed(
                Error{Errc::usage, "option '" + long_name(option) + "': " + taken.error().message},
                {});
        }
        return std::nullopt;
    }

    std::optional<Parsed> bind_operands(const Verb& verb) {
        std::size_t at = 0;
        for (const Operand& operand : verb.operands) {
            int count = 0;
            for (; count < operand.max && at < operands_.size(); ++count, ++at) {
                auto taken = operand.bind(operands_[at]);
                if (taken.ok()) continue;
                return failed(Error{Errc::usage, operand.name + ": " + taken.error().message}, {});
            }
            if (count >= operand.min) continue;
            if (process_.arguments().empty()) return usage(short_help_text(command_));
            return failed(Error{Errc::usage, "an operand is missing: " + operand.name},
                          {usage_line(command_, verb)});
        }
        if (at == operands_.size()) return std::nullopt;
        return failed(Error{Errc::usage, "unexpected operand " + in_quotes(operands_[at])},
                      {usage_line(command_, verb)});
    }

    bool belongs(const std::string& name, const Verb& verb) const {
        auto has = [&name](const std::vector<Option>& table) {
            return std::any_of(table.begin(), table.end(),
                               [&](const Option& option) { return long_name(option) == name; });
        };
        return has(command_.options) || has(verb.options) || has(always_);
    }

    bool given(const std::string& name) const { return known_.at(name).parsed->count() > 0; }

    bool json_wanted() const {
        auto format = known_.find("--format");
        std::optional<std::string> wanted = process_.variable("KQ_FORMAT");
        if (format != known_.end() && format->second.parsed != nullptr &&
            format->second.parsed->count() > 0) {
            wanted = format->second.parsed->results().back();
        }
        return wanted == "json" || wanted == "jsonl";
    }

    // The user's own command line with one word replaced, to be pasted.
    std::vector<std::string> corrected(const std::string& word, const std::string& right) const {
        if (right.empty()) return {command_.name + " --help"};
        std::string line = command_.name;
        bool replaced = false;
        for (const std::string& argument : process_.arguments()) {
            bool here = !replaced && argument == word;
            replaced = replaced || here;
            line += ' ' + shell_word(here ? right : argument);
        }
        return {line};
    }

    Parsed failed(Error error, std::vector<std::string> tries) const {
        Console console(process_, command_.name);
        console.set_json_errors(json_wanted());
        return {nullptr, console.fail(Problem{{}, std::move(error), {}, std::move(tries)})};
    }
    Parsed answer(const std::string& text) const {
        Console console(process_, command_.name);
        [[maybe_unused]] auto written = console.write(text);  // finish() reports it
        return {nullptr, console.finish(exit_ok)};
    }
    Parsed usage(const std::string& text) const {
        [[maybe_unused]] auto written = process_.write(Stream::err, as_bytes(text));
        return {nullptr, exit_usage};
    }

    const Command& command_;
    Process& process_;
    const std::vector<Option> always_ = always_options();
    CLI::App app_;
    std::map<std::string, Known> known_;
    std::vector<std::string> operands_;
    std::string unknown_;  // the first word that looks like an option and is none
    std::size_t operands_before_unknown_ = 0;
    bool has_dashes_ = false;  // "--" stands among the words
};

template <class T>
Result<T> whole_number(std::string_view text, T min, T max) {
    T number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range ||
        (error == std::errc() && (number < min || number > max))) {
        return Error{Errc::usage, in_quotes(text) + " is not between " + std::to_string(min) +
                                      " and " + std::to_string(max)};
    }
    if (error != std::errc() || end != text.data() + text.size()) {
        return Error{Errc::usage, in_quotes(text) + " is no number"};
    }
    return number;
}

template <class T, class Target>
Binder into_number(Target& number, T min, T max) {
    return [&number, min, max](std::string_view text) -> Status {
        KQ_LET(number, whole_number<T>(text, min, max));
        return done();
    };
}

}  // namespace

Parsed parse(const Command& command, Process& process) {
    return Reader(command, process).run();
}

Binder into(bool& flag) {
    return [&flag](std::string_view) {
        flag = true;
        return done();
    };
}

Binder into_times(int& times) {
    return [&times](std::string_view) {
        ++times;
        return done();
    };
}

Binder into(std::string& text) {
    return [&text](std::string_view value) {
        text = value;
        return done();
    };
}

Binder into(std::optional<std::string>& text) {
    return [&text](std::string_view value) {
        text = std::string(value);
        return done();
    };
}

Binder into(std::vector<std::string>& texts) {
    return [&texts](std::string_view value) {
        texts.emplace_back(value);
        return done();
    };
}

Binder into_list(std::vector<std::string>& texts) {
    return [&texts](std::string_view value) -> Status {
        auto list = split_list(value);
        // A variable that nobody set, most likely: not what stands there without the option.
        if (list.empty()) return Error{Errc::usage, "the list is empty"};
        for (std::string& one : list)
            texts.push_back(std::move(one));
        return done();
    };
}

Binder into(std::int32_t& number, std::int32_t min, std::int32_t max) {
    return into_number<std::int32_t>(number, min, max);
}

Binder into(std::optional<std::int32_t>& number, std::int32_t min, std::int32_t max) {
    return into_number<std::int32_t>(number, min, max);
}

Binder into(std::optional<std::int64_t>& number, std::int64_t min, std::int64_t max) {
    return into_number<std::int64_t>(number, min, max);
}

Binder into(std::optional<Millis>& time) {
    return [&time](std::string_view value) -> Status {
        auto parsed = parse_time(value, ConfigUnit::seconds);
        if (!parsed.ok() || parsed.value() < 0) {
            return Error{Errc::usage, in_quotes(value) + " is no TIME, such as 500ms, 10s or 2h"};
        }
        time = std::chrono::duration_cast<Millis>(std::chrono::microseconds(parsed.value()));
        return done();
    };
}

}  // namespace kq

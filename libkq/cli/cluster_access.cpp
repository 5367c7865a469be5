// SPDX-License-Identifier: Apache-2.0
#include "cli/cluster_access.hpp"

#include <algorithm>

#include "cli/text.hpp"
#include "cli/topic_names.hpp"
#include "cli/trouble_notes.hpp"

namespace kq {

// `kq-broker &` and a command in the next line is how every script begins.
constexpr std::chrono::seconds started_just_before{1};

std::string same_command(Process& process, std::string_view tool,
                         const std::vector<std::string>& dropped, std::string_view added) {
    std::string line(tool);
    bool skip_value = false;
    const auto add = [&line, &added] {
        if (!added.empty()) line += ' ' + std::string(std::exchange(added, {}));
    };
    for (const std::string& word : process.arguments()) {
        if (word == "--") add();  // what follows is no option
        if (std::exchange(skip_value, false)) continue;
        bool drop = false;
        for (const std::string& name : dropped) {
            const bool is_long = name.starts_with("--");
            skip_value = skip_value || word == name;
            drop = drop || word == name || (is_long && word.starts_with(name + "=")) ||
                   (!is_long && word.starts_with(name));
        }
        if (!drop) line += ' ' + shell_word(word);
    }
    add();
    return line;
}

std::string same_command_with(Process& process, std::string_view tool, std::string_view word,
                              std::string_view by, const std::vector<std::string>& dropped) {
    std::string line(tool);
    for (const std::string& own : process.arguments()) {
        if (std::find(dropped.begin(), dropped.end(), own) != dropped.end()) continue;
        line += ' ' + shell_word(own == word ? by : own);
    }
    return line;
}

ClusterAccess::ClusterAccess(Console& console, Settings settings,
                             std::optional<Millis> default_timeout)
    : console_(console),
      settings_(std::move(settings)),
      began_(runtime_.clock().mono()),
      waiting_(runtime_.loop()) {
    if (!settings_.timeout) settings_.timeout = default_timeout;
    if (settings_.timeout) deadline_ = now() + *settings_.timeout;
    console_.process().watch_signals(&ClusterAccess::on_signal, this);
    if (settings_.verbose == 0) return;
    tell_settings();
    notes_ = std::make_unique<ExchangeNotes>(console_, settings_.verbose > 1);
}

ClusterAccess::~ClusterAccess() {
    console_.process().watch_signals(nullptr, nullptr);
}

void ClusterAccess::on_signal(void* self, int) {
    auto* access = static_cast<ClusterAccess*>(self);
    // The process notes INT, TERM and HUP before it calls us; what is left is USR1.
    if (access->console_.process().signal() != 0 || access->wake_for_progress_) {
        access->runtime_.interrupt();
    }
}

Status ClusterAccess::finish_options(ClientOptions& options) const {
    for (const std::string& text : settings_.resolve) {
        auto rule = AddressOverride::parse(text);
        if (!rule.ok()) {
            return Error{Errc::usage, "option '--resolve': " + rule.error().message};
        }
        options.resolve.push_back(std::move(rule).value());
    }
    options.fail_fast = true;
    options.startup_grace = started_just_before;
    options.observer = notes_.get();
    return done();
}

Result<ClientOptions> ClusterAccess::client_options() const {
    KQ_LET(auto options, ClientOptions::from_properties(settings_.client_properties()));
    KQ_TRY(finish_options(options));
    return options;
}

Result<ProducerOptions> ClusterAccess::producer_options() const {
    KQ_LET(auto options, ProducerOptions::from_properties(settings_.client_properties()));
    KQ_TRY(finish_options(options.client));
    return options;
}

Result<ConsumerOptions> ClusterAccess::consumer_options() const {
    KQ_LET(auto options, ConsumerOptions::from_properties(settings_.client_properties()));
    KQ_TRY(finish_options(options.client));
    return options;
}

void ClusterAccess::watch_reader() {
    const int handle = console_.process().output_handle();
    if (handle >= 0) runtime_.watch_reader(handle);
}

void ClusterAccess::awaiting(std::string what) {
    if (console_.progress_wanted()) {
        waiting_.set_after(TroubleNotes::silence_max,
                           [this, text = "waiting for " + std::move(what) + " ..."] {
                               console_.progress(text, now());
                           });
    } else {
        waiting_.set_after(
            TroubleNotes::silence_elsewhere_max,
            [this, text = "still waiting for " + std::move(what)] { console_.warn(text); });
    }
}

std::vector<std::string> ClusterAccess::tries_for_unreachable(
    const std::optional<AdvertisedTrouble>& trouble) const {
    Process& process = console_.process();
    if (trouble) {
        std::string advertised = trouble->advertised.text();
        return {same_command(process, console_.tool(), {},
                             "--resolve " + advertised + "=" + trouble->bootstrap.text()),
                "kq-broker --advertise " + trouble->bootstrap.text() +
                    "   # on the broker, for everybody"};
    }
    const Setting& bootstrap = settings_.properties.at("bootstrap.servers");
    if (bootstrap.origin != "default") return {};
    return {"kq-broker   # starts one on localhost:9092",
            same_command(process, console_.tool(), {}, "-b HOST:PORT")};
}

Problem ClusterAccess::problem(std::string what, Error error,
                               const std::optional<AdvertisedTrouble>& trouble) const {
    Problem problem{std::move(what), std::move(error)};
    switch (problem.error.code) {
        case Errc::unreachable:
            problem.tries = tries_for_unreachable(trouble);
            break;
        case Errc::deadline_passed:
            if (settings_.timeout) {
                problem.tries = {same_command(console_.process(), console_.tool(),
                                              {"-t", "--timeout"}, "-t 1m")};
            }
            break;
        default:
            break;
    }
    return problem;
}

std::vector<std::string> ClusterAccess::tries_for_missing(
    std::string_view name, const std::vector<std::string>& known) const {
    const auto nearest = nearest_topic(name, known);
    if (nearest.empty()) return {};
    return {same_command_with(console_.process(), console_.tool(), name, nearest, {"-y", "--yes"})};
}

Status ClusterAccess::check_writable() const {
    if (!settings_.readonly || settings_.dry_run) return done();
    std::string where = settings_.context.empty() ? std::string("the client file")
                                                  : "context " + in_quotes(settings_.context);
    return Error{Errc::policy_violation, where + " is read-only"};
}

void ClusterAccess::tell_work() {
    if (notes_ == nullptr) return;
    console_.note("# " + counted(static_cast<std::int64_t>(notes_->requests()), "request") +
                  " in " + exact_duration(now() - began_));
}

void ClusterAccess::tell_settings() {
    for (const auto& [name, setting] : settings_.properties) {
        const auto* def = find_config(ConfigScope::producer, name);
        const bool secret = def != nullptr && def->is_sensitive();
        console_.note("# " + name + "=" + (secret ? "***" : visible(setting.value)) + " (" +
                      setting.origin + ")");
    }
}

}  // namespace kq

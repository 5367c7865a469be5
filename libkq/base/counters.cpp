// SPDX-License-Identifier: Apache-2.0
#include "base/counters.hpp"

#include "base/check.hpp"

namespace kq {
namespace {

std::string escaped(const std::string& label) {
    std::string out;
    for (char c : label) {
        if (c == '\\' || c == '"') out.push_back('\\');
        if (c == '\n') {
            out += "\\n";
        } else {
            out.push_back(c);
        }
    }
    return out;
}

}  // namespace

std::int64_t MetricRegistry::Series::sum() const {
    std::int64_t total = 0;
    for (const auto* counter : counters)
        total += static_cast<std::int64_t>(counter->value());
    for (const auto* gauge : gauges)
        total += gauge->value();
    for (const auto& [number, read] : observed)
        total += read();
    return total;
}

MetricRegistry::Series& MetricRegistry::series_of(std::string_view name, std::string_view help,
                                                  bool is_counter, Labels labels) {
    auto found = families_.find(name);
    if (found == families_.end()) {
        found =
            families_.emplace(std::string(name), Family{std::string(help), is_counter, {}}).first;
    }
    KQ_CHECK(found->second.is_counter == is_counter);
    return found->second.series[std::move(labels)];
}

Counter& MetricRegistry::counter(std::string_view name, std::string_view help, Labels labels) {
    std::lock_guard lock(mutex_);
    Counter& made = counters_.emplace_back();
    series_of(name, help, true, std::move(labels)).counters.push_back(&made);
    return made;
}

Gauge& MetricRegistry::gauge(std::string_view name, std::string_view help, Labels labels) {
    std::lock_guard lock(mutex_);
    Gauge& made = gauges_.emplace_back();
    series_of(name, help, false, std::move(labels)).gauges.push_back(&made);
    return made;
}

MetricRegistry::Observation MetricRegistry::observe(std::string_view name, std::string_view help,
                                                    std::function<std::int64_t()> read,
                                                    Labels labels) {
    std::lock_guard lock(mutex_);
    const auto number = ++observations_;
    series_of(name, help, false, std::move(labels)).observed.emplace(number, std::move(read));
    return Observation(*this, number);
}

MetricRegistry::Observation::~Observation() {
    if (registry_ == nullptr) return;
    std::lock_guard lock(registry_->mutex_);
    for (auto& [name, family] : registry_->families_) {
        for (auto& [labels, series] : family.series)
            series.observed.erase(number_);
    }
}

std::string MetricRegistry::render() const {
    std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [name, family] : families_) {
        out += "# HELP " + name + ' ' + family.help + '\n';
        out += "# TYPE " + name + (family.is_counter ? " counter\n" : " gauge\n");
        for (const auto& [labels, series] : family.series) {
            out += name;
            char separator = '{';
            for (const auto& [key, value] : labels) {
                out += separator + key + "=\"" + escaped(value) + '"';
                separator = ',';
            }
            if (!labels.empty()) out.push_back('}');
            out += ' ' + std::to_string(series.sum()) + '\n';
        }
    }
    return out;
}

std::int64_t MetricRegistry::value(std::string_view name, const Labels& labels) const {
    std::lock_guard lock(mutex_);
    auto family = families_.find(name);
    // Whoever asks for a misspelt one would compare with 0 for ever, and be content.
    KQ_CHECK_MSG(family != families_.end(), "a metric that nobody defined was asked for");
    auto series = family->second.series.find(labels);
    return series == family->second.series.end() ? 0 : series->second.sum();
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// Counters and gauges. Each loop asks the registry for its own and is the only one to write it
// (a relaxed load and store, no locked instruction); the reader sums those of one name and labels.
//
// shape    the registry is made by main() and handed down; what it gave lives as long as it does.
//          What is counted elsewhere already is observed: asked for its value by the reader
// owner    a Counter or Gauge belongs to the loop that asked; render() may run on any thread, and
//          what it observes must be readable there
// source   Prometheus text exposition format 0.0.4
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kq {

// Only grows. One writer.
class Counter {
public:
    void add(std::uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

// Goes up and down. One writer.
class Gauge {
public:
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t n) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

class MetricRegistry {
public:
    // A value that the registry asks for as long as this lives. Requires: the registry outlives it.
    class Observation {
    public:
        Observation() = default;
        Observation(Observation&& other) noexcept
            : registry_(std::exchange(other.registry_, nullptr)), number_(other.number_) {}
        Observation& operator=(Observation&& other) noexcept {
            std::swap(registry_, other.registry_);
            std::swap(number_, other.number_);
            return *this;
        }
        ~Observation();

    private:
        friend class MetricRegistry;
        Observation(MetricRegistry& registry, std::uint64_t number)
            : registry_(&registry), number_(number) {}
        MetricRegistry* registry_ = nullptr;
        std::uint64_t number_ = 0;
    };
    using Labels = std::vector<std::pair<std::string, std::string>>;

    MetricRegistry() = default;
    MetricRegistry(const MetricRegistry&) = delete;
    MetricRegistry& operator=(const MetricRegistry&) = delete;

    // A new instance for the caller. Instances with the same name and labels are shown as their
    // sum. `name` as Prometheus wants it (kq_requests_total); `help` is one sentence.
    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});

    // A gauge whose value `read` knows; called on whatever thread reads the metrics.
    [[nodiscard]] Observation observe(std::string_view name, std::string_view help,
                                      std::function<std::int64_t()> read, Labels labels = {});

    // Prometheus text, sorted by name and labels.
    std::string render() const;
    // The sum of one series; 0 for labels without one. For tests. Requires: the name is defined.
    std::int64_t value(std::string_view name, const Labels& labels = {}) const;

private:
    struct Series {
        std::vector<const Counter*> counters;
        std::vector<const Gauge*> gauges;
        std::map<std::uint64_t, std::function<std::int64_t()>> observed;
        std::int64_t sum() const;
    };
    struct Family {
        std::string help;
        bool is_counter = true;
        std::map<Labels, Series> series;
    };
    Series& series_of(std::string_view name, std::string_view help, bool is_counter, Labels labels);

    mutable std::mutex mutex_;
    std::deque<Counter> counters_;
    std::deque<Gauge> gauges_;
    std::uint64_t observations_ = 0;
    std::map<std::string, Family, std::less<>> families_;
};

}  // namespace kq

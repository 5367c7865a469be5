// SPDX-License-Identifier: Apache-2.0
//
// A whole broker with several data loops on threads of their own, as the program runs it: what the
// simulator, which is one thread, cannot say anything about.
#pragma once

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "base/posix_file_system.hpp"
#include "base/random.hpp"
#include "base/system_clock.hpp"
#include "base/thread.hpp"
#include "base/thread_io_pool.hpp"
#include "broker/broker.hpp"
#include "net/poco_network.hpp"

namespace kq::test {

// A directory of its own, gone at the end.
class ScratchDirectory {
public:
    ScratchDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "kq-loops.XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~ScratchDirectory() { std::filesystem::remove_all(path_); }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

class BrokerHost {
public:
    using Settings = std::vector<std::pair<std::string, std::string>>;

    BrokerHost(const std::string& directory, std::size_t loops, const Settings& settings = {}) {
        ConfigSet config(ConfigScope::broker);
        const auto set = [&](const std::string& name, const std::string& value) {
            INFO(name);
            REQUIRE(config.set(name, value).ok());
        };
        set("node.id", "1");
        set("log.dirs", directory);
        set("listeners", "PLAINTEXT://127.0.0.1:0");
        for (const auto& [name, value] : settings)
            set(name, value);
        for (std::size_t i = 0; i < loops; ++i) {
            data_loops_.push_back(std::make_unique<EpollLoop>(clock_));
            data_networks_.push_back(std::make_unique<PocoNetwork>(*data_loops_.back(), pool_));
        }
        BrokerSeams seams{control_, control_network_, {}, files_, pool_, random_, metrics, log_};
        for (std::size_t i = 0; i < loops; ++i) {
            seams.data.push_back({*data_loops_[i], *data_networks_[i]});
        }
        BrokerOptions options;
        options.config = std::make_shared<const ConfigSet>(std::move(config));
        options.host_name = "localhost";
        auto opened = Broker::open(std::move(seams), std::move(options));
        if (!opened.ok()) FAIL(opened.error().text());
        broker_ = std::move(opened).value();
        address_ = broker_->bound().front();
        start();
    }
    ~BrokerHost() {
        if (!stopped_) stop();
    }
    BrokerHost(const BrokerHost&) = delete;
    BrokerHost& operator=(const BrokerHost&) = delete;

    const Endpoint& address() const { return address_; }

    // Whether it stopped cleanly.
    bool stop() {
        stopped_ = true;
        std::atomic<bool> clean{false};
        std::atomic<bool> over{false};
        control_.post([&] {
            broker_->stop([&](bool was_clean) {
                clean = was_clean;
                over = true;
                over.notify_all();
            });
        });
        over.wait(false);
        control_.stop();
        for (auto& loop : data_loops_)
            loop->stop();
        threads_.clear();
        broker_ = nullptr;
        return clean;
    }

    MemoryLogSink log_sink;
    MetricRegistry metrics;

private:
    void start() {
        for (std::size_t i = 0; i < data_loops_.size(); ++i) {
            threads_.emplace_back("data-" + std::to_string(i),
                                  [loop = data_loops_[i].get()] { loop->run(); });
        }
        threads_.emplace_back("control", [this] { control_.run(); });
        std::atomic<int> started{0};
        control_.post([&] {
            broker_->start(
                [&](const Status& status) {
                    started = status.ok() ? 1 : -1;
                    started.notify_all();
                },
                [](const Error&) {});
        });
        started.wait(0);
        REQUIRE(started == 1);
    }

    SystemClock clock_;
    PosixFileSystem files_;
    SystemRandom random_;
    EpollLoop control_{clock_};
    std::vector<std::unique_ptr<EpollLoop>> data_loops_;
    ThreadIoPool pool_{2};
    PocoNetwork control_network_{control_, pool_};
    std::vector<std::unique_ptr<PocoNetwork>> data_networks_;
    Logger log_{log_sink};
    std::unique_ptr<Broker> broker_;
    Endpoint address_;
    std::vector<Thread> threads_;
    bool stopped_ = false;
};

}  // namespace kq::test

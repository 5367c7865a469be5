// SPDX-License-Identifier: Apache-2.0
#include "client/runtime.hpp"

#include "base/system_clock.hpp"
#include "base/thread_io_pool.hpp"
#include "net/descriptor_watch.hpp"
#include "net/epoll_loop.hpp"
#include "net/poco_network.hpp"

namespace kq {

// In the order of who needs whom.
struct ClientRuntime::Seams {
    SystemClock clock;
    SeededRandom random{system_entropy()};
    EpollLoop loop{clock};
    ThreadIoPool resolver{1};  // looks names up; has no thread until there is one to look up
    PocoNetwork network{loop, resolver};
    std::unique_ptr<DescriptorWatch> reader;
};

ClientRuntime::ClientRuntime() : seams_(std::make_unique<Seams>()) {}
ClientRuntime::~ClientRuntime() = default;

Loop& ClientRuntime::loop() {
    return seams_->loop;
}
Network& ClientRuntime::network() {
    return seams_->network;
}
Random& ClientRuntime::random() {
    return seams_->random;
}
const Clock& ClientRuntime::clock() const {
    return seams_->clock;
}

void ClientRuntime::turn(MonoTime until) {
    seams_->loop.run_turn(until);
}

Status ClientRuntime::wait_until(Function<bool()> condition, std::optional<MonoTime> deadline) {
    while (true) {
        if (condition()) return done();
        if (is_interrupted()) return Error{Errc::interrupted, "interrupted"};
        auto now = clock().mono();
        if (deadline && now >= *deadline) {
            return Error{Errc::deadline_passed, "the time was up before the answer came"};
        }
        turn(deadline.value_or(now + std::chrono::hours(1)));
    }
}

Status ClientRuntime::poll_fd(int fd, FdUse use, std::optional<MonoTime> deadline) {
    bool ready = false;
    DescriptorWatch watch(
        seams_->loop, fd,
        use == FdUse::read ? DescriptorWatch::For::reading : DescriptorWatch::For::writing,
        [&ready] { ready = true; });
    return wait_until([&ready] { return ready; }, deadline);
}

void ClientRuntime::watch_reader(int fd) {
    seams_->reader =
        std::make_unique<DescriptorWatch>(seams_->loop, fd, DescriptorWatch::For::hang_up, [this] {
            seams_->reader->pause();  // it stays gone
            reader_is_gone_ = true;
            interrupt();
        });
}

void ClientRuntime::interrupt() {
    interrupted_.store(true, std::memory_order_relaxed);
    seams_->loop.wake();
}

}  // namespace kq

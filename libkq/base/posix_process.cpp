// SPDX-License-Identifier: Apache-2.0
#include "base/posix_process.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.hpp"

namespace kq {
namespace {

using std::chrono::steady_clock;

// A handler reaches nothing but what is static: the one place in kq that has to.
std::atomic<int> first_signal{0};
std::atomic<bool> first_signal_of_terminal{false};
std::atomic<bool> progress_requested{false};
std::atomic<int> wake_handle{-1};
std::atomic<Process::SignalHook> signal_hook{nullptr};
std::atomic<void*> signal_context{nullptr};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

extern "C" void note_signal(int number, siginfo_t* info, void*) {
    int saved = errno;
    if (number == SIGUSR1) {
        progress_requested.store(true);
    } else {
        // The kernel itself sends INT for the keys of a terminal alone.
        first_signal_of_terminal.store(info != nullptr && info->si_code == SI_KERNEL);
        int none = 0;
        if (!first_signal.compare_exchange_strong(none, number)) ::_exit(128 + number);
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] auto written = ::write(wake_handle.load(), &one, sizeof(one));
    if (auto hook = signal_hook.load()) hook(signal_context.load(), number);
    errno = saved;
}

Error error_of_errno(int number, const std::string& what) {
    Errc code = Errc::io_error;
    if (number == ENOENT || number == ENOTDIR) code = Errc::not_found;
    if (number == EACCES || number == EPERM) code = Errc::permission_denied;
    if (number == ENOSPC || number == EDQUOT) code = Errc::disk_full;
    if (number == EPIPE) code = Errc::connection_closed;
    return Error{code, what + ": " + std::strerror(number)};
}

// A pipe holds 64 KiB unless it is asked to hold more; a larger one means fewer turns.
void enlarge_pipe(int handle) {
    struct stat info {};
    if (::fstat(handle, &info) == 0 && S_ISFIFO(info.st_mode)) {
        ::fcntl(handle, F_SETPIPE_SZ, 1 << 20);
    }
}

class PosixInput final : public Input {
public:
    PosixInput(int handle, std::string name) : handle_(handle), name_(std::move(name)) {
        enlarge_pipe(handle_);
    }
    ~PosixInput() override {
        if (handle_ != STDIN_FILENO) ::close(handle_);
    }

    Result<std::size_t> read(MutableBytes into, std::optional<Millis> wait) override {
        if (first_signal.load() != 0) return Error{Errc::interrupted, "a signal came"};
        pollfd handles[2] = {{handle_, POLLIN, 0}, {wake_handle.load(), POLLIN, 0}};
        int ready =
            ::poll(handles, handles[1].fd < 0 ? 1 : 2, wait ? static_cast<int>(wait->count()) : -1);
        if (ready < 0 && errno != EINTR) return error_of_errno(errno, "cannot wait for " + name_);
        if (first_signal.load() != 0) return Error{Errc::interrupted, "a signal came"};
        if (handles[1].revents != 0) {  // USR1: the caller shows how far it is, and comes back
            std::uint64_t count = 0;
            [[maybe_unused]] auto drained = ::read(handles[1].fd, &count, sizeof(count));
        }
        if (ready <= 0 || handles[0].revents == 0) return Error{Errc::would_block, {}};
        auto got = ::read(handle_, into.data(), into.size());
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno == EINTR || errno == EAGAIN) return Error{Errc::would_block, {}};
        return error_of_errno(errno, "cannot read " + name_);
    }

    int native_handle() const override { return handle_; }

private:
    int handle_;
    std::string name_;
};

int handle_of(Stream stream) {
    return stream == Stream::in    ? STDIN_FILENO
           : stream == Stream::out ? STDOUT_FILENO
                                   : STDERR_FILENO;
}

bool wait_writable(int handle, steady_clock::time_point until) {
    auto left = std::chrono::duration_cast<Millis>(until - steady_clock::now());
    pollfd one{handle, POLLOUT, 0};
    return left.count() > 0 && ::poll(&one, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace

PosixProcess::PosixProcess(int argc, const char* const* argv)
    : arguments_(argc > 0 ? argv + 1 : argv, argv + argc) {
    ::signal(SIGPIPE, SIG_IGN);
    // In ascending order: open() takes the lowest number that is free.
    for (int handle : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(handle, F_GETFD) >= 0 || errno != EBADF) continue;
        KQ_CHECK(::open("/dev/null", O_RDWR) == handle);
        missing_[static_cast<std::size_t>(handle)] = true;
    }
}

bool PosixProcess::is_missing(Stream stream) const {
    return missing_[static_cast<std::size_t>(handle_of(stream))];
}

std::optional<std::string> PosixProcess::variable(const std::string& name) const {
    const char* value = ::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::vector<std::pair<std::string, std::string>> PosixProcess::variables(
    std::string_view prefix) const {
    std::vector<std::pair<std::string, std::string>> found;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        std::string_view text(*entry);
        auto equals = text.find('=');
        if (!text.starts_with(prefix) || equals == std::string_view::npos) continue;
        found.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return found;
}

std::string PosixProcess::program_directory() const {
    std::string path(4096, '\0');
    auto size = ::readlink("/proc/self/exe", path.data(), path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

Error PosixProcess::replace_by(const std::string& program, std::vector<std::string> words) {
    words.insert(words.begin(), program.substr(program.rfind('/') + 1));
    std::vector<char*> pointers;
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::signal(SIGPIPE, SIG_DFL);  // as we found it
    for (int handle : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (missing_[static_cast<std::size_t>(handle)]) ::fcntl(handle, F_SETFD, FD_CLOEXEC);
    }
    ::execv(program.c_str(), pointers.data());
    return error_of_errno(errno, program);
}

Status PosixProcess::check_input(const std::string& path) const {
    if (path == "-") {
        if (is_missing(Stream::in)) return Error{Errc::not_found, "standard input is closed"};
        return done();
    }
    struct stat info {};
    if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0 ||
        ::stat(path.c_str(), &info) != 0) {
        return error_of_errno(errno, "cannot open '" + path + "'");
    }
    if (!S_ISDIR(info.st_mode)) return done();
    return Error{Errc::io_error, "cannot read '" + path + "': it is a directory"};
}

Result<std::unique_ptr<Input>> PosixProcess::open_input(const std::string& path) {
    KQ_TRY(check_input(path));
    if (path == "-") {
        return std::unique_ptr<Input>(std::make_unique<PosixInput>(STDIN_FILENO, "standard input"));
    }
    int handle = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (handle < 0) return error_of_errno(errno, "cannot open '" + path + "'");
    return std::unique_ptr<Input>(std::make_unique<PosixInput>(handle, "'" + path + "'"));
}

// After INT, TERM or HUP a reader that stands still may hold us up no longer than this.
constexpr std::chrono::seconds patience_after_signal{5};

Status PosixProcess::write(Stream stream, ByteView bytes) {
    const int handle = handle_of(stream);
    if (stream == Stream::out && is_missing(stream)) {
        return Error{Errc::connection_closed, "standard output is closed"};
    }
    constexpr std::size_t large = 64 << 10;
    if (bytes.size() >= large && !output_enlarged_) {
        output_enlarged_ = true;
        enlarge_pipe(handle);
    }
    std::optional<steady_clock::time_point> until;
    while (!bytes.empty()) {
        auto size = bytes.size();
        if (first_signal.load() != 0) {
            if (!until) until = steady_clock::now() + patience_after_signal;
            if (!wait_writable(handle, *until)) {
                return Error{Errc::interrupted, "nobody takes the output"};
            }
            size = std::min<std::size_t>(size, PIPE_BUF);  // cannot block once writable
        }
        auto written = ::write(handle, bytes.data(), size);
        if (written >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            pollfd one{handle, POLLOUT, 0};
            ::poll(&one, 1, -1);
        } else if (errno != EINTR) {
            return error_of_errno(errno, stream == Stream::err ? "cannot write standard error"
                                                               : "cannot write standard output");
        }
    }
    return done();
}

int PosixProcess::output_handle() const {
    return is_missing(Stream::out) ? -1 : STDOUT_FILENO;
}

bool PosixProcess::is_terminal(Stream stream) const {
    return ::isatty(handle_of(stream)) == 1;
}

int PosixProcess::terminal_columns() const {
    if (auto columns = variable("COLUMNS")) {
        int count = std::atoi(columns->c_str());
        if (count > 0) return count;
    }
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

void PosixProcess::watch_signals(SignalHook hook, void* context) {
    signal_hook.store(nullptr);  // never the new hook with the old context
    signal_context.store(context);
    signal_hook.store(hook);
    if (wake_handle.load() < 0) wake_handle.store(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    struct sigaction action {};
    action.sa_sigaction = note_signal;
    action.sa_flags = SA_SIGINFO;  // without SA_RESTART: a blocked call comes back
    ::sigemptyset(&action.sa_mask);
    for (int number : {SIGINT, SIGTERM, SIGUSR1})
        ::sigaction(number, &action, nullptr);
    struct sigaction hangup {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
}

void PosixProcess::ignore_hangups() {
    ::signal(SIGHUP, SIG_IGN);
}

int PosixProcess::signal() const {
    return first_signal.load();
}

bool PosixProcess::signal_is_of_terminal() const {
    return first_signal_of_terminal.load();
}

bool PosixProcess::take_progress_request() {
    return progress_requested.exchange(false);
}

}  // namespace kq

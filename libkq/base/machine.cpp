// SPDX-License-Identifier: Apache-2.0
#include "base/machine.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file_system.hpp"

namespace kq {
namespace {

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

// Those files of the kernel's do not tell their size. "" where there is none.
std::string text_of(FileSystem& files, const std::string& path) {
    auto file = files.open(path, OpenMode::read);
    if (!file.ok()) return {};
    std::string text(std::size_t{64} << 10, '\0');
    auto* begin = reinterpret_cast<std::uint8_t*>(text.data());
    auto got = file.value()->pread(0, MutableBytes(begin, text.size()));
    text.resize(got.ok() ? got.value() : 0);
    return text;
}

// "max" is none.
std::uint64_t limit_in(FileSystem& files, const std::string& path) {
    const std::string text = text_of(files, path);
    std::uint64_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    return error == std::errc{} ? limit : no_limit;
}

// The least of a group and of those above it. A container may see its own group as the top: what is
// not there limits nothing.
std::uint64_t least_limit(FileSystem& files, const std::string& top, std::string group,
                          const std::string& name) {
    std::uint64_t least = no_limit;
    while (!group.empty() && group != "/") {
        least = std::min(least, limit_in(files, top + group + "/" + name));
        group.resize(group.rfind('/'));
    }
    return std::min(least, limit_in(files, top + "/" + name));
}

bool has_word(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const auto end = std::min(list.find(','), list.size());
        if (list.substr(0, end) == word) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

std::uint64_t limit_of_control_groups(FileSystem& files) {
    std::uint64_t least = no_limit;
    const std::string groups = text_of(files, "/proc/self/cgroup");
    for (std::string_view rest = groups; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));  // NUMBER:CONTROLLERS:PATH
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto first = line.find(':');
        if (first == std::string_view::npos) continue;
        const auto second = line.find(':', first + 1);
        if (second == std::string_view::npos || !line.substr(second + 1).starts_with('/')) continue;
        const auto controllers = line.substr(first + 1, second - first - 1);
        const std::string group(line.substr(second + 1));
        if (controllers.empty()) {
            least = std::min(least, least_limit(files, "/sys/fs/cgroup", group, "memory.max"));
        } else if (has_word(controllers, "memory")) {
            least = std::min(
                least, least_limit(files, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
        }
    }
    return least;
}

}  // namespace

unsigned processor_count() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1u : static_cast<unsigned>(count);
}

std::uint64_t physical_memory_bytes() {
    auto pages = ::sysconf(_SC_PHYS_PAGES);
    auto page_bytes = ::sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_bytes <= 0) return std::uint64_t{1} << 30;
    return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
}

std::uint64_t usable_memory_bytes(FileSystem& files) {
    return std::min(physical_memory_bytes(), limit_of_control_groups(files));
}

std::uint64_t raise_open_files_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void tune_allocator() {
    ::mallopt(M_ARENA_MAX, 2);
    ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

void give_back_free_memory() {
    constexpr std::size_t much = std::size_t{64} << 20;
    if (::mallinfo2().fordblks >= much) ::malloc_trim(0);
}

}  // namespace kq

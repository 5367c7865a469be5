// SPDX-License-Identifier: Apache-2.0
#include "base/memory_file_system.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/memory_inode.hpp"

namespace kq {
namespace {

using Inode = std::shared_ptr<MemoryInode>;
using Step = MemoryInode::Step;

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    std::size_t at = 0;
    while (at < path.size()) {
        auto slash = std::min(path.find('/', at), path.size());
        auto part = path.substr(at, slash - at);
        if (!part.empty() && part != ".") parts.push_back(part);
        at = slash + 1;
    }
    return parts;
}

}  // namespace

struct MemoryFileSystem::State {
    State(const Clock& clock_in, CrashModel model_in)
        : clock(clock_in), model(model_in), root(make(true)) {}

    const Clock& clock;
    const CrashModel model;
    mutable std::mutex mutex;  // names, locks and faults
    Inode root;
    std::map<std::string, std::uint64_t> locks;  // path -> generation of its holder
    std::set<std::string> fail_next_sync;
    std::set<std::string> fail_writes;
    std::set<std::string> fail_reads;
    std::set<std::string> no_descriptors;
    std::map<std::string, std::set<std::uint64_t>> warm_pages;  // of files that went cold
    std::atomic<bool> has_cold{false};
    std::atomic<bool> has_faults{false};
    std::atomic<bool> syncs_directories{true};
    std::atomic<std::uint64_t> capacity{std::uint64_t{1} << 50};
    std::atomic<std::uint64_t> used{0};
    std::atomic<std::uint64_t> syncs{0};
    std::atomic<std::uint64_t> generation{1};  // of the process: what an older one opened is dead
    std::uint64_t boots = 1;
    std::function<void(const char*)> blocking_check;

    Inode make(bool is_directory) const {
        return std::make_shared<MemoryInode>(is_directory, model == CrashModel::on, clock.wall());
    }

    Inode find(const std::string& path) const {
        Inode at = root;
        for (const auto& part : parts_of(path)) {
            if (!at->is_directory()) return nullptr;
            auto found = at->names.find(part);
            if (found == at->names.end()) return nullptr;
            at = found->second;
        }
        return at;
    }

    // The directory that holds `path`, and the name in it.
    std::pair<Inode, std::string> place_of(const std::string& path) const {
        auto parts = parts_of(path);
        if (parts.empty()) return {nullptr, {}};
        auto name = parts.back();
        Inode at = root;
        for (std::size_t i = 0; i + 1 < parts.size() && at != nullptr; ++i) {
            auto found = at->is_directory() ? at->names.find(parts[i]) : at->names.end();
            at = at->is_directory() && found != at->names.end() ? found->second : nullptr;
        }
        if (at != nullptr && !at->is_directory()) at = nullptr;
        return {at, name};
    }

    void change(MemoryInode& directory, Step step) const {
        MemoryInode::apply(step, directory.names);
        if (model == CrashModel::on) {
            directory.steps.push_back(std::move(step));
        }
    }

    static bool names(const std::set<std::string>& faults, const std::string& path) {
        return faults.contains(path) || faults.contains("");
    }
    bool fails(const std::set<std::string>& faults, const std::string& path) const {
        if (!has_faults.load(std::memory_order_relaxed)) return false;
        std::lock_guard lock(mutex);
        return names(faults, path);
    }
    // The page cache, of files that went cold once.
    static constexpr std::uint64_t page_bytes = 4096;
    void warm(const std::string& path, std::uint64_t position, std::size_t count) {
        if (!has_cold.load(std::memory_order_relaxed) || count == 0) return;
        std::lock_guard lock(mutex);
        const auto found = warm_pages.find(path);
        if (found == warm_pages.end()) return;
        for (auto page = position / page_bytes; page <= (position + count - 1) / page_bytes; ++page)
            found->second.insert(page);
    }
    bool is_warm(const std::string& path, std::uint64_t position, std::size_t count) const {
        if (!has_cold.load(std::memory_order_relaxed) || count == 0) return true;
        std::lock_guard lock(mutex);
        const auto found = warm_pages.find(path);
        if (found == warm_pages.end()) return true;
        for (auto page = position / page_bytes; page <= (position + count - 1) / page_bytes; ++page)
            if (found->second.count(page) == 0) return false;
        return true;
    }
    bool takes_sync_fault(const std::string& path) {
        if (!has_faults.load(std::memory_order_relaxed)) return false;
        std::lock_guard lock(mutex);
        return fail_next_sync.erase(path) > 0 || fail_next_sync.erase("") > 0;
    }
};

namespace {

Error no_such(const char* what, const std::string& path) {
    return {Errc::not_found,
            std::string("cannot ") + what + " '" + path + "': no such file or directory"};
}

Error no_descriptor(const std::string& path) {
    return {Errc::too_many_open_files, "cannot open '" + path + "': too many open files"};
}

class MemoryFile final : public File {
public:
    using State = MemoryFileSystem::State;

    MemoryFile(std::shared_ptr<State> state, Inode inode, std::string path, bool writable)
        : state_(std::move(state)),
          inode_(std::move(inode)),
          path_(std::move(path)),
          generation_(state_->generation.load()),
          writable_(writable) {}

    std::uint64_t size() const override { return inode_->size(); }

    Result<std::size_t> pread(std::uint64_t position, MutableBytes into) const override {
        KQ_TRY(check_alive("read"));
        if (state_->fails(state_->fail_reads, path_)) return broken("read");
        state_->warm(path_, position, into.size());
        return inode_->read(position, into);
    }
    Result<std::size_t> pread_nowait(std::uint64_t position, MutableBytes into) const override {
        if (!state_->is_warm(path_, position, into.size())) {
            return Error{Errc::would_block, "'" + path_ + "' is not in the page cache"};
        }
        return pread(position, into);
    }

    Status pwritev(std::uint64_t position, std::span<const ByteView> pieces) override {
        KQ_TRY(check_alive("write"));
        if (!writable_) return Error{Errc::io_error, "'" + path_ + "' was opened to be read"};
        if (state_->fails(state_->fail_writes, path_)) return broken("write");
        for (auto piece : pieces) {
            auto wanted = piece.size();
            piece = piece.first(room_for(position, wanted));
            grow_to(position + piece.size());
            inode_->write(position, piece, state_->clock.wall());
            position += piece.size();
            if (piece.size() < wanted) {
                return Error{Errc::disk_full,
                             "cannot write '" + path_ + "': no space left on device"};
            }
        }
        return done();
    }

    Status allocate(std::uint64_t, std::uint64_t length) override {
        KQ_TRY(check_alive("reserve space for"));
        if (state_->used.load() + length > state_->capacity.load()) {
            return Error{Errc::disk_full,
                         "cannot reserve space for '" + path_ + "': no space left on device"};
        }
        return done();
    }

    Status truncate(std::uint64_t size) override {
        KQ_TRY(check_alive("cut"));
        if (state_->fails(state_->fail_writes, path_)) return broken("cut");
        state_->used += size - inode_->size();  // wraps back where it shrinks
        inode_->truncate(size, state_->clock.wall());
        return done();
    }

    Status sync() override {
        KQ_TRY(check_alive("sync"));
        if (state_->blocking_check) state_->blocking_check("sync");
        if (state_->takes_sync_fault(path_)) {
            inode_->sync_failed();
            return broken("sync");
        }
        inode_->sync();
        ++state_->syncs;
        return done();
    }

    void start_write_back(std::uint64_t, std::uint64_t) override {}
    void drop_cached(std::uint64_t, std::uint64_t) override {}
    int native_handle() const override { return -1; }

private:
    Status check_alive(const char* what) const {
        if (state_->generation.load(std::memory_order_relaxed) == generation_) return done();
        return Error{Errc::io_error, std::string("cannot ") + what + " '" + path_ +
                                         "': the process that opened it is gone"};
    }
    Error broken(const char* what) const {
        return {Errc::io_error,
                std::string("cannot ") + what + " '" + path_ + "': input/output error"};
    }
    // How many of `wanted` bytes at `position` the disk has room for.
    std::size_t room_for(std::uint64_t position, std::size_t wanted) const {
        auto size = inode_->size();
        std::uint64_t used = state_->used.load();
        std::uint64_t capacity = state_->capacity.load();
        std::uint64_t free = capacity > used ? capacity - used : 0;
        std::uint64_t end_max = size + free;
        if (position + wanted <= end_max) return wanted;
        return position >= end_max ? 0 : static_cast<std::size_t>(end_max - position);
    }
    void grow_to(std::uint64_t end) {
        auto size = inode_->size();
        if (end > size) state_->used += end - size;
    }

    std::shared_ptr<State> state_;
    Inode inode_;
    std::string path_;
    std::uint64_t generation_;
    bool writable_;
};

class MemoryFileLock final : public FileLock {
public:
    MemoryFileLock(std::shared_ptr<MemoryFileSystem::State> state, std::string path)
        : state_(std::move(state)), path_(std::move(path)), generation_(state_->generation) {}
    ~MemoryFileLock() override {
        std::lock_guard lock(state_->mutex);
        auto held = state_->locks.find(path_);
        if (held != state_->locks.end() && held->second == generation_) state_->locks.erase(held);
    }

private:
    std::shared_ptr<MemoryFileSystem::State> state_;
    std::string path_;
    std::uint64_t generation_;
};

}  // namespace

MemoryFileSystem::MemoryFileSystem(const Clock& clock, CrashModel model)
    : state_(std::make_shared<State>(clock, model)) {}

MemoryFileSystem::~MemoryFileSystem() = default;

Result<std::shared_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode) {
    std::lock_guard lock(state_->mutex);
    if (State::names(state_->no_descriptors, path)) return no_descriptor(path);
    auto [directory, name] = state_->place_of(path);
    if (directory == nullptr) return no_such("open", path);
    auto found = directory->names.find(name);
    bool exists = found != directory->names.end();
    if (exists && mode == OpenMode::create_new) {
        return Error{Errc::already_exists, "cannot open '" + path + "': file exists"};
    }
    Inode inode;
    if (exists) {
        inode = found->second;
        if (inode->is_directory() && mode != OpenMode::read) {
            return Error{Errc::io_error, "cannot open '" + path + "': is a directory"};
        }
    } else {
        if (mode == OpenMode::read || mode == OpenMode::read_write) return no_such("open", path);
        if (state_->used.load() >= state_->capacity.load()) {
            return Error{Errc::disk_full, "cannot open '" + path + "': no space left on device"};
        }
        inode = state_->make(false);
        state_->change(*directory, {Step::Kind::add, name, {}, inode});
    }
    return std::shared_ptr<File>(
        std::make_shared<MemoryFile>(state_, inode, path, mode != OpenMode::read));
}

Result<FileInfo> MemoryFileSystem::info(const std::string& path) const {
    std::lock_guard lock(state_->mutex);
    auto inode = state_->find(path);
    if (inode == nullptr) return no_such("look at", path);
    return FileInfo{inode->size(), inode->modified(), inode->is_directory()};
}

Status MemoryFileSystem::rename(const std::string& from, const std::string& to) {
    std::lock_guard lock(state_->mutex);
    auto [from_directory, from_name] = state_->place_of(from);
    auto [to_directory, to_name] = state_->place_of(to);
    if (from_directory == nullptr || to_directory == nullptr) return no_such("rename", from);
    auto found = from_directory->names.find(from_name);
    if (found == from_directory->names.end()) return no_such("rename", from);
    auto inode = found->second;
    auto replaced = to_directory->names.find(to_name);
    if (replaced != to_directory->names.end() && replaced->second != inode) {
        if (replaced->second->is_directory() && !replaced->second->names.empty()) {
            return Error{Errc::already_exists,
                         "cannot rename '" + from + "': '" + to + "' is not empty"};
        }
        state_->used -= replaced->second->size();
    }
    if (from_directory == to_directory) {
        state_->change(*from_directory, {Step::Kind::rename, from_name, to_name, inode});
    } else {
        state_->change(*to_directory, {Step::Kind::add, to_name, {}, inode});
        state_->change(*from_directory, {Step::Kind::remove, from_name, {}, inode});
    }
    return done();
}

Status MemoryFileSystem::unlink(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    auto [directory, name] = state_->place_of(path);
    if (directory == nullptr || !directory->names.contains(name)) return no_such("remove", path);
    auto inode = directory->names[name];
    if (inode->is_directory()) {
        return Error{Errc::io_error, "cannot remove '" + path + "': is a directory"};
    }
    state_->used -= inode->size();
    state_->change(*directory, {Step::Kind::remove, name, {}, inode});
    return done();
}

Status MemoryFileSystem::mkdir(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    Inode at = state_->root;
    for (const auto& part : parts_of(path)) {
        auto found = at->names.find(part);
        if (found == at->names.end()) {
            auto made = state_->make(true);
            state_->change(*at, {Step::Kind::add, part, {}, made});
            at = made;
            continue;
        }
        at = found->second;
        if (!at->is_directory()) {
            return Error{Errc::io_error,
                         "cannot make the directory '" + path + "': not a directory"};
        }
    }
    return done();
}

Status MemoryFileSystem::rmdir(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    auto [directory, name] = state_->place_of(path);
    if (directory == nullptr || !directory->names.contains(name)) {
        return no_such("remove the directory", path);
    }
    auto inode = directory->names[name];
    if (!inode->is_directory() || !inode->names.empty()) {
        return Error{Errc::io_error,
                     "cannot remove the directory '" + path + "': directory not empty"};
    }
    state_->change(*directory, {Step::Kind::remove, name, {}, inode});
    return done();
}

Status MemoryFileSystem::sync_dir(const std::string& path) {
    if (state_->blocking_check) state_->blocking_check("sync_dir");
    if (state_->fails(state_->no_descriptors, path)) return no_descriptor(path);
    if (state_->takes_sync_fault(path)) {
        return Error{Errc::io_error,
                     "cannot sync the directory '" + path + "': input/output error"};
    }
    std::lock_guard lock(state_->mutex);
    auto inode = state_->find(path);
    if (inode == nullptr || !inode->is_directory()) return no_such("open the directory", path);
    for (const auto& step : inode->steps)
        MemoryInode::apply(step, inode->durable_names);
    inode->steps.clear();
    ++state_->syncs;
    return done();
}

Status MemoryFileSystem::sync_directories(const std::vector<std::string>& paths) {
    if (state_->blocking_check) state_->blocking_check("sync_directories");
    for (const auto& path : paths)
        if (state_->fails(state_->no_descriptors, path)) return no_descriptor(path);
    if (!state_->syncs_directories) {
        return Error{Errc::unsupported, "this disk syncs files and directories one by one"};
    }
    ++state_->syncs;
    // As the kernel does it: what can be synced is, and one error stands for all.
    Status result = done();
    const bool all_fail = state_->takes_sync_fault({});
    for (const auto& path : paths) {
        std::vector<std::pair<std::string, Inode>> files;
        {
            std::lock_guard lock(state_->mutex);
            auto inode = state_->find(path);
            if (inode == nullptr || !inode->is_directory()) {
                return no_such("open the directory", path);
            }
            for (const auto& [name, child] : inode->names) {
                if (!child->is_directory()) files.emplace_back(path + '/' + name, child);
            }
        }
        for (const auto& [file, inode] : files) {
            if (all_fail || state_->takes_sync_fault(file)) {
                inode->sync_failed();
                result = Error{Errc::io_error,
                               "cannot sync the disk of '" + file + "': input/output error"};
            } else {
                inode->sync();
            }
        }
        if (all_fail || state_->takes_sync_fault(path)) {
            result =
                Error{Errc::io_error, "cannot sync the disk of '" + path + "': input/output error"};
            continue;
        }
        std::lock_guard lock(state_->mutex);
        auto inode = state_->find(path);
        if (inode == nullptr) continue;
        for (const auto& step : inode->steps)
            MemoryInode::apply(step, inode->durable_names);
        inode->steps.clear();
    }
    return result;
}

Result<std::vector<std::string>> MemoryFileSystem::list(const std::string& path) const {
    std::lock_guard lock(state_->mutex);
    auto inode = state_->find(path);
    if (inode == nullptr || !inode->is_directory()) return no_such("list", path);
    std::vector<std::string> names;
    for (const auto& [name, child] : inode->names)
        names.push_back(name);
    return names;
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::lock(const std::string& path) {
    { KQ_LET(auto file, open(path, OpenMode::create)); }
    std::lock_guard guard(state_->mutex);
    auto [held, taken] = state_->locks.try_emplace(path, state_->generation.load());
    if (!taken) return Error{Errc::locked, "'" + path + "' is held by this process"};
    return std::unique_ptr<FileLock>(std::make_unique<MemoryFileLock>(state_, path));
}

Result<FileSystem::Space> MemoryFileSystem::free_space(const std::string&) const {
    auto used = state_->used.load();
    auto capacity = state_->capacity.load();
    return Space{capacity > used ? capacity - used : 0, capacity};
}

std::string MemoryFileSystem::boot_id() const {
    std::lock_guard lock(state_->mutex);
    auto number = std::to_string(state_->boots);
    return "00000000-0000-4000-8000-" + std::string(12 - number.size(), '0') + number;
}

void MemoryFileSystem::kill() {
    std::lock_guard lock(state_->mutex);
    ++state_->generation;
    state_->locks.clear();
}

namespace {

struct Odds {
    Random* random;        // null: everything unsynced is lost
    double draw() const {  // of one file or directory
        if (random == nullptr) return 0;
        switch (random->below(4)) {
            case 0:
                return 0;
            case 1:
                return 1;
            default:
                return 0.5;
        }
    }
};

// What the disk held: every directory's durable names and a draw of the steps after them; then the
// same below it.
void lose_power(MemoryInode& directory, const Odds& odds, Random& random, std::uint64_t& used) {
    double keep = odds.draw();
    MemoryInode::Names names = directory.durable_names;
    for (const auto& step : directory.steps) {
        if (random.chance(keep)) MemoryInode::apply(step, names);
    }
    directory.names = names;
    directory.durable_names = std::move(names);
    directory.steps.clear();
    for (auto& [name, child] : directory.names) {
        if (child->is_directory()) {
            lose_power(*child, odds, random, used);
        } else {
            child->power_off(random, odds.draw());
            used += child->size();
        }
    }
}

}  // namespace

void MemoryFileSystem::power_off(Random& random) {
    KQ_CHECK(state_->model == CrashModel::on);
    kill();
    std::lock_guard lock(state_->mutex);
    std::uint64_t used = 0;
    lose_power(*state_->root, Odds{&random}, random, used);
    state_->used = used;
    ++state_->boots;
}

void MemoryFileSystem::power_off_losing_all() {
    KQ_CHECK(state_->model == CrashModel::on);
    kill();
    std::lock_guard lock(state_->mutex);
    std::uint64_t used = 0;
    SeededRandom unused(0);
    lose_power(*state_->root, Odds{nullptr}, unused, used);
    state_->used = used;
    ++state_->boots;
}

void MemoryFileSystem::fail_next_sync(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    state_->fail_next_sync.insert(path);
    state_->has_faults = true;
}

void MemoryFileSystem::fail_writes(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    state_->fail_writes.insert(path);
    state_->has_faults = true;
}

void MemoryFileSystem::fail_reads(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    state_->fail_reads.insert(path);
    state_->has_faults = true;
}

void MemoryFileSystem::take_descriptors(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    state_->no_descriptors.insert(path);
    state_->has_faults = true;
}

void MemoryFileSystem::go_cold(const std::string& path) {
    std::lock_guard lock(state_->mutex);
    state_->warm_pages[path].clear();
    state_->has_cold = true;
}

void MemoryFileSystem::forbid_sync_directories() {
    state_->syncs_directories = false;
}

void MemoryFileSystem::set_capacity(std::uint64_t bytes) {
    state_->capacity = bytes;
}

void MemoryFileSystem::clear_faults() {
    std::lock_guard lock(state_->mutex);
    state_->fail_next_sync.clear();
    state_->fail_writes.clear();
    state_->fail_reads.clear();
    state_->no_descriptors.clear();
    state_->has_faults = false;
    state_->syncs_directories = true;
    state_->capacity = std::uint64_t{1} << 50;
}

void MemoryFileSystem::flip_bit(const std::string& path, std::uint64_t position, int bit) {
    std::lock_guard lock(state_->mutex);
    auto inode = state_->find(path);
    KQ_CHECK(inode != nullptr && !inode->is_directory());
    inode->flip(position, bit);
}

void MemoryFileSystem::set_blocking_check(std::function<void(const char* what)> check) {
    state_->blocking_check = std::move(check);
}

std::uint64_t MemoryFileSystem::sync_count() const {
    return state_->syncs.load();
}

std::uint64_t MemoryFileSystem::used_bytes() const {
    return state_->used.load();
}

bool MemoryFileSystem::is_durable(const std::string& path) const {
    std::lock_guard lock(state_->mutex);
    Inode at = state_->root;
    for (const auto& part : parts_of(path)) {
        auto found = at->durable_names.find(part);
        if (found == at->durable_names.end()) return false;
        at = found->second;
    }
    return at->is_directory() || at->is_synced();
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// CowMap: a sorted map whose copies share what did not change: copying costs a pointer per 128
// entries, one change copies one block of them. The images of the metadata are made of these.
//
// shape    a vector of immutable blocks of at most block_max sorted entries, none empty. A block is
//          changed in place only by the EditSession that made it, which nobody else has seen yet
// owner    a value. A copy may be read by any thread; an EditSession ends before its maps are
//          shared
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace kq {

// One run of changes, made by one owner, before the result is published. Blocks remember the
// session that made them; a block of the current session need not be copied again.
class EditSession {
public:
    EditSession() : token_(std::make_shared<const char>('\0')) {}
    // A session belongs to one value: copies would both think that a block is theirs alone.
    EditSession(const EditSession&) = delete;
    EditSession& operator=(const EditSession&) = delete;
    const std::shared_ptr<const char>& token() const { return token_; }

private:
    std::shared_ptr<const char> token_;
};

template <class K, class V>
class CowMap {
public:
    using Entry = std::pair<K, V>;
    static constexpr std::size_t block_max = 128;

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    template <class Key>
    const V* find(const Key& key) const {
        auto block = block_for(key);
        if (block == blocks_.end()) return nullptr;
        auto entry = lower((*block)->entries, key);
        if (entry == (*block)->entries.end() || key < entry->first) return nullptr;
        return &entry->second;
    }
    template <class Key>
    bool contains(const Key& key) const {
        return find(key) != nullptr;
    }

    // Adds, or replaces what the key had.
    void put(const EditSession& edit, K key, V value) {
        if (blocks_.empty()) {
            blocks_.push_back(fresh(edit, {}));
            blocks_.back()->entries.emplace_back(std::move(key), std::move(value));
            ++size_;
            return;
        }
        auto at = block_for(key);
        auto index = static_cast<std::size_t>(
            at == blocks_.end() ? blocks_.size() - 1
                                : static_cast<std::size_t>(at - blocks_.cbegin()));
        auto& entries = editable(edit, index).entries;
        auto entry = lower(entries, key);
        if (entry != entries.end() && !(key < entry->first)) {
            entry->second = std::move(value);
            return;
        }
        entries.emplace(entry, std::move(key), std::move(value));
        ++size_;
        if (entries.size() > block_max) split(edit, index);
    }

    template <class Key>
    bool erase(const EditSession& edit, const Key& key) {
        auto at = block_for(key);
        if (at == blocks_.end()) return false;
        if (find(key) == nullptr) return false;
        auto index = static_cast<std::size_t>(at - blocks_.cbegin());
        auto& entries = editable(edit, index).entries;
        entries.erase(lower(entries, key));
        if (entries.empty()) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(index));
        --size_;
        return true;
    }

    class const_iterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = Entry;
        using difference_type = std::ptrdiff_t;
        using pointer = const Entry*;
        using reference = const Entry&;

        const_iterator() = default;
        const_iterator(const CowMap* map, std::size_t block, std::size_t entry)
            : map_(map), block_(block), entry_(entry) {}
        reference operator*() const { return map_->blocks_[block_]->entries[entry_]; }
        pointer operator->() const { return &**this; }
        const_iterator& operator++() {
            if (++entry_ == map_->blocks_[block_]->entries.size()) {
                ++block_;
                entry_ = 0;
            }
            return *this;
        }
        const_iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const const_iterator&, const const_iterator&) = default;

    private:
        const CowMap* map_ = nullptr;
        std::size_t block_ = 0;
        std::size_t entry_ = 0;
    };
    const_iterator begin() const { return {this, 0, 0}; }
    const_iterator end() const { return {this, blocks_.size(), 0}; }
    // The first entry whose key is not below `key`.
    template <class Key>
    const_iterator lower_bound(const Key& key) const {
        auto block = block_for(key);
        if (block == blocks_.end()) return end();
        auto entry = lower((*block)->entries, key);
        return {this, static_cast<std::size_t>(block - blocks_.begin()),
                static_cast<std::size_t>(entry - (*block)->entries.begin())};
    }

    friend bool operator==(const CowMap& a, const CowMap& b) {
        return a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
    }

private:
    struct Block {
        std::vector<Entry> entries;
        std::shared_ptr<const char> token;  // of the session that made it
    };
    using Blocks = std::vector<std::shared_ptr<Block>>;

    // The first block whose last key is not below `key`.
    template <class Key>
    typename Blocks::const_iterator block_for(const Key& key) const {
        return std::lower_bound(
            blocks_.begin(), blocks_.end(), key,
            [](const auto& block, const Key& k) { return block->entries.back().first < k; });
    }
    template <class Entries, class Key>
    static auto lower(Entries& entries, const Key& key) {
        return std::lower_bound(entries.begin(), entries.end(), key,
                                [](const Entry& entry, const Key& k) { return entry.first < k; });
    }
    static std::shared_ptr<Block> fresh(const EditSession& edit, std::vector<Entry> entries) {
        return std::make_shared<Block>(Block{std::move(entries), edit.token()});
    }
    Block& editable(const EditSession& edit, std::size_t index) {
        auto& block = blocks_[index];
        if (block->token != edit.token()) block = fresh(edit, block->entries);
        return *block;
    }
    void split(const EditSession& edit, std::size_t index) {
        auto& entries = blocks_[index]->entries;
        auto middle = entries.begin() + static_cast<std::ptrdiff_t>(entries.size() / 2);
        std::vector<Entry> upper(std::make_move_iterator(middle),
                                 std::make_move_iterator(entries.end()));
        entries.erase(middle, entries.end());
        blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                       fresh(edit, std::move(upper)));
    }

    Blocks blocks_;
    std::size_t size_ = 0;
};

}  // namespace kq

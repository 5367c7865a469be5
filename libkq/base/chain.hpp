// SPDX-License-Identifier: Apache-2.0
//
// Chain: what is written to a socket in one go: pieces of memory and slices of files, in order.
//
// units    sizes count bytes
// owner    moves from its maker to the connection; a piece stays alive until it was written (I41)
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/file_system.hpp"

namespace kq {

class Chain {
public:
    using Piece = std::variant<SharedBytes, FileSlice>;

    void add(Bytes bytes) {
        if (!bytes.empty()) add(SharedBytes::of(std::move(bytes)));
    }
    void add(SharedBytes bytes) {
        if (bytes.empty()) return;
        size_bytes_ += bytes.size();
        pieces_.emplace_back(std::move(bytes));
    }
    void add(FileSlice slice) {
        if (slice.length == 0) return;
        size_bytes_ += slice.length;
        pieces_.emplace_back(std::move(slice));
    }
    void add(Chain other) {
        size_bytes_ += other.size_bytes_;
        if (pieces_.empty()) {
            pieces_ = std::move(other.pieces_);
            return;
        }
        for (auto& piece : other.pieces_)
            pieces_.push_back(std::move(piece));
    }

    bool empty() const { return pieces_.empty(); }
    std::uint64_t size_bytes() const { return size_bytes_; }
    const std::vector<Piece>& pieces() const { return pieces_; }
    std::vector<Piece> take_pieces() && {
        size_bytes_ = 0;
        return std::exchange(pieces_, {});
    }

private:
    std::vector<Piece> pieces_;
    std::uint64_t size_bytes_ = 0;
};

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// The files of tests/wire/golden: blocks of "key: value" lines, and rows of tab-separated cells.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace kq::test {

struct Block {
    std::map<std::string, std::string> lines;
    std::string place;  // "golden/frames/00_Produce.txt:12"

    bool has(const std::string& key) const { return lines.contains(key); }
    // Empty when there is no such line.
    std::string operator[](const std::string& key) const {
        auto found = lines.find(key);
        return found != lines.end() ? found->second : std::string();
    }
};

// `path` starts below tests/wire/golden.
std::vector<Block> read_blocks(const std::string& path);
// Comments and the line of column names left out.
std::vector<std::vector<std::string>> read_rows(const std::string& path);
std::string read_text(const std::string& path);

Bytes from_hex(const std::string& digits);
// The words of a line.
std::vector<std::string> words(const std::string& line);

}  // namespace kq::test

// SPDX-License-Identifier: Apache-2.0
#include "tests/wire/golden.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace kq::test {
namespace {

const std::string folder = std::string(KQ_SOURCE_DIR) + "/tests/wire/golden/";

std::vector<std::string> read_lines(const std::string& path) {
    std::ifstream in(folder + path);
    if (!in) throw std::runtime_error("no golden file " + path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    throw std::runtime_error("not a hexadecimal digit");
}

}  // namespace

std::vector<Block> read_blocks(const std::string& path) {
    std::vector<Block> blocks;
    Block block;
    auto close = [&] {
        if (!block.lines.empty()) blocks.push_back(std::move(block));
        block = Block();
    };
    std::size_t number = 0;
    for (const auto& line : read_lines(path)) {
        ++number;
        if (line.empty()) {
            close();
        } else if (line[0] != '#') {
            auto colon = line.find(':');
            auto value = line.find_first_not_of(' ', colon + 1);
            if (block.lines.empty()) block.place = path + ':' + std::to_string(number);
            block.lines[line.substr(0, colon)] =
                value == std::string::npos ? std::string() : line.substr(value);
        }
    }
    close();
    return blocks;
}

std::vector<std::vector<std::string>> read_rows(const std::string& path) {
    std::vector<std::vector<std::string>> rows;
    bool names = true;
    for (const auto& line : read_lines(path)) {
        if (!line.empty() && line[0] == '#') continue;
        if (std::exchange(names, false)) continue;
        std::vector<std::string> cells;
        std::size_t start = 0;
        for (auto tab = line.find('\t'); tab != std::string::npos; tab = line.find('\t', start)) {
            cells.push_back(line.substr(start, tab - start));
            start = tab + 1;
        }
        cells.push_back(line.substr(start));
        rows.push_back(std::move(cells));
    }
    return rows;
}

std::string read_text(const std::string& path) {
    std::ifstream in(folder + path);
    if (!in) throw std::runtime_error("no golden file " + path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

Bytes from_hex(const std::string& digits) {
    Bytes out;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(digit(digits[i]) << 4 | digit(digits[i + 1])));
    }
    return out;
}

std::vector<std::string> words(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> out;
    for (std::string word; in >> word;)
        out.push_back(word);
    return out;
}

}  // namespace kq::test

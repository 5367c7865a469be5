// SPDX-License-Identifier: Apache-2.0
#include "tests/wire/json.hpp"

#include <charconv>
#include <map>
#include <stdexcept>

namespace kq::test {
namespace {

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    std::string whole() {
        auto out = value();
        skip_spaces();
        if (!text_.empty()) fail("something follows the value");
        return out;
    }

private:
    [[noreturn]] void fail(const char* why) {
        throw std::runtime_error(std::string("JSON: ") + why + " at '" +
                                 std::string(text_.substr(0, 20)) + "'");
    }
    void skip_spaces() {
        while (!text_.empty() && text_[0] == ' ')
            text_.remove_prefix(1);
    }
    bool take(char c) {
        skip_spaces();
        if (text_.empty() || text_[0] != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    std::string value() {
        skip_spaces();
        if (text_.empty()) fail("a value is missing");
        if (text_[0] == '{') return object();
        if (text_[0] == '[') return array();
        if (text_[0] == '"') return string();
        for (std::string_view word : {"true", "false", "null"}) {
            if (text_.starts_with(word)) {
                text_.remove_prefix(word.size());
                return std::string(word);
            }
        }
        return number();
    }
    std::string object() {
        std::map<std::string, std::string> members;
        take('{');
        while (!take('}')) {
            if (!members.empty() && !take(',')) fail("no comma");
            skip_spaces();
            auto name = string();
            if (!take(':')) fail("no colon");
            if (!members.emplace(name, value()).second) fail("a name stands twice");
        }
        std::string out = "{";
        for (const auto& [name, held] : members) {
            if (out.size() > 1) out += ',';
            out += name + ':' + held;
        }
        return out + '}';
    }
    std::string array() {
        std::string out = "[";
        take('[');
        while (!take(']')) {
            if (out.size() > 1) {
                if (!take(',')) fail("no comma");
                out += ',';
            }
            out += value();
        }
        return out + ']';
    }
    // With its quotes, and every escape taken out but those of the quote and the backslash.
    std::string string() {
        if (!take('"')) fail("no string");
        std::string out = "\"";
        while (true) {
            if (text_.empty()) fail("a string has no end");
            char c = text_[0];
            text_.remove_prefix(1);
            if (c == '"') return out + '"';
            if (c != '\\') {
                out += c;
                continue;
            }
            append_escape(out);
        }
    }
    void append_escape(std::string& out) {
        char c = text_.at(0);
        text_.remove_prefix(1);
        if (c == 'u') {
            unsigned code = 0;
            std::from_chars(text_.data(), text_.data() + 4, code, 16);
            text_.remove_prefix(4);
            if (code >= 0x80) fail("an escape beyond ASCII");
            out += static_cast<char>(code);
        } else if (c == 'n') {
            out += '\n';
        } else if (c == 't') {
            out += '\t';
        } else if (c == 'r') {
            out += '\r';
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else {
            out += c;
        }
    }
    std::string number() {
        auto length = text_.find_first_not_of("+-0123456789.eE");
        auto digits = text_.substr(0, length);
        if (digits.empty()) fail("no value");
        text_.remove_prefix(digits.size());
        if (digits.find_first_of(".eE") == std::string_view::npos) return std::string(digits);
        double number = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
        char shortest[32];
        return {shortest, std::to_chars(shortest, shortest + sizeof shortest, number).ptr};
    }

    std::string_view text_;
};

}  // namespace

std::string canonical_json(std::string_view text) {
    return Parser(text).whole();
}

}  // namespace kq::test

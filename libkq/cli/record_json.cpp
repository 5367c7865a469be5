// SPDX-License-Identifier: Apache-2.0
#include "cli/record_json.hpp"

#include <algorithm>
#include <limits>

#include "cli/encodings.hpp"
#include "cli/json_text.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

// "name":"text", or "name_b64":"…" for bytes that are no UTF-8, or "name":null.
void append_bytes_member(Bytes& out, std::string_view name, const std::optional<ByteView>& bytes) {
    const bool utf8 = !bytes || is_utf8(*bytes);
    out.push_back('"');
    append_text(out, name);
    append_text(out, utf8 ? "\":" : "_b64\":");
    if (!bytes) {
        append_text(out, "null");
    } else if (utf8) {
        append_json_string(out, *bytes);
    } else {
        out.push_back('"');
        append_base64(out, *bytes);
        out.push_back('"');
    }
}

void append_number_member(Bytes& out, std::string_view name, std::int64_t number) {
    append_text(out, name);
    if (number < 0) {
        append_text(out, "null");
    } else {
        append_decimal(out, number);
    }
}

constexpr int nesting_max = 64;

}  // namespace

void append_record_json(Bytes& out, const PipedRecord& record) {
    append_text(out, "{\"topic\":");
    append_json_string(out, as_bytes(record.topic));
    append_number_member(out, ",\"partition\":", record.partition);
    append_number_member(out, ",\"offset\":", record.offset);
    append_number_member(out, ",\"timestamp\":", record.timestamp);
    out.push_back(',');
    append_bytes_member(out, "key", record.key);
    out.push_back(',');
    append_bytes_member(out, "value", record.value);
    append_text(out, ",\"headers\":[");
    for (std::size_t i = 0; i < record.headers.size(); ++i) {
        append_text(out, i == 0 ? "{" : ",{");
        append_bytes_member(out, "k", as_bytes(record.headers[i].key));
        out.push_back(',');
        append_bytes_member(out, "v", record.headers[i].value);
        out.push_back('}');
    }
    append_text(out, "]}\n");
}

// A walk over one line. Every take_… leaves the cursor after what it took.
class JsonRecordReader::Cursor {
public:
    Cursor(ByteView line, JsonRecordReader& reader)
        : text_(as_text(line)), whole_(text_.size()), reader_(reader) {}

    Result<PipedRecord> record() {
        PipedRecord record;
        KQ_TRY(object([&](std::string_view name) { return member(name, record); }));
        skip_blanks();
        if (!text_.empty()) return wrong("something stands after the object");
        if (!any_known_ && !reader_.seen_.empty()) {
            reader_.failed_at_ = 0;
            return Error{Errc::bad_data,
                         "an object without key or value: a line that is a value itself is text "
                         "(-f text)"};
        }
        record.headers = reader_.headers_;
        return record;
    }

private:
    Error wrong(std::string_view what) {
        reader_.failed_at_ = whole_ - text_.size();
        return Error{Errc::bad_data, std::string(what)};
    }

    void skip_blanks() {
        while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t' ||
                                  text_.front() == '\r' || text_.front() == '\n')) {
            text_.remove_prefix(1);
        }
    }
    bool take(char c) {
        skip_blanks();
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool take_word(std::string_view word) {
        skip_blanks();
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }

    // Calls `on_member` with each name; it takes the value.
    template <class OnMember>
    Status object(OnMember on_member) {
        if (!take('{')) return wrong("an object is wanted");
        if (take('}')) return done();
        do {
            skip_blanks();
            name_at_ = whole_ - text_.size();
            KQ_LET(auto name, string());
            if (!take(':')) return wrong("':' is wanted");
            KQ_TRY(on_member(as_text(name)));
        } while (take(','));
        if (!take('}')) return wrong("',' or '}' is wanted");
        return done();
    }

    template <class OnElement>
    Status array(OnElement on_element) {
        if (!take('[')) return wrong("a list is wanted");
        if (take(']')) return done();
        do {
            KQ_TRY(on_element());
        } while (take(','));
        if (!take(']')) return wrong("',' or ']' is wanted");
        return done();
    }

    Bytes& fresh() {
        auto& memory = reader_.decoded_;
        if (reader_.decoded_count_ == memory.size()) memory.emplace_back();
        Bytes& bytes = memory[reader_.decoded_count_++];
        bytes.clear();
        return bytes;
    }

    // The bytes of a string: in the line itself, or, with escapes, in memory of the reader.
    Result<ByteView> string() {
        if (!take('"')) return wrong("a string is wanted");
        bool escaped = false;
        std::size_t end = 0;
        for (; end < text_.size() && text_[end] != '"'; ++end) {
            if (static_cast<std::uint8_t>(text_[end]) < 0x20) {
                return wrong("a control character in a string");
            }
            if (text_[end] == '\\') {
                escaped = true;
                ++end;
            }
        }
        if (end >= text_.size()) return wrong("a string that does not end");
        ByteView inside = as_bytes(text_.substr(0, end));
        if (escaped) {
            Bytes& out = fresh();
            auto decoded = decode_json_escapes(out, inside);
            if (!decoded.ok()) return wrong(decoded.error().message);
            inside = out;
        }
        text_.remove_prefix(end + 1);
        return inside;
    }

    Result<std::optional<ByteView>> base64() {
        if (take_word("null")) return std::optional<ByteView>();
        KQ_LET(auto text, string());
        Bytes& out = fresh();
        auto decoded = decode_base64(out, text);
        if (!decoded.ok()) return wrong(decoded.error().message);
        return std::optional<ByteView>(out);
    }

    // A string, null, or any other JSON value, which is taken as the text that it is.
    Result<std::optional<ByteView>> bytes() {
        if (take_word("null")) return std::optional<ByteView>();
        skip_blanks();
        if (text_.starts_with('"')) {
            KQ_LET(auto inside, string());
            return std::optional<ByteView>(inside);
        }
        std::string_view before = text_;
        KQ_TRY(skip_value(0));
        return std::optional<ByteView>(as_bytes(before.substr(0, before.size() - text_.size())));
    }

    Result<std::int64_t> number(std::int64_t max) {
        if (take_word("null")) return std::int64_t{-1};
        skip_blanks();
        auto digits = text_.substr(0, text_.find_first_not_of("-0123456789"));
        auto value = decimal(as_bytes(digits));
        if (!value || *value < -1 || *value > max) return wrong("a whole number is wanted");
        text_.remove_prefix(digits.size());
        return *value;
    }

    Status skip_value(int depth) {
        skip_blanks();
        if (depth > nesting_max) return wrong("values nested too deep");
        if (text_.starts_with('"')) {
            KQ_TRY(string());
            return done();
        }
        auto inner = [this, depth] { return skip_value(depth + 1); };
        if (text_.starts_with('{')) return object([&](std::string_view) { return inner(); });
        if (text_.starts_with('[')) return array(inner);
        if (take_word("true") || take_word("false") || take_word("null")) return done();
        return skip_number();
    }

    Status skip_number() {
        auto digits = [this] {
            std::size_t count = 0;
            while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
                text_.remove_prefix(1);
                ++count;
            }
            return count > 0;
        };
        auto sign = [this](std::string_view any_of) {
            if (!text_.empty() && any_of.find(text_.front()) != std::string_view::npos) {
                text_.remove_prefix(1);
                return true;
            }
            return false;
        };
        sign("-");
        if (!digits()) return wrong("a value is wanted");
        if (sign(".") && !digits()) return wrong("digits are wanted");
        if (sign("eE")) {
            sign("+-");
            if (!digits()) return wrong("digits are wanted");
        }
        return done();
    }

    // Each member once; `name` and `name_b64` are the same one. What would count, the first or the
    // last, is nobody's to guess.
    Status once(std::string_view name, std::vector<std::string_view>& seen) {
        const auto stem = name == "key_b64"     ? "key"
                          : name == "value_b64" ? "value"
                          : name == "k_b64"     ? "k"
                          : name == "v_b64"     ? "v"
                                                : name;
        if (std::find(seen.begin(), seen.end(), stem) != seen.end()) {
            reader_.failed_at_ = name_at_;
            return Error{Errc::bad_data, in_quotes(name) + " is a second " + in_quotes(stem)};
        }
        seen.push_back(stem);
        return done();
    }

    Status member(std::string_view name, PipedRecord& record) {
        KQ_TRY(once(name, reader_.seen_));
        constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();
        constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
        if (name == "topic") {
            KQ_LET(auto topic, bytes());
            record.topic = as_text(topic.value_or(ByteView()));
        } else if (name == "partition") {
            KQ_LET(auto value, number(int32_max));
            record.partition = static_cast<std::int32_t>(value);
        } else if (name == "offset") {
            KQ_LET(record.offset, number(int64_max));
        } else if (name == "timestamp") {
            KQ_LET(record.timestamp, number(int64_max));
        } else if (name == "key") {
            KQ_LET(record.key, bytes());
        } else if (name == "key_b64") {
            KQ_LET(record.key, base64());
        } else if (name == "value") {
            KQ_LET(record.value, bytes());
        } else if (name == "value_b64") {
            KQ_LET(record.value, base64());
        } else if (name == "headers") {
            reader_.headers_.clear();
            any_known_ = true;
            if (take_word("null")) return done();
            return array([this] { return header(); });
        } else {
            return skip_value(0);
        }
        any_known_ = true;
        return done();
    }

    Status header() {
        HeaderView header;
        reader_.seen_in_header_.clear();
        KQ_TRY(object([&](std::string_view name) -> Status {
            if (auto first = once(name, reader_.seen_in_header_); !first.ok()) return first;
            if (name == "k" || name == "k_b64") {
                KQ_LET(auto key, name == "k" ? bytes() : base64());
                header.key = as_text(key.value_or(ByteView()));
            } else if (name == "v" || name == "v_b64") {
                KQ_LET(header.value, name == "v" ? bytes() : base64());
            } else {
                return skip_value(0);
            }
            return done();
        }));
        reader_.headers_.push_back(header);
        return done();
    }

    std::string_view text_;  // what is left
    const std::size_t whole_;
    std::size_t name_at_ = 0;  // of the member under way
    bool any_known_ = false;
    JsonRecordReader& reader_;
};

Result<PipedRecord> JsonRecordReader::read(ByteView line) {
    decoded_count_ = 0;
    headers_.clear();
    seen_.clear();
    return Cursor(line, *this).record();
}

}  // namespace kq

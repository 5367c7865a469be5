// SPDX-License-Identifier: Apache-2.0
#include "cli/record_template.hpp"

#include <algorithm>

#include "cli/json_text.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

constexpr std::string_view all_letters = "tpokvsThKVei";
constexpr std::string_view bytes_letters = "tkv";
constexpr std::string_view number_letters = "poTKVei";
constexpr std::string_view default_header = "%k=%v,";

bool in(std::string_view set, char letter) {
    return set.find(letter) != std::string_view::npos;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// One escape at the front of `text`, which begins with a backslash.
Status take_escape(std::string_view& text, std::string& out) {
    constexpr std::string_view letters = "ntr0\\";
    constexpr std::string_view meanings{"\n\t\r\0\\", 5};
    const char letter = text.size() > 1 ? text[1] : ' ';
    auto which = letters.find(letter);
    if (which != std::string_view::npos) {
        out += meanings[which];
        text.remove_prefix(2);
        return done();
    }
    if (letter == 'x' && text.size() >= 4) {
        int high = hex_digit(text[2]);
        int low = hex_digit(text[3]);
        if (high >= 0 && low >= 0) {
            out += static_cast<char>(high << 4 | low);
            text.remove_prefix(4);
            return done();
        }
    }
    return Error{Errc::usage, in_quotes(text.substr(0, 2)) +
                                  " is no escape; there are \\n \\t \\r \\0 \\\\ \\xNN"};
}

}  // namespace

Result<std::string> unescape(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() == '\\') {
            KQ_TRY(take_escape(text, out));
        } else {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

class RecordTemplate::Parser {
public:
    Parser(std::string_view text, RecordTemplate& into) : text_(text), into_(into) {}

    Status run() {
        while (!text_.empty()) {
            if (text_.front() == '\\') {
                KQ_TRY(take_escape(text_, literal()));
            } else if (text_.starts_with("%%")) {
                literal() += '%';
                text_.remove_prefix(2);
            } else if (text_.front() == '%') {
                KQ_TRY(take_field());
            } else {
                literal() += text_.front();
                text_.remove_prefix(1);
            }
        }
        return done();
    }

private:
    std::string& literal() {
        if (into_.pieces_.empty() || into_.pieces_.back().letter != 0) into_.pieces_.emplace_back();
        return into_.pieces_.back().text;
    }

    Status take_field() {
        if (text_.size() < 2 || !in(all_letters, text_[1])) {
            return Error{Errc::usage,
                         "template: " + in_quotes(text_.substr(0, 2)) +
                             " is no field; there are %t %p %o %k %v %T %h %e %K %V %i and %%"};
        }
        Piece piece;
        piece.letter = text_[1] == 's' ? 'v' : text_[1];
        text_.remove_prefix(2);
        std::optional<std::string_view> modifier;
        if (text_.starts_with('{')) {
            auto size = braced_size();
            if (size == 0) return Error{Errc::usage, "template: '{' without its '}'"};
            modifier = text_.substr(1, size - 2);
            text_.remove_prefix(size);
        }
        if (piece.letter == 'h' && !modifier) {
            KQ_TRY(nest(piece, default_header));
        } else if (modifier) {
            KQ_TRY(take_modifier(piece, *modifier));
        }
        into_.pieces_.push_back(std::move(piece));
        return done();
    }

    // Of "{…}" at the front, braces within counted; 0: it does not end.
    std::size_t braced_size() const {
        int depth = 0;
        for (std::size_t i = 0; i < text_.size(); ++i) {
            if (text_[i] == '{') ++depth;
            if (text_[i] == '}' && --depth == 0) return i + 1;
        }
        return 0;
    }

    Status take_modifier(Piece& piece, std::string_view modifier) {
        const bool pattern = modifier.find('%') != std::string_view::npos;
        auto layout = NumberLayout::parse(modifier);
        if (piece.letter == 'h') {
            if (pattern) return nest(piece, modifier);
        } else if (layout && piece.letter != 't') {
            piece.coding = Coding::number;
            piece.layout = *layout;
            return done();
        } else if (in(bytes_letters, piece.letter)) {
            piece.coding = modifier == "hex"      ? Coding::hex
                           : modifier == "base64" ? Coding::base64
                           : modifier == "json"   ? Coding::json
                                                  : Coding::plain;
            if (piece.coding != Coding::plain) return done();
        } else if (piece.letter == 'T' && (modifier == "iso" || pattern)) {
            piece.coding = pattern ? Coding::pattern : Coding::rfc3339;
            piece.text = modifier;
            return done();
        }
        return Error{Errc::usage, "template: %" + std::string(1, piece.letter) +
                                      " has no modifier " + in_quotes(modifier)};
    }

    Status nest(Piece& piece, std::string_view text) {
        KQ_LET(auto nested, RecordTemplate::parse(text, into_.options_));
        for (const Piece& inner : nested.pieces_) {
            if (inner.letter == 0 || inner.letter == 'k' || inner.letter == 'v') continue;
            return Error{Errc::usage,
                         "template: a header has %k and %v, not %" + std::string(1, inner.letter)};
        }
        piece.coding = Coding::nested;
        piece.text = text;
        piece.nested = std::make_shared<RecordTemplate>(std::move(nested));
        return done();
    }

    std::string_view text_;
    RecordTemplate& into_;
};

Result<RecordTemplate> RecordTemplate::parse(std::string_view text, TemplateOptions options) {
    RecordTemplate result;
    result.options_ = std::move(options);
    KQ_TRY(Parser(text, result).run());
    return result;
}

bool RecordTemplate::names(char letter) const {
    return std::any_of(pieces_.begin(), pieces_.end(),
                       [letter](const Piece& piece) { return piece.letter == letter; });
}

Status RecordTemplate::check_readable() const {
    if (pieces_.empty()) return Error{Errc::usage, "the template is empty"};
    bool key_known = false;
    bool value_known = false;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        if (piece.letter == 0) continue;
        if (piece.nested) KQ_TRY(piece.nested->check_readable());
        key_known = key_known || piece.letter == 'K';
        value_known = value_known || piece.letter == 'V';
        const bool fixed = (in(number_letters, piece.letter) && piece.coding == Coding::number) ||
                           (piece.letter == 'k' && key_known) ||
                           (piece.letter == 'v' && value_known);
        const bool ends = fixed || i + 1 == pieces_.size() || pieces_[i + 1].letter == 0;
        if (!ends) {
            return Error{Errc::usage, "template: nothing tells where %" +
                                          std::string(1, piece.letter) + " ends before %" +
                                          std::string(1, pieces_[i + 1].letter)};
        }
    }
    return done();
}

// ---- writing

Status RecordTemplate::write(const PipedRecord& record, Bytes& out) {
    for (const Piece& piece : pieces_)
        KQ_TRY(write_piece(piece, record, out));
    ++count_;
    return done();
}

Status RecordTemplate::write_piece(const Piece& piece, const PipedRecord& record,
                                   Bytes& out) const {
    auto length_of = [](const std::optional<ByteView>& bytes) {
        return bytes ? static_cast<std::int64_t>(bytes->size()) : -1;
    };
    switch (piece.letter) {
        case 0:
            append_text(out, piece.text);
            return done();
        case 't':
            return write_bytes(piece, as_bytes(record.topic), out);
        case 'k':
            return write_bytes(piece, record.key, out);
        case 'v':
            return write_bytes(piece, record.value, out);
        case 'p':
            return write_number(piece, record.partition, out);
        case 'o':
            return write_number(piece, record.offset, out);
        case 'e':
            return write_number(piece, record.epoch, out);
        case 'i':
            return write_number(piece, count_, out);
        case 'K':
            return write_number(piece, length_of(record.key), out);
        case 'V':
            return write_number(piece, length_of(record.value), out);
        case 'T':
            if (piece.coding == Coding::plain || piece.coding == Coding::number) {
                return write_number(piece, record.timestamp, out);
            }
            write_time(piece, record.timestamp, out);
            return done();
        default:
            return write_headers(piece, record.headers, out);
    }
}

Status RecordTemplate::write_bytes(const Piece& piece, const std::optional<ByteView>& bytes,
                                   Bytes& out) const {
    if (!bytes) {
        if (options_.null_text) {
            append_text(out, *options_.null_text);
        } else if (piece.coding == Coding::json) {
            append_text(out, "null");
        }
        return done();
    }
    switch (piece.coding) {
        case Coding::hex:
            append_hex(out, *bytes);
            break;
        case Coding::base64:
            append_base64(out, *bytes);
            break;
        case Coding::json:
            // JSON has no form for them, and a reader could not tell what was lost.
            if (!is_utf8(*bytes)) {
                return Error{Errc::bad_data, "%" + std::string(1, piece.letter) +
                                                 "{json} has no form for bytes that are not UTF-8"};
            }
            append_json_string(out, *bytes);
            break;
        case Coding::number:
            if (bytes->size() != piece.layout.size) {
                return Error{Errc::bad_data, "a number of " + std::to_string(piece.layout.size) +
                                                 " bytes is wanted, there are " +
                                                 std::to_string(bytes->size())};
            }
            append_decimal(out, piece.layout.load(*bytes));
            break;
        default:
            append(out, *bytes);
    }
    return done();
}

Status RecordTemplate::write_number(const Piece& piece, std::int64_t number, Bytes& out) const {
    if (piece.coding == Coding::number) {
        if (!piece.layout.fits(number)) {
            return Error{Errc::bad_data, std::to_string(number) + " does not fit into " +
                                             std::to_string(piece.layout.size) + " bytes"};
        }
        piece.layout.append(out, number);
    } else {
        append_decimal(out, number);
    }
    return done();
}

void RecordTemplate::write_time(const Piece& piece, std::int64_t timestamp, Bytes& out) const {
    if (timestamp < 0) {
        out.push_back('-');
    } else if (piece.coding == Coding::rfc3339) {
        append_rfc3339(out, wall_time(timestamp), options_.zone);
    } else {
        append_by_pattern(out, wall_time(timestamp), piece.text, options_.zone);
    }
}

Status RecordTemplate::write_headers(const Piece& piece, std::span<const HeaderView> headers,
                                     Bytes& out) const {
    for (const HeaderView& header : headers) {
        PipedRecord one;
        one.key = as_bytes(header.key);
        one.value = header.value;
        for (const Piece& inner : piece.nested->pieces_) {
            KQ_TRY(piece.nested->write_piece(inner, one, out));
        }
    }
    // The comma of the default form stands between headers only.
    if (piece.text == default_header && !headers.empty()) out.pop_back();
    return done();
}

// ---- reading

// One walk over the front of the input.
class RecordTemplate::Scan {
public:
    enum class End { whole, incomplete };

    Scan(const RecordTemplate& form, Memory& memory, ByteView input, bool at_end)
        : form_(form), memory_(memory), input_(input), at_end_(at_end) {}

    Result<End> run(PipedRecord& record) {
        for (std::size_t i = 0; i < form_.pieces_.size(); ++i) {
            const Piece& piece = form_.pieces_[i];
            if (piece.letter == 0) {
                KQ_LET(auto end, take_literal(piece, i + 1 == form_.pieces_.size()));
                if (end == End::incomplete) return end;
                continue;
            }
            KQ_LET(auto extent, extent_of(i));
            if (!extent) return End::incomplete;
            KQ_TRY(take_field(piece, input_.subspan(at_, *extent), record));
            at_ += *extent;
        }
        return End::whole;
    }

    std::size_t taken() const { return at_; }

private:
    ByteView rest() const { return input_.subspan(at_); }

    Result<End> take_literal(const Piece& piece, bool last) {
        auto wanted = std::string_view(piece.text);
        auto there = as_text(rest()).substr(0, wanted.size());
        if (there == wanted) {
            at_ += wanted.size();
            return End::whole;
        }
        if (last && at_end_ && there.empty()) return End::whole;  // a last line without its end
        if (!at_end_ && wanted.starts_with(there)) return End::incomplete;
        return Error{Errc::bad_data,
                     "expected " + in_quotes(wanted) + ", found " + in_quotes(there)};
    }

    // How many bytes the field takes; none: its end has not come yet.
    Result<std::optional<std::size_t>> extent_of(std::size_t index) {
        const Piece& piece = form_.pieces_[index];
        std::optional<std::size_t> fixed;
        if (in(number_letters, piece.letter) && piece.coding == Coding::number) {
            fixed = piece.layout.size;
        } else if (piece.letter == 'k' && key_length_) {
            fixed = static_cast<std::size_t>(std::max<std::int64_t>(0, *key_length_));
        } else if (piece.letter == 'v' && value_length_) {
            fixed = static_cast<std::size_t>(std::max<std::int64_t>(0, *value_length_));
        }
        if (fixed) {
            if (*fixed <= rest().size()) return fixed;
            if (at_end_) return Error{Errc::bad_data, "the input ends in the middle of a field"};
            return std::optional<std::size_t>();
        }
        if (index + 1 == form_.pieces_.size()) {  // all that is left
            if (!at_end_) return std::optional<std::size_t>();
            return std::optional<std::size_t>(rest().size());
        }
        const std::string& literal = form_.pieces_[index + 1].text;
        auto found = as_text(rest()).find(literal);
        if (found != std::string_view::npos) return std::optional<std::size_t>(found);
        if (!at_end_) return std::optional<std::size_t>();
        if (index + 2 == form_.pieces_.size()) return std::optional<std::size_t>(rest().size());
        return Error{Errc::bad_data,
                     "no " + in_quotes(literal) + " after %" + std::string(1, piece.letter)};
    }

    Status take_field(const Piece& piece, ByteView field, PipedRecord& record) {
        switch (piece.letter) {
            case 't': {
                KQ_LET(auto topic, bytes_of(piece, field));
                record.topic = as_text(topic.value_or(ByteView()));
                return done();
            }
            case 'k': {
                KQ_LET(record.key,
                       key_length_ == -1 ? std::optional<ByteView>() : bytes_of(piece, field));
                return done();
            }
            case 'v': {
                KQ_LET(record.value,
                       value_length_ == -1 ? std::optional<ByteView>() : bytes_of(piece, field));
                return done();
            }
            case 'h':
                return take_headers(*piece.nested, field, record);
            case 'T':
                if (piece.coding == Coding::rfc3339 || piece.coding == Coding::pattern) {
                    return take_time(piece, field, record);
                }
                break;
            default:
                break;
        }
        KQ_LET(auto number, number_of(piece, field));
        return take_number(piece.letter, number, record);
    }

    Status take_number(char letter, std::int64_t number, PipedRecord& record) {
        constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();
        const bool small = letter == 'p' || letter == 'e' || letter == 'K' || letter == 'V';
        if (number < -1 || (small && number > int32_max)) {
            return Error{Errc::bad_data,
                         std::to_string(number) + " cannot be %" + std::string(1, letter)};
        }
        if (letter == 'p') record.partition = static_cast<std::int32_t>(number);
        if (letter == 'e') record.epoch = static_cast<std::int32_t>(number);
        if (letter == 'o') record.offset = number;
        if (letter == 'T') record.timestamp = number;
        if (letter == 'K') key_length_ = number;
        if (letter == 'V') value_length_ = number;
        return done();
    }

    static Result<std::int64_t> number_of(const Piece& piece, ByteView field) {
        if (piece.coding == Coding::number) return piece.layout.load(field);
        auto number = decimal(field);
        if (number) return *number;
        return Error{Errc::bad_data, in_quotes(as_text(field)) + " is no number for %" +
                                         std::string(1, piece.letter)};
    }

    Status take_time(const Piece& piece, ByteView field, PipedRecord& record) {
        if (as_text(field) == "-") return done();
        const Zone zone = form_.options_.zone;
        auto time = piece.coding == Coding::rfc3339
                        ? parse_rfc3339(as_text(field), zone)
                        : parse_by_pattern(std::string(as_text(field)), piece.text, zone);
        if (!time || to_ms(*time) < 0) {
            return Error{Errc::bad_data, in_quotes(as_text(field)) + " is no time for %T"};
        }
        record.timestamp = to_ms(*time);
        return done();
    }

    Status take_headers(const RecordTemplate& nested, ByteView field, PipedRecord& record) {
        memory_.headers.clear();
        while (!field.empty()) {
            PipedRecord one;
            Scan scan(nested, memory_, field, true);
            KQ_LET(auto end, scan.run(one));
            KQ_CHECK(end == End::whole);
            if (scan.taken() == 0) return Error{Errc::bad_data, "headers that never end"};
            field = field.subspan(scan.taken());
            memory_.headers.push_back({as_text(one.key.value_or(ByteView())), one.value});
        }
        record.headers = memory_.headers;
        return done();
    }

    Result<std::optional<ByteView>> bytes_of(const Piece& piece, ByteView field) {
        if (form_.options_.null_text && as_text(field) == *form_.options_.null_text) {
            return std::optional<ByteView>();
        }
        if (piece.coding == Coding::plain) return std::optional<ByteView>(field);
        if (piece.coding == Coding::json && as_text(field) == "null") {
            return std::optional<ByteView>();
        }
        if (memory_.decoded_count == memory_.decoded.size()) memory_.decoded.emplace_back();
        Bytes& out = memory_.decoded[memory_.decoded_count++];
        out.clear();
        KQ_TRY(decode(piece, field, out));
        return std::optional<ByteView>(out);
    }

    static Status decode(const Piece& piece, ByteView field, Bytes& out) {
        switch (piece.coding) {
            case Coding::hex:
                return decode_hex(out, field);
            case Coding::base64:
                return decode_base64(out, field);
            case Coding::json:
                if (field.size() < 2 || field.front() != '"' || field.back() != '"') {
                    return Error{Errc::bad_data, in_quotes(as_text(field)) + " is no JSON string"};
                }
                return decode_json_escapes(out, field.subspan(1, field.size() - 2));
            default: {
                KQ_LET(auto number,
                       number_of(Piece{piece.letter, {}, Coding::plain, {}, {}}, field));
                if (!piece.layout.fits(number)) {
                    return Error{Errc::bad_data, std::to_string(number) + " does not fit"};
                }
                piece.layout.append(out, number);
                return done();
            }
        }
    }

    const RecordTemplate& form_;
    Memory& memory_;
    ByteView input_;
    bool at_end_;
    std::size_t at_ = 0;
    std::optional<std::int64_t> key_length_;
    std::optional<std::int64_t> value_length_;
};

Result<RecordTemplate::ReadResult> RecordTemplate::read(ByteView input, bool at_end) {
    memory_.decoded_count = 0;
    ReadResult result;
    Scan scan(*this, memory_, input, at_end);
    auto end = scan.run(result.record);
    failed_at_ = scan.taken();
    if (!end.ok()) return end.error();
    if (end.value() == Scan::End::whole) result.taken = scan.taken();
    return result;
}

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
#include "cli/record_parser.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

constexpr std::size_t read_bytes = std::size_t{1} << 20;  // what one read should be able to bring

// Where `wanted` begins in `bytes`, from `from` on; bytes.size() if it is not there.
std::size_t find_in(ByteView bytes, std::string_view wanted, std::size_t from) {
    if (from >= bytes.size()) return bytes.size();
    const void* found =
        wanted.size() == 1
            ? std::memchr(bytes.data() + from, wanted.front(), bytes.size() - from)
            : ::memmem(bytes.data() + from, bytes.size() - from, wanted.data(), wanted.size());
    if (found == nullptr) return bytes.size();
    return static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data());
}

}  // namespace

Result<RecordParser> RecordParser::create(Framing framing, std::size_t record_bytes_max) {
    RecordParser reader(record_bytes_max);
    reader.framing_ = std::move(framing);
    if (reader.framing_.kind == Framing::Kind::jsonl) reader.framing_.delimiter = "\n";
    if (reader.framing_.kind == Framing::Kind::templated) {
        KQ_LET(auto form, RecordTemplate::parse(reader.framing_.template_text,
                                                {reader.framing_.zone, reader.framing_.null_text}));
        KQ_TRY(form.check_readable());
        reader.template_ = std::move(form);
    }
    return reader;
}

void RecordParser::begin(std::string name) {
    KQ_CHECK(begin_ == end_);
    name_ = std::move(name);
    begin_ = end_ = scanned_ = 0;
    ended_ = false;
    record_number_ = record_byte_ = begin_byte_ = 0;
}

MutableBytes RecordParser::room() {
    if (begin_ > 0 && (begin_ == end_ || buffer_.size() - end_ < read_bytes)) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() - end_ < read_bytes) {
        Bytes larger(std::max(buffer_.size() * 2, end_ + read_bytes));
        std::copy_n(buffer_.begin(), end_, larger.begin());
        buffer_ = std::move(larger);
    }
    return MutableBytes(buffer_).subspan(end_);
}

void RecordParser::filled(std::size_t byte_count) {
    end_ += byte_count;
    KQ_CHECK(end_ <= buffer_.size());
}

std::string RecordParser::where() const {
    const auto byte = framing_.kind == Framing::Kind::frame ? record_byte_ : failed_at_;
    return name_ + ':' + std::to_string(record_number_) + ':' + std::to_string(byte + 1);
}

Result<const PipedRecord*> RecordParser::next() {
    if (begin_ == end_) return nullptr;
    bad_bytes_ = 0;
    failed_at_ = 0;
    ++record_number_;
    record_byte_ = begin_byte_;
    switch (framing_.kind) {
        case Framing::Kind::lines:
        case Framing::Kind::jsonl:
            return next_line();
        case Framing::Kind::templated:
            return next_templated();
        case Framing::Kind::frame:
            return next_frame();
        case Framing::Kind::raw:
            return next_raw();
    }
    KQ_UNREACHABLE("a framing without a reader");
}

const PipedRecord* RecordParser::accept(std::size_t taken) {
    begin_ += taken;
    begin_byte_ += taken;
    scanned_ = 0;
    return &record_;
}

Result<const PipedRecord*> RecordParser::need_more() {
    --record_number_;
    if (end_ - begin_ < record_bytes_max_) return nullptr;
    ++record_number_;
    return Error{
        Errc::message_too_large,
        "a record of more than " + human_bytes(static_cast<std::int64_t>(record_bytes_max_))};
}

// The next line without its delimiter; none: it has not come whole.
std::optional<ByteView> RecordParser::find_line() {
    const ByteView bytes = input();
    const auto& delimiter = framing_.delimiter;
    auto at = find_in(bytes, delimiter, scanned_);
    if (at == bytes.size() && !ended_) {
        // The delimiter may have come in part.
        scanned_ = bytes.size() - std::min(bytes.size(), delimiter.size() - 1);
        return std::nullopt;
    }
    bad_bytes_ = std::min(bytes.size(), at + delimiter.size());
    ByteView line = bytes.first(at);
    if (framing_.strip_cr && !line.empty() && line.back() == '\r') line = line.first(at - 1);
    return line;
}

Result<const PipedRecord*> RecordParser::next_line() {
    while (begin_ != end_) {
        auto line = find_line();
        if (!line) return need_more();
        if (framing_.kind == Framing::Kind::lines) {
            KQ_TRY(split_line(*line));
            return accept(bad_bytes_);
        }
        if (as_text(*line).find_first_not_of(" \t\r") != std::string_view::npos) {
            auto read = json_.read(*line);
            if (!read.ok()) {
                failed_at_ = json_.failed_at();
                return read.error();
            }
            record_ = std::move(read).value();
            return accept(bad_bytes_);
        }
        accept(bad_bytes_);  // an empty line between objects
        ++record_number_;
        record_byte_ = begin_byte_;
    }
    --record_number_;
    return nullptr;
}

std::optional<ByteView> RecordParser::or_null(ByteView bytes) const {
    if (framing_.null_text && as_text(bytes) == *framing_.null_text) return std::nullopt;
    return bytes;
}

Status RecordParser::split_line(ByteView line) {
    record_.key = std::nullopt;
    if (framing_.key_separator) {
        auto at = find_in(line, *framing_.key_separator, 0);
        if (at == line.size()) {
            return Error{Errc::bad_data, "no key separator " + in_quotes(*framing_.key_separator)};
        }
        record_.key = or_null(line.first(at));
        line = line.subspan(at + framing_.key_separator->size());
    }
    record_.value = or_null(line);
    return done();
}

Result<const PipedRecord*> RecordParser::next_templated() {
    auto read = template_->read(input(), ended_);
    if (!read.ok()) {
        failed_at_ = template_->failed_at();
        return read.error();
    }
    if (read.value().taken == 0) return need_more();
    record_ = read.value().record;
    return accept(read.value().taken);
}

Result<const PipedRecord*> RecordParser::next_frame() {
    KQ_LET(auto read, frames_.read(input()));
    if (read.taken > 0) {
        record_ = read.record;
        return accept(read.taken);
    }
    if (ended_) return Error{Errc::bad_data, "the input ends in the middle of a record frame"};
    return need_more();
}

Result<const PipedRecord*> RecordParser::next_raw() {
    if (!ended_) return need_more();
    record_.value = input();
    return accept(input().size());
}

bool RecordParser::skip_bad() {
    if (bad_bytes_ == 0) return false;
    skipped_ = input().first(bad_bytes_);
    accept(bad_bytes_);
    return true;
}

}  // namespace kq

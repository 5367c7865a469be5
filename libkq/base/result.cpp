// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

namespace kq {
namespace {

struct Row {
    Errc code;
    std::string_view name;
    bool retriable;
    std::string_view sentence;
};

constexpr Row rows[] = {
#define KQ_ERROR(name, number, wire_name, retriable, sentence) \
    {Errc::name, wire_name, retriable, sentence},
#include "base/errors.def"
#undef KQ_ERROR
};

const Row* find(Errc code) {
    for (const auto& row : rows) {
        if (row.code == code) return &row;
    }
    return nullptr;
}

const Row& row_of(Errc code) {
    const Row* row = find(code);
    return row != nullptr ? *row : *find(Errc::unknown_server_error);
}

}  // namespace

std::string_view name_of(Errc code) {
    return row_of(code).name;
}

std::string_view sentence_of(Errc code) {
    return row_of(code).sentence;
}

bool is_retriable(Errc code) {
    return row_of(code).retriable;
}

bool is_shortage(Errc code) {
    return code == Errc::disk_full || code == Errc::too_many_open_files;
}

std::int16_t wire_code(Errc code) {
    switch (code) {
        case Errc::io_error:
        case Errc::disk_full:
        case Errc::too_many_open_files:
        case Errc::corrupt_file:
            return static_cast<std::int16_t>(Errc::kafka_storage_error);
        case Errc::malformed:
            return static_cast<std::int16_t>(Errc::invalid_request);
        case Errc::deadline_passed:
            return static_cast<std::int16_t>(Errc::request_timed_out);
        default:
            break;
    }
    auto number = static_cast<std::int16_t>(code);
    return number >= -1 ? number : static_cast<std::int16_t>(Errc::unknown_server_error);
}

Errc errc_from_wire(std::int16_t number) {
    auto code = static_cast<Errc>(number);
    return number >= -1 && find(code) != nullptr ? code : Errc::unknown_server_error;
}

std::string Error::text() const {
    std::string out = message.empty() ? std::string(sentence_of(code)) : message;
    out += " [";
    out += name_of(code);
    out += ']';
    return out;
}

}  // namespace kq

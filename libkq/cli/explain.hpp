// SPDX-License-Identifier: Apache-2.0
//
// What `kq explain` says, without a network: of an error code, what it means, why it comes and what
// helps; of a setting, what it is and takes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/columns.hpp"

namespace kq {

// Of one code, or of one setting as one kind of program or server has it; what does not go with it
// is empty.
struct Explanation {
    std::string kind;  // "error", "setting"
    std::string name;
    std::string meaning;
    // ---- errors
    std::optional<int> number;
    std::string causes;
    std::string remedies;
    std::optional<bool> retriable;
    std::optional<int> exit;
    // ---- settings
    std::string scope;
    std::string type;
    std::string fallback;  // its default
    std::string values;
    std::string changes;  // of a broker's: when a change counts
    std::optional<bool> has_effect;
};

// A name ("UNKNOWN_TOPIC_OR_PARTITION", in any case), a number ("3"), or a setting
// ("retention.ms"): one for each scope that has it.
// errors  not_found  no code and no setting; the message names the nearest
Result<std::vector<Explanation>> explain(std::string_view what);

// For a person; lines fit on a terminal of 80 columns.
std::string text_of(const Explanation& explanation);
// For programs.
Schema explain_schema();
Row row_of(const Explanation& explanation);

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// What `kq explain` says, without a network: of an error code, what it means, why it comes and what
// helps; of a setting, what it is and takes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace kq {

// A name ("UNKNOWN_TOPIC_OR_PARTITION", in any case), a number ("3"), or a setting
// ("retention.ms").
// errors  not_found  no code and no setting; the message names the nearest
Result<std::string> explain(std::string_view what);

}  // namespace kq

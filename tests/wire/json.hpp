// SPDX-License-Identifier: Apache-2.0
//
// JSON for tests: parsed into one canonical line, with the members of objects sorted and numbers in
// one form, so that equal values are equal texts.
#pragma once

#include <string>
#include <string_view>

namespace kq::test {

// Throws std::runtime_error where the text is no JSON.
std::string canonical_json(std::string_view text);

}  // namespace kq::test

// SPDX-License-Identifier: Apache-2.0
#include "cli/topic_names.hpp"

#include <algorithm>

#include "base/config_value.hpp"
#include "cli/text.hpp"

namespace kq {
namespace {

// Whether `c` is in the set that `glob` begins with, "[a-z]" or "[!a-z]"; takes the set off. A '['
// that is never closed stands for itself.
bool take_set(std::string_view& glob, char c) {
    auto end = glob.find(']', 2);
    if (end == std::string_view::npos) {
        glob.remove_prefix(1);
        return c == '[';
    }
    auto set = glob.substr(1, end - 1);
    glob.remove_prefix(end + 1);
    const bool negated = set.front() == '!' || set.front() == '^';
    if (negated) set.remove_prefix(1);
    bool found = false;
    while (!set.empty()) {
        const bool range = set.size() >= 3 && set[1] == '-';
        const char last = range ? set[2] : set[0];
        found = found || (c >= set[0] && c <= last);
        set.remove_prefix(range ? 3 : 1);
    }
    return found != negated;
}

}  // namespace

bool is_glob(std::string_view name) {
    return name.find_first_of("*?[") != std::string_view::npos;
}

// Goes back to the last '*' when what follows it does not fit: every other '*' took the least it
// could already.
bool matches_glob(std::string_view name, std::string_view glob) {
    std::string_view name_after_star;
    std::string_view glob_after_star;
    bool star = false;
    while (true) {
        if (!glob.empty() && glob.front() == '*') {
            star = true;
            glob.remove_prefix(1);
            name_after_star = name;
            glob_after_star = glob;
            continue;
        }
        if (name.empty() && glob.empty()) return true;
        bool fits = !name.empty() && !glob.empty();
        if (fits && glob.front() == '[') {
            fits = take_set(glob, name.front());
        } else if (fits) {
            fits = glob.front() == '?' || glob.front() == name.front();
            glob.remove_prefix(1);
        }
        if (fits) {
            name.remove_prefix(1);
            continue;
        }
        if (!star || name_after_star.empty()) return false;
        name_after_star.remove_prefix(1);
        name = name_after_star;
        glob = glob_after_star;
    }
}

std::string nearest_topic(std::string_view name, const std::vector<std::string>& known) {
    if (is_glob(name)) return {};
    const std::vector<std::string_view> names(known.begin(), known.end());
    return std::string(nearest_word(name, names));
}

Error no_such_topic(std::string_view name, const std::vector<std::string>& known) {
    if (is_glob(name)) {
        return Error{Errc::unknown_topic_or_partition, "no topic matches " + in_quotes(name)};
    }
    std::string message = "there is no topic " + in_quotes(name);
    const auto nearest = nearest_topic(name, known);
    if (!nearest.empty()) message += "; is " + in_quotes(nearest) + " meant?";
    return Error{Errc::unknown_topic_or_partition, message};
}

}  // namespace kq

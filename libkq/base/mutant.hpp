// SPDX-License-Identifier: Apache-2.0
//
// Mutants: deliberate breaks of a rule, which the simulator must notice (tests/sim). Code reads
// `if (mutant(Mutant::answer_before_sync)) ...`; builds without KQ_MUTANTS hold a constant false.
//
// To add one: a name here with the invariant it breaks, the break in the code, a row in
// tests/sim/mutants.tsv with the seed that kills it.
#pragma once

namespace kq {

enum class Mutant : int {
    none = 0,
#define KQ_MUTANT(name, invariant, sentence) name,
#include "base/mutants.def"
#undef KQ_MUTANT
};

#ifdef KQ_MUTANTS
extern Mutant active_mutant;  // set by the test world before it starts, never by kq
inline bool mutant(Mutant which) {
    return active_mutant == which;
}
#else
constexpr bool mutant(Mutant) {
    return false;
}
#endif

}  // namespace kq

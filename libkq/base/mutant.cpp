// SPDX-License-Identifier: Apache-2.0
#include "base/mutant.hpp"

namespace kq {

#ifdef KQ_MUTANTS
Mutant active_mutant = Mutant::none;
#endif

}  // namespace kq

// SPDX-License-Identifier: Apache-2.0
//
// Names for clang's thread-safety analysis: which loop owns a member, which functions run on it.
// g++ ignores them; the asan preset (clang, -Wthread-safety -Werror) proves them.
//
// A class with a member `Loop& loop_` marks its state KQ_OWNED_BY(loop_), its private methods
// KQ_ON(loop_), and opens every public method with loop_.assert_here().
#pragma once

#if defined(__clang__)
#define KQ_ATTRIBUTE(x) __attribute__((x))
#else
#define KQ_ATTRIBUTE(x)
#endif

#define KQ_CAPABILITY(name) KQ_ATTRIBUTE(capability(name))
#define KQ_OWNED_BY(loop) KQ_ATTRIBUTE(guarded_by(loop))
#define KQ_ON(...) KQ_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define KQ_ASSERTS(...) KQ_ATTRIBUTE(assert_capability(__VA_ARGS__))
#define KQ_ACQUIRES(...) KQ_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define KQ_RELEASES(...) KQ_ATTRIBUTE(release_capability(__VA_ARGS__))
#define KQ_SCOPED_CAPABILITY KQ_ATTRIBUTE(scoped_lockable)
#define KQ_NOT_ANALYSED KQ_ATTRIBUTE(no_thread_safety_analysis)

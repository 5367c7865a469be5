// SPDX-License-Identifier: Apache-2.0
//
// kq-sim: runs simulated worlds, one for each seed, and says which promise was broken.
//
//   kq-sim --seeds A..B [--mutant NAME] [--twice] [--log]
//
// --mutant turns one deliberate break on (base/mutants.def); --twice runs every seed two times and
// compares; --log prints what the broker logs.
//
// Exit 0: every promise was kept. Exit 1: one was not; the line `replay: kq-sim --seeds N..N` runs
// that world again. Exit 2: wrong usage.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

#include "base/mutant.hpp"
#include "tests/sim/world.hpp"

namespace {

// Lines of the world's brokers, as they come.
class PrintingSink final : public kq::LogSink {
public:
    void write(kq::LogLevel level, std::string_view event,
               std::span<const kq::LogField> fields) override {
        auto line =
            kq::format_log_line(kq::LogFormat::text, kq::wall_time(0), level, event, fields);
        std::fprintf(stderr, "%s\n", line.c_str());
    }
};

// What strikes in every hundred worlds, or the worlds are not what they are meant to be.
constexpr const char* fault_kinds[] = {"clean stop",          "clock jump",
                                       "crash amid recovery", "created topic",
                                       "cut connections",     "damage told to a reader",
                                       "damaged cache",       "deleted topic",
                                       "failed sync",         "failed write",
                                       "flaky network",       "flipped bit",
                                       "full disk",           "kill",
                                       "power cut",           "replaced producer",
                                       "stalled requests",    "topic of a name that was another's"};
constexpr unsigned long long seeds_for_every_fault = 100;

// A check of ours that fails aborts the process: the seed is told all the same.
char replay_line[128];
extern "C" void tell_seed(int) {
    [[maybe_unused]] auto written = ::write(1, replay_line, std::strlen(replay_line));
    ::_exit(1);
}

int usage(const std::string& why) {
    std::fprintf(stderr,
                 "kq-sim: %s\nusage: kq-sim --seeds A..B [--mutant NAME] [--twice] [--log]\n",
                 why.c_str());
    return 2;
}

bool choose_mutant([[maybe_unused]] const std::string& name) {
#ifdef KQ_MUTANTS
#define KQ_MUTANT(known, invariant, sentence)  \
    if (name == #known) {                      \
        kq::active_mutant = kq::Mutant::known; \
        return true;                           \
    }
#include "base/mutants.def"
#undef KQ_MUTANT
#endif
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    unsigned long long first = 1;
    unsigned long long last = 0;
    std::string mutant;
    bool twice = false;
    PrintingSink sink;
    kq::LogSink* log = nullptr;
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        if (word == "--seeds" && i + 1 < argc) {
            if (std::sscanf(argv[++i], "%llu..%llu", &first, &last) != 2 || last < first) {
                return usage(std::string("'") + argv[i] + "' is not a range of seeds");
            }
        } else if (word == "--mutant" && i + 1 < argc) {
            mutant = argv[++i];
            if (!choose_mutant(mutant)) {
                return usage("no mutant '" + mutant + "' in this build");
            }
        } else if (word == "--twice") {
            twice = true;
        } else if (word == "--log") {
            sink.set_level(kq::LogLevel::debug);
            log = &sink;
        } else {
            return usage("unknown word '" + word + "'");
        }
    }
    if (last == 0) return usage("which seeds?");
    std::signal(SIGABRT, tell_seed);

    unsigned long long acked = 0;
    unsigned long long read = 0;
    unsigned long long steps = 0;
    std::map<std::string, int> counts;
    for (auto seed = first; seed <= last; ++seed) {
        std::snprintf(replay_line, sizeof replay_line, "replay: kq-sim --seeds %llu..%llu%s%s\n",
                      seed, seed, mutant.empty() ? "" : " --mutant ", mutant.c_str());
        auto result = kq::sim::OneBrokerWorld(seed, log).run();
        if (!result.broken && twice) {
            auto again = kq::sim::OneBrokerWorld(seed, log).run();
            if (again.fingerprint != result.fingerprint || again.steps != result.steps) {
                result.broken = "determinism: two runs of one seed differ";
            }
        }
        if (result.broken) {
            std::printf("broken: %s\nkq %s, step %llu, %lld ms\n%s", result.broken->c_str(),
                        KQ_VERSION, static_cast<unsigned long long>(result.steps),
                        static_cast<long long>(result.lasted / std::chrono::milliseconds(1)),
                        replay_line);
            return 1;
        }
        acked += result.acked;
        read += result.read;
        steps += result.steps;
        for (const auto& [kind, count] : result.counts)
            counts[kind] += count;
    }
    std::printf("%llu seeds: %llu steps, %llu records acknowledged, %llu read\n", last - first + 1,
                steps, acked, read);
    for (const auto& [kind, count] : counts)
        std::printf("%8d  %s\n", count, kind.c_str());
    if (last - first + 1 < seeds_for_every_fault) return 0;
    for (const char* kind : fault_kinds) {
        if (counts.contains(kind)) continue;
        std::printf("broken: world: no seed had the fault '%s'\n", kind);
        return 1;
    }
    return 0;
}

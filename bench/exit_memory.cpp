// SPDX-License-Identifier: Apache-2.0
//
// bench-exit-memory COMMAND [ARG...]: runs a command and prints, to standard error, the private and
// the resident memory (KiB) that it holds at the moment it exits. Exits as the command did.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: bench-exit-memory COMMAND [ARG...]\n");
        return 2;
    }
    pid_t child = ::fork();
    if (child == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::execvp(argv[1], argv + 1);
        std::perror(argv[1]);
        ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);  // stopped at its exec
    ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
    int signal = 0;
    for (;;) {
        ::ptrace(PTRACE_CONT, child, nullptr, signal);
        if (::waitpid(child, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status)) break;
        signal = WSTOPSIG(status);
        if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
            signal = 0;
            char path[64];
            std::snprintf(path, sizeof path, "/proc/%d/status", child);
            if (std::FILE* file = std::fopen(path, "r")) {
                char line[256];
                while (std::fgets(line, sizeof line, file) != nullptr) {
                    if (std::strncmp(line, "RssAnon:", 8) == 0 ||
                        std::strncmp(line, "VmRSS:", 6) == 0) {
                        std::fputs(line, stderr);
                    }
                }
                std::fclose(file);
            }
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

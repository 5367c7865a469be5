// SPDX-License-Identifier: Apache-2.0
//
// What this machine gives the process, and what a long-running process asks of it.
#pragma once

#include <cstdint>

namespace kq {

class FileSystem;

// How many processors this process may use; at least 1.
unsigned processor_count();

std::uint64_t physical_memory_bytes();

// What this process may use of it: less where a control group says so, its own or one above it (v2:
// memory.max, v1: memory.limit_in_bytes). `files` holds /proc and /sys.
std::uint64_t usable_memory_bytes(FileSystem& files);

// As many open files as the hard limit allows; how many that are.
std::uint64_t raise_open_files_limit();

// Sets the allocator up for a server: few arenas, so that a small broker stays small, and buffers
// that are kept instead of going back to the kernel and coming back cold.
void tune_allocator();

// Gives memory that is allocated by nobody back to the kernel, where that is much; else leaves it
// for the next use. Takes milliseconds: not on a loop.
void give_back_free_memory();

}  // namespace kq

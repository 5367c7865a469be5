# Compiler flags of every preset, and the outside libraries.

add_library(kq_options INTERFACE)
target_compile_options(kq_options INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
    # g++ 12 takes a moved std::optional inside a std::variant for uninitialized; clang's own
    # -Wsometimes-uninitialized and the sanitizers hold that rule.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    # g++ also warns where fields are named and the others keep their defaults on purpose.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-missing-field-initializers>
    # g++ 12 takes the parts of `std::string(name) + "text"` for copies past their ends (its bugs
    # 105329 and 105651), under one of four names; the sanitizers hold that rule.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread>)
# In a unity build g++ takes every anonymous namespace of a .cpp for one of a header, and a local
# name seems to hide another file's; the builds file by file hold -Wshadow.
if(CMAKE_UNITY_BUILD)
    target_compile_options(kq_options INTERFACE -Wno-shadow
        $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
if(KQ_MUTANTS)
    target_compile_definitions(kq_options INTERFACE KQ_MUTANTS=1)
endif()
target_compile_definitions(kq_options INTERFACE KQ_VERSION="${PROJECT_VERSION}")

# Baseline x86-64-v2; faster instructions are chosen at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(kq_options INTERFACE -march=x86-64-v2)
endif()

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1 -D_GLIBCXX_ASSERTIONS")
set(CMAKE_CXX_FLAGS_ASAN "-O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS")
set(CMAKE_CXX_FLAGS_TSAN "-O1 -g1 -fsanitize=thread")
# What fuzz targets run is compiled with libFuzzer's counters: the floors under them, no others.
set(KQ_FUZZED_FLOORS base protocol)
set(KQ_FUZZ_COUNTERS -fsanitize-coverage=inline-8bit-counters,pc-table,indirect-calls,trace-cmp)

find_program(KQ_CCACHE ccache)
if(KQ_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${KQ_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Poco REQUIRED COMPONENTS Foundation Net JSON)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
find_library(KQ_SNAPPY snappy REQUIRED)

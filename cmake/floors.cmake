# The floors of docs/architecture.md: one target a floor, which sees the headers of the floors it may
# include and no others. Includes of ours start at libkq/ ("storage/log.hpp"), so every floor gets an
# include root of its own that holds nothing but a link to its folder: a forbidden include does not
# compile.

# kq_floor(NAME may include FLOOR... [LIBRARIES lib...])
function(kq_floor name)
    cmake_parse_arguments(arg "" "" "MAY_INCLUDE;LIBRARIES;PUBLIC_LIBRARIES" ${ARGN})
    set(folder ${CMAKE_SOURCE_DIR}/libkq/${name})
    set(root ${CMAKE_BINARY_DIR}/include/${name})
    file(MAKE_DIRECTORY ${root})
    file(CREATE_LINK ${folder} ${root}/${name} SYMBOLIC)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    if(NOT sources)  # headers only, as long as no source is there
        add_library(kq_${name} INTERFACE)
        target_include_directories(kq_${name} INTERFACE ${root})
        foreach(lower ${arg_MAY_INCLUDE})
            target_link_libraries(kq_${name} INTERFACE kq_${lower})
        endforeach()
        return()
    endif()
    add_library(kq_${name} STATIC ${sources})
    target_include_directories(kq_${name} PUBLIC ${root})
    target_link_libraries(kq_${name} PRIVATE kq_options ${arg_LIBRARIES} PUBLIC ${arg_PUBLIC_LIBRARIES})
    foreach(lower ${arg_MAY_INCLUDE})
        if(TARGET kq_${lower})
            target_link_libraries(kq_${name} PUBLIC kq_${lower})
        endif()
    endforeach()
    if(KQ_FUZZ AND name IN_LIST KQ_FUZZED_FLOORS)
        target_compile_options(kq_${name} PRIVATE ${KQ_FUZZ_COUNTERS})
    endif()
    kq_precompile(kq_${name} std)
endfunction()

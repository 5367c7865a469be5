# What unit tests are compiled with beside the rest: compilers optimize assertions at length, and
# nobody waits for them.
function(kq_test_options target)
    target_compile_definitions(${target} PRIVATE CATCH_CONFIG_FAST_COMPILE)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# Precompiled headers: the standard ones, made once for all targets, and once for all tests with
# Catch2's too. Compilers take them as long as the flags agree, and complain where they do not.
if(KQ_PCH)
    # What some outside libraries put on the command line everybody must have then.
    target_compile_definitions(kq_options INTERFACE
        $<TARGET_PROPERTY:Poco::Foundation,INTERFACE_COMPILE_DEFINITIONS>)
    target_compile_options(kq_options INTERFACE -pthread)
    set(kq_pch_std ${CMAKE_SOURCE_DIR}/cmake/precompiled.hpp)
    set(kq_pch_test ${kq_pch_std} <catch2/catch.hpp>)
    foreach(kind std test)
        if(kind STREQUAL "std" OR KQ_TESTS)
            file(CONFIGURE OUTPUT pch_${kind}.cpp CONTENT "")
            add_library(kq_pch_${kind} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/pch_${kind}.cpp)
            target_link_libraries(kq_pch_${kind} PRIVATE kq_options)
            target_precompile_headers(kq_pch_${kind} PRIVATE ${kq_pch_${kind}})
        endif()
    endforeach()
    if(KQ_TESTS)
        kq_test_options(kq_pch_test)
    endif()
endif()

# kq_precompile(TARGET std|test)
function(kq_precompile target kind)
    if(KQ_PCH)
        target_precompile_headers(${target} REUSE_FROM kq_pch_${kind})
    endif()
endfunction()

# Precompiled headers: the standard ones. In the builds of ./check one is made for all targets, and
# one for all tests with Catch2's too: compilers take it as long as the flags agree, and complain
# where they do not. In the builds one works with every target has its own.
set(KQ_SHARED_PCH ${CMAKE_UNITY_BUILD})  # tests are no units, and share it all the same
if(KQ_PCH AND KQ_SHARED_PCH)
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
endif()

# kq_precompile(TARGET std|test)
function(kq_precompile target kind)
    if(KQ_PCH AND KQ_SHARED_PCH)
        target_precompile_headers(${target} REUSE_FROM kq_pch_${kind})
    elseif(KQ_PCH)
        target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.hpp)
    endif()
endfunction()

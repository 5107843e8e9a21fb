find_library(CMOCKA cmocka REQUIRED)
pkg_check_modules(TEST_LIBS REQUIRED IMPORTED_TARGET libssl)

add_library(calve_test_support OBJECT tests/support/torture.c tests/support/fake_store.c
    tests/support/fake_clock.c tests/support/fake_http.c tests/support/fake_tls.c
    tests/support/fake_s3.c)
target_link_libraries(calve_test_support PRIVATE calve_flags)
target_include_directories(calve_test_support PRIVATE ${CMAKE_SOURCE_DIR}/tests/support)

set(wraps -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)

# tests/unit/<layer>/test_<module>.c becomes the program unit_<layer>_<module> and the ctest
# unit.<layer>.<module>.
file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*/test_*.c)
foreach(test IN LISTS tests)
    get_filename_component(folder ${test} DIRECTORY)
    get_filename_component(layer ${folder} NAME)
    get_filename_component(file ${test} NAME_WE)
    string(REGEX REPLACE "^test_" "" module ${file})
    set(name unit_${layer}_${module})
    if(CALVE_FUZZ OR NOT TARGET calve_${layer})
        continue()
    endif()
    add_executable(${name} ${test} $<TARGET_OBJECTS:calve_test_support>)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support)
    target_compile_definitions(${name} PRIVATE
        TEST_CORPUS_DIR="${CMAKE_SOURCE_DIR}/tests/corpus")
    target_link_options(${name} PRIVATE ${wraps})
    target_link_libraries(${name} PRIVATE ${CMOCKA} PkgConfig::TEST_LIBS)
    calve_link_layers(${name} ${layer})
    add_test(NAME unit.${layer}.${module} COMMAND ${name})
    set_tests_properties(unit.${layer}.${module} PROPERTIES TIMEOUT 300 LABELS unit)
endforeach()

# fuzz/fuzz_<layer>_<parser>.c: a libFuzzer program with CALVE_FUZZ, else a replayer of
# tests/corpus/<layer>_<parser>/ that ctest runs as corpus.<layer>_<parser>.
file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/fuzz_*.c)
foreach(fuzzer IN LISTS fuzzers)
    get_filename_component(name ${fuzzer} NAME_WE)
    string(REGEX REPLACE "^fuzz_([a-z]+)_.*$" "\\1" layer ${name})
    string(REGEX REPLACE "^fuzz_" "" corpus ${name})
    if(NOT TARGET calve_${layer})
        continue()
    endif()
    if(CALVE_FUZZ)
        add_executable(${name} ${fuzzer})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(${name} ${fuzzer} tests/support/fuzz_replay.c)
        add_test(NAME corpus.${corpus}
            COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/corpus/${corpus})
        set_tests_properties(corpus.${corpus} PROPERTIES TIMEOUT 120 LABELS corpus)
    endif()
    calve_link_layers(${name} ${layer})
endforeach()

if(NOT CALVE_FUZZ AND NOT CALVE_SANITIZE)
    file(GLOB lints CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/lint_*.sh)
    foreach(lint IN LISTS lints)
        get_filename_component(name ${lint} NAME_WE)
        string(REGEX REPLACE "^lint_" "lint." test ${name})
        add_test(NAME ${test} COMMAND bash ${lint} ${CMAKE_BINARY_DIR}
            WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${test} PROPERTIES TIMEOUT 900 LABELS lint)
    endforeach()
endif()

add_library(calve_flags INTERFACE)

set(warnings
    -Wall -Wextra -Wpedantic -Werror=unused-result -Wshadow -Wconversion -Wsign-conversion
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual
    -Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND warnings -Wduplicated-cond -Wduplicated-branches -Wlogical-op)
endif()

target_compile_definitions(calve_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE
    CALVE_VERSION="${PROJECT_VERSION}")
target_compile_options(calve_flags INTERFACE ${warnings} -fno-common -fstack-protector-strong)
target_include_directories(calve_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_definitions(calve_flags INTERFACE _FORTIFY_SOURCE=3)
endif()
if(CALVE_WERROR)
    target_compile_options(calve_flags INTERFACE -Werror)
endif()
if(CALVE_SANITIZE)
    target_compile_definitions(calve_flags INTERFACE CALVE_SANITIZED)
    target_compile_options(calve_flags INTERFACE -fsanitize=${CALVE_SANITIZE}
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(calve_flags INTERFACE -fsanitize=${CALVE_SANITIZE})
endif()
if(CALVE_FUZZ)
    target_compile_options(calve_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

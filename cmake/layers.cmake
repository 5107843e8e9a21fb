# calve_layer(name deps...): one OBJECT library from src/<name>/*.c. OBJECT libraries make a cycle
# between layers a configure error.
function(calve_layer name)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/app/main\\.c$")
    set_property(GLOBAL PROPERTY calve_deps_${name} ${ARGN})
    if(NOT sources)
        return()
    endif()
    add_library(calve_${name} OBJECT ${sources})
    target_link_libraries(calve_${name} PUBLIC calve_flags)
endfunction()

# Links a program with a layer and all that the layer stands on.
function(calve_link_layers target layer)
    get_property(deps GLOBAL PROPERTY calve_deps_${layer})
    target_link_libraries(${target} PRIVATE calve_flags)
    foreach(dep IN LISTS layer deps)
        if(TARGET calve_${dep})
            target_link_libraries(${target} PRIVATE calve_${dep})
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:calve_${dep}>)
        endif()
    endforeach()
endfunction()

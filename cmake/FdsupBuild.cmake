# What every target of fdsup shares: the language, the warnings, the sanitizers.

# Tables of addresses are all that must be relocated here: in this form a tenth of the size. The linker
# knows it earlier than the C library does, which then could not start the program.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,-z,pack-relative-relocs -Wl,--fatal-warnings)
check_c_source_compiles("#include <features.h>
#if !defined __GLIBC__ || !__GLIBC_PREREQ(2, 36)
#error no DT_RELR
#endif
int main(void) { return 0; }" FDSUP_HAS_RELR)
unset(CMAKE_REQUIRED_LINK_OPTIONS)

add_library(fdsup_options INTERFACE)
target_compile_options(fdsup_options INTERFACE
  -std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wno-missing-field-initializers
  $<$<BOOL:${FDSUP_WERROR}>:-Werror>
  $<$<CONFIG:Release>:-fstack-protector-strong>
  # Nothing here unwinds the stack while it runs; debuggers take their tables from -g.
  $<$<CONFIG:Release>:-fno-asynchronous-unwind-tables>
  # So that fdsup_program can leave out what it does not reach.
  -ffunction-sections -fdata-sections
  $<$<BOOL:${FDSUP_SANITIZE}>:-fsanitize=address,undefined>
  $<$<BOOL:${FDSUP_SANITIZE}>:-fno-sanitize-recover=all>
  $<$<BOOL:${FDSUP_SANITIZE}>:-fno-omit-frame-pointer>)
target_compile_definitions(fdsup_options INTERFACE
  _GNU_SOURCE
  # A log may grow beyond 2 GiB, and 2038 will come, on machines of 32 bits as well.
  _FILE_OFFSET_BITS=64 _TIME_BITS=64
  FDSUP_VERSION="${PROJECT_VERSION}"
  FDSUP_LIBEXECDIR="${FDSUP_LIBEXECDIR}"
  $<$<AND:$<CONFIG:Release>,$<NOT:$<BOOL:${FDSUP_SANITIZE}>>>:_FORTIFY_SOURCE=2>)
target_link_options(fdsup_options INTERFACE
  $<$<BOOL:${FDSUP_SANITIZE}>:-fsanitize=address,undefined>
  $<$<CONFIG:Release>:-Wl,-z,relro,-z,now>
  $<$<AND:$<CONFIG:Release>,$<BOOL:${FDSUP_HAS_RELR}>>:-Wl,-z,pack-relative-relocs>)
target_include_directories(fdsup_options INTERFACE
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)

# fdsup_link(TARGET PUBLIC|PRIVATE library...): a folder of src/ by its name, or any other library.
function(fdsup_link target visibility)
  foreach(dep ${ARGN})
    if(TARGET fdsup_${dep})
      set(dep fdsup_${dep})
    endif()
    target_link_libraries(${target} ${visibility} ${dep})
  endforeach()
endfunction()

# fdsup_library(base SOURCES a.c b.c DEPENDS wire): one folder of src/, one static library.
# SMALL: not on the way of a connection, and therefore built for size. The others are not built for speed
# at any size either (CMake says -O3): what they take, they take on hosts that have little.
function(fdsup_library name)
  cmake_parse_arguments(A "SMALL" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(fdsup_${name} STATIC ${A_SOURCES})
  target_compile_options(fdsup_${name} PRIVATE $<$<CONFIG:Release>:$<IF:$<BOOL:${A_SMALL}>,-Os,-O2>>)
  target_link_libraries(fdsup_${name} PUBLIC fdsup_options)
  fdsup_link(fdsup_${name} PUBLIC ${A_DEPENDS})
endfunction()

# fdsup_program(fdsupctl DESTINATION bin SOURCES main.c DEPENDS base ...)
function(fdsup_program name)
  cmake_parse_arguments(A "" "DESTINATION" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE fdsup_options)
  # All of fdsup is resident on small hosts. (Not for tests: Criterion finds its tests in a section
  # that nothing refers to.)
  target_link_options(${name} PRIVATE -Wl,--gc-sections)
  fdsup_link(${name} PRIVATE ${A_DEPENDS})
  install(TARGETS ${name} RUNTIME DESTINATION ${A_DESTINATION})
endfunction()

# fdsup_tiny_program(fdsup-worker DESTINATION dir SOURCES main.c LIBRARY worker DEPENDS base wire):
# LIBRARY is that of this folder, which needs no others than the folders named, and the C library. Linked
# statically with musl, where that is found, it needs a tenth of the memory. The program is the same.
find_program(FDSUP_MUSL_GCC musl-gcc)
mark_as_advanced(FDSUP_MUSL_GCC)
function(fdsup_tiny_program name)
  cmake_parse_arguments(A "" "DESTINATION;LIBRARY" "SOURCES;DEPENDS" ${ARGN})
  if(NOT FDSUP_MUSL OR NOT FDSUP_MUSL_GCC OR FDSUP_SANITIZE)
    fdsup_program(${name} DESTINATION ${A_DESTINATION} SOURCES ${A_SOURCES} DEPENDS ${A_LIBRARY})
    return()
  endif()
  get_target_property(sources fdsup_${A_LIBRARY} SOURCES)
  list(APPEND sources ${A_SOURCES})
  set(headers *.h)
  foreach(folder ${A_DEPENDS})
    get_target_property(more fdsup_${folder} SOURCES)
    list(TRANSFORM more PREPEND ../${folder}/)
    list(APPEND sources ${more})
    list(APPEND headers ../${folder}/*.h)
  endforeach()
  file(GLOB headers CONFIGURE_DEPENDS ${headers})
  set(program ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name})
  # What fdsup_options says, for another compiler; unused functions are left out.
  add_custom_command(OUTPUT ${program}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
    COMMAND ${FDSUP_MUSL_GCC} -std=gnu17 -Os -g -static -ffunction-sections -fdata-sections
      -Wl,--gc-sections -D_GNU_SOURCE -DFDSUP_VERSION="${PROJECT_VERSION}"
      -I${PROJECT_SOURCE_DIR}/src ${sources} -o ${program}
    DEPENDS ${sources} ${headers}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "Linking ${name} statically with musl"
    VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${program})
  install(PROGRAMS ${program} DESTINATION ${A_DESTINATION})
endfunction()

# What sat3d stands on (docs/decisions.md says why each). One interface target carries all of it.
find_package(PkgConfig REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)

# oneDNN by its library and header, not by its own CMake file: Debian's asks for the OpenCL headers, which
# libdnnl-dev does not bring along, and stops the configuration where they are missing.
find_library(DNNL_LIBRARY dnnl)
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h)
if(NOT DNNL_LIBRARY OR NOT DNNL_INCLUDE)
  message(FATAL_ERROR "oneDNN is missing: sh scripts/setup (or install libdnnl-dev, or set CMAKE_PREFIX_PATH)")
endif()
file(STRINGS ${DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h DNNL_MAJOR REGEX "#define DNNL_VERSION_MAJOR ")
string(REGEX REPLACE "[^0-9]" "" DNNL_MAJOR "${DNNL_MAJOR}")
if(DNNL_MAJOR AND NOT DNNL_MAJOR MATCHES "^[23]$")
  message(WARNING "oneDNN ${DNNL_MAJOR} is not known to work; 2.x and 3.x are")
endif()
add_library(sat3d_dnnl INTERFACE)
target_link_libraries(sat3d_dnnl INTERFACE ${DNNL_LIBRARY})
target_include_directories(sat3d_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE})

pkg_check_modules(LIBDEFLATE REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(CAIRO REQUIRED IMPORTED_TARGET cairo)

add_library(sat3d_dependencies INTERFACE)
target_link_libraries(sat3d_dependencies INTERFACE OpenMP::OpenMP_C sat3d_dnnl PkgConfig::LIBDEFLATE PkgConfig::ZLIB
                      PkgConfig::JANSSON PkgConfig::UTF8PROC PkgConfig::CAIRO m)

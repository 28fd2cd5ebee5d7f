# What sat3d stands on (docs/decisions.md says why each). One interface target carries all of it.
find_package(PkgConfig REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(dnnl CONFIG QUIET)
if(NOT dnnl_FOUND)
  find_library(DNNL_LIBRARY dnnl REQUIRED)
  find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${DNNL_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE})
endif()
pkg_check_modules(LIBDEFLATE REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

add_library(sat3d_dependencies INTERFACE)
target_link_libraries(sat3d_dependencies INTERFACE OpenMP::OpenMP_C DNNL::dnnl PkgConfig::LIBDEFLATE PkgConfig::ZLIB
                      PkgConfig::JANSSON PkgConfig::UTF8PROC m)

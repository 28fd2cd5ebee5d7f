#include "cli/version.h"
#include "base/memory.h"
#include "base/processor.h"
#include "cli/help.h"
#include "cpu/onednn.h"

#include "sat3d.h"

#include <cairo.h>
#include <jansson.h>
#include <libdeflate.h>
#include <stdio.h>
#include <utf8proc.h>
#include <zlib.h>

static void print_row(const char *name, const char *value) { printf("  %-14s %s\n", name, value); }

void version_print(bool verbose)
{
    printf("sat3d %s\n", sat_version());
    if (!verbose) return;
    char words[MEMORY_TEXT];
    print_row("instructions", processor_level_name(processor_best()));
    char threads[16];
    snprintf(threads, sizeof threads, "%d", processor_cores());
    print_row("cores", threads);
    print_row("memory", memory_print_bytes(memory_physical_bytes(), words));
#ifdef __clang__
    print_row("compiler", __VERSION__);
#else
    print_row("compiler", "gcc " __VERSION__);
#endif
#ifdef _OPENMP
    print_row("OpenMP", "yes");
#else
    print_row("OpenMP", "no: one thread only");
#endif
    print_row("oneDNN", onednn_version());
    print_row("libdeflate", LIBDEFLATE_VERSION_STRING);
    print_row("zlib", zlibVersion());
    print_row("Jansson", JANSSON_VERSION);
    print_row("utf8proc", utf8proc_version());
    print_row("cairo", cairo_version_string());
    printf("%s\n", HELP_DISCLAIMER);
}

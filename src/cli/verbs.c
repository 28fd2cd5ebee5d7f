#include "cli/verbs.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

const verb *const verbs[] = {
    &verb_segment,
    &verb_check,
    &verb_convert,
    &verb_info,
    &verb_bench,
    &verb_demo,
    &verb_generate,
    NULL,
};

void verb_say(const verb_call *call, int level, const char *format, ...)
{
    const common_settings *common = call->settings;
    if (common->quiet || common->verbose < level) return;
    terminal_clear(call->screen);
    fprintf(stderr, "sat3d %s: ", call->name);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

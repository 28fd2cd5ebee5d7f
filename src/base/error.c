#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

sat_status sat_fail(sat_error *error, sat_status code, const char *format, ...)
{
    if (!error) return code;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    error->file[0] = '\0';
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return code;
}

/* Long paths keep their end: the file's name says more than the mount point. */
sat_status sat_fail_in(sat_error *error, const char *path, sat_status code)
{
    if (!error || !path || error->file[0]) return code;
    const size_t length = strlen(path), room = sizeof error->file - 1;
    if (length <= room)
        snprintf(error->file, sizeof error->file, "%s", path);
    else
        snprintf(error->file, sizeof error->file, "...%s", path + length - room + 3);
    /* A name may hold line feeds and what terminals take for commands; a message is one line. */
    for (char *at = error->file; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
    return code;
}

sat_status sat_fail_system(sat_error *error, const char *path, const char *what, int number)
{
    const sat_status code = number == ENOMEM || number == ENOSPC || number == EDQUOT || number == EFBIG ? SAT_NO_MEMORY : SAT_IO;
    sat_fail(error, code, "cannot %s: %s", what, strerror(number));
    return sat_fail_in(error, path, code);
}

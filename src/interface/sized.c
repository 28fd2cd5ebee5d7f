#include "interface/sized.h"

#include <string.h>

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static sat_status find_size(const void *theirs, size_t least, const char *name, size_t *bytes, sat_error *error)
{
    if (!theirs) return sat_fail(error, SAT_BAD_ARGUMENT, "%s is NULL", name);
    memcpy(bytes, theirs, sizeof *bytes);
    if (*bytes >= least && *bytes <= (1u << 16)) return SAT_OK;
    return sat_fail(error, SAT_BAD_ARGUMENT, "%s says that it has %zu bytes; set its size to sizeof(%s)", name, *bytes, name);
}

sat_status sized_read(void *ours, size_t our_bytes, size_t least, const void *theirs, const char *name, sat_error *error)
{
    size_t bytes = 0;
    const sat_status status = find_size(theirs, least, name, &bytes, error);
    if (status != SAT_OK) return status;
    const unsigned char *beyond = theirs;
    for (size_t n = our_bytes; n < bytes; n++)
        if (beyond[n])
            return sat_fail(error, SAT_BAD_ARGUMENT, "%s asks for something that this library, version %s, does not know; "
                            "install the one that the program was built with", name, sat_version());
    memcpy(ours, theirs, smaller(bytes, our_bytes));
    return SAT_OK;
}

sat_status sized_write(void *theirs, const void *ours, size_t our_bytes, size_t least, const char *name, sat_error *error)
{
    size_t bytes = 0;
    const sat_status status = find_size(theirs, least, name, &bytes, error);
    if (status == SAT_OK) sized_default(theirs, bytes, ours, our_bytes);
    return status;
}

void sized_default(void *theirs, size_t their_bytes, const void *ours, size_t our_bytes)
{
    if (!theirs || their_bytes < sizeof their_bytes) return;
    memset(theirs, 0, their_bytes);
    memcpy(theirs, ours, smaller(their_bytes, our_bytes));
    memcpy(theirs, &their_bytes, sizeof their_bytes);
}

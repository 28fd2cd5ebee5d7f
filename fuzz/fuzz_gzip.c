/* libFuzzer target for gzip by itself, without an image around it. Input: two bytes (how many decompressed bytes to leave out
 * and to ask for, in steps), then the file. What a peek finds and what a reading gives must agree, whichever decoder made it. */
#include "image/gzip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 1 << 16 };
    static unsigned char peeked[MOST];
    if (size < 2) return 0;
    const uint64_t skip = data[0] * 7u;
    const size_t wanted = data[1] * 61u;
    data += 2;
    size -= 2;

    sat_error error = {0};
    size_t found = 0;
    bool longer = false;
    const sat_status peek = gzip_peek(data, size, peeked, MOST, &found, &error);
    if (found > MOST || (peek != SAT_OK && !error.message[0])) abort();

    error = (sat_error){0};
    unsigned char *read = malloc(wanted ? wanted : 1); /* of the exact size, so that writing past it is seen */
    if (!read) return 0;
    const sat_status status = gzip_read(data, size, skip, read, wanted, &longer, &error);
    if (status != SAT_OK && !error.message[0]) abort();
    if (status == SAT_OK && skip + wanted <= found && memcmp(read, peeked + skip, wanted) != 0) abort();
    free(read);

    /* The whole of it, when that fits: the fast decoder and the piecewise one must say the same. */
    if (peek == SAT_OK && found < MOST && gzip_begins(data, size)) {
        unsigned char *whole = malloc(found ? found : 1);
        error = (sat_error){0};
        if (whole && gzip_read(data, size, 0, whole, found, &longer, &error) == SAT_OK && memcmp(whole, peeked, found) != 0) abort();
        free(whole);
    }
    return 0;
}

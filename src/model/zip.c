#include "model/zip.h"

#include <stdlib.h>
#include <string.h>

/* Little-endian numbers at any alignment. */
static uint64_t number(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

/* Sizes of the fixed parts, and the marks they begin with. */
enum {
    END_BYTES = 22,
    END_MARK = 0x06054b50, /* end of central directory            */
    END64_BYTES = 56,
    END64_MARK = 0x06064b50, /* the same for large archives         */
    LOCATOR_BYTES = 20,
    LOCATOR_MARK = 0x07064b50, /* where that one is; just before END  */
    ENTRY_BYTES = 46,
    ENTRY_MARK = 0x02014b50, /* an entry of the directory           */
    LOCAL_BYTES = 30,
    LOCAL_MARK = 0x04034b50, /* the header before an entry's bytes  */
};

typedef struct directory {
    uint64_t count, bytes, offset;
} directory;

static sat_status damaged(sat_error *error)
{
    return sat_fail(error, SAT_BAD_INPUT, "the archive's directory is damaged; was the file cut off or changed?");
}

/* The end record may be followed by a comment, so it is looked for from the back. */
static sat_status find_directory(const unsigned char *data, size_t size, directory *found, sat_error *error)
{
    const size_t longest = END_BYTES + 0xffff;
    const unsigned char *end = NULL;
    for (size_t back = END_BYTES; !end && back <= size && back <= longest; back++) {
        const unsigned char *at = data + size - back;
        if (number(at, 4) == END_MARK && number(at + 20, 2) == back - END_BYTES) end = at;
    }
    if (!end) return sat_fail(error, SAT_BAD_INPUT, "the archive has no directory at its end; was the file cut off?");
    *found = (directory){.count = number(end + 10, 2), .bytes = number(end + 12, 4), .offset = number(end + 16, 4)};
    uint64_t room = (uint64_t)(end - data); /* the directory ends before what describes it */
    if (room >= LOCATOR_BYTES && number(end - LOCATOR_BYTES, 4) == LOCATOR_MARK) {
        const uint64_t at = number(end - LOCATOR_BYTES + 8, 8);
        if (at > room || room - at < END64_BYTES || number(data + at, 4) != END64_MARK) return damaged(error);
        *found = (directory){.count = number(data + at + 32, 8),
                             .bytes = number(data + at + 40, 8),
                             .offset = number(data + at + 48, 8)};
        room = at;
    }
    if (found->offset > room || found->bytes > room - found->offset || found->count > found->bytes / ENTRY_BYTES)
        return damaged(error);
    return SAT_OK;
}

/* Sizes and offsets that do not fit 32 bits stand in the extra field 1, those alone, in this order. */
static bool widen(const unsigned char *extra, size_t length, zip_entry *entry, uint64_t *stored_bytes)
{
    uint64_t *const fields[] = {&entry->bytes, stored_bytes, &entry->header_offset};
    while (length >= 4) {
        const size_t id = number(extra, 2), bytes = number(extra + 2, 2);
        if (bytes > length - 4) return false;
        const unsigned char *at = extra + 4, *const end = at + bytes;
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*fields[i] != 0xffffffffu) continue;
            if (end - at < 8) return false;
            *fields[i] = number(at, 8);
            at += 8;
        }
        extra += 4 + bytes;
        length -= 4 + bytes;
    }
    return true; /* leftovers of fewer than 4 bytes are padding that some writers leave */
}

static int by_name(const void *a, const void *b)
{
    const zip_entry *x = a, *y = b;
    const size_t length = x->name_length < y->name_length ? x->name_length : y->name_length;
    const int order = memcmp(x->name, y->name, length);
    return order ? order : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

static sat_status parse_entries(zip_archive *archive, const directory *where, sat_error *error)
{
    const unsigned char *at = archive->data + where->offset, *const end = at + where->bytes;
    archive->entries = calloc((size_t)where->count + 1, sizeof *archive->entries);
    if (!archive->entries) return sat_fail(error, SAT_NO_MEMORY, "no memory for the archive's directory");
    for (uint64_t i = 0; i < where->count; i++) {
        if (end - at < ENTRY_BYTES || number(at, 4) != ENTRY_MARK) return damaged(error);
        const size_t name = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
        if ((size_t)(end - at) - ENTRY_BYTES < name + extra + comment) return damaged(error);
        uint64_t stored_bytes = number(at + 20, 4);
        zip_entry *entry = &archive->entries[archive->count++];
        *entry = (zip_entry){.name = (const char *)at + ENTRY_BYTES,
                             .name_length = name,
                             .crc32 = (uint32_t)number(at + 16, 4),
                             .bytes = number(at + 24, 4),
                             .header_offset = number(at + 42, 4)};
        if (!widen(at + ENTRY_BYTES + name, extra, entry, &stored_bytes)) return damaged(error);
        const bool encrypted = number(at + 8, 2) & 1, compressed = number(at + 10, 2) != 0;
        entry->plain = !encrypted && !compressed && stored_bytes == entry->bytes;
        at += ENTRY_BYTES + name + extra + comment;
    }
    qsort(archive->entries, archive->count, sizeof *archive->entries, by_name);
    for (size_t i = 1; i < archive->count; i++)
        if (by_name(&archive->entries[i - 1], &archive->entries[i]) == 0)
            return sat_fail(error, SAT_BAD_INPUT, "the archive has two entries called %.*s: which one is meant?",
                            (int)(archive->entries[i].name_length < 120 ? archive->entries[i].name_length : 120),
                            archive->entries[i].name);
    return SAT_OK;
}

sat_status zip_parse(const void *data, size_t size, zip_archive *archive, sat_error *error)
{
    directory where = {0};
    *archive = (zip_archive){.data = data, .size = size};
    sat_status status = find_directory(data, size, &where, error);
    if (status == SAT_OK) status = parse_entries(archive, &where, error);
    if (status != SAT_OK) zip_free(archive);
    return status;
}

void zip_free(zip_archive *archive)
{
    free(archive->entries);
    *archive = (zip_archive){0};
}

const zip_entry *zip_find(const zip_archive *archive, const char *name, size_t name_length)
{
    const zip_entry key = {.name = name, .name_length = name_length};
    return archive->count ? bsearch(&key, archive->entries, archive->count, sizeof key, by_name) : NULL;
}

sat_status zip_contents(const zip_archive *archive, const zip_entry *entry, const unsigned char **contents,
                        sat_error *error)
{
    const int shown = (int)(entry->name_length < 120 ? entry->name_length : 120);
    *contents = NULL;
    if (!entry->plain)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the entry %.*s is compressed, which torch.save never does; unpack the file and pack "
                        "it again without compression (zip -0)",
                        shown, entry->name);
    const uint64_t at = entry->header_offset;
    if (at > archive->size || archive->size - at < LOCAL_BYTES || number(archive->data + at, 4) != LOCAL_MARK)
        return damaged(error);
    /* Name and extra field of the local header may be longer than the directory's: PyTorch pads there. */
    const uint64_t skip = LOCAL_BYTES + number(archive->data + at + 26, 2) + number(archive->data + at + 28, 2);
    const uint64_t room = archive->size - at;
    if (skip > room || entry->bytes > room - skip)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the entry %.*s should have %llu bytes, but the file ends before; was it cut off?", shown,
                        entry->name, (unsigned long long)entry->bytes);
    *contents = archive->data + at + skip;
    return SAT_OK;
}

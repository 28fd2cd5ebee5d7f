#include "image/volume_file.h"

#include "base/file.h"
#include "image/gzip.h"
#include "image/nifti.h"

#include <string.h>

/* What else people hand over, by its first bytes, so that the message can say what to do. NULL: no idea. */
static const char *foreign_format(const unsigned char *bytes, size_t size)
{
#define AT(place, magic, name) {place, magic, sizeof magic - 1, name}
    static const struct {
        size_t at;
        const char *magic;
        size_t length;
        const char *name;
    } known[] = {
        AT(128, "DICM", "DICOM"),
        AT(0, "NRRD00", "NRRD"),
        AT(0, "ObjectType", "MetaImage (.mha, .mhd)"),
        AT(0, "NDims", "MetaImage (.mha, .mhd)"),
        AT(0, "\0\0\0\x01\0\0", "FreeSurfer's format (.mgh, .mgz)"),
        AT(0, "\x89HDF", "HDF5 or MINC"),
        AT(0, "CDF\x01", "MINC"),
        AT(0, "\x93NUMPY", "a NumPy array"),
        AT(0, "\x89PNG", "a PNG picture"),
        AT(0, "\xff\xd8\xff", "a JPEG picture"),
        AT(0, "PK\x03\x04", "a ZIP archive"),
        AT(0, "%PDF", "a PDF document"),
    };
#undef AT
    for (size_t n = 0; n < sizeof known / sizeof known[0]; n++)
        if (known[n].at + known[n].length <= size && memcmp(bytes + known[n].at, known[n].magic, known[n].length) == 0)
            return known[n].name;
    return NULL;
}

sat_status volume_read(const char *path, int64_t volume_index, volume *v, sat_error *error)
{
    const sat_status status = nifti_read(path, volume_index, v, error);
    if (status != SAT_BAD_INPUT) return status;

    /* It may not have been meant to be NIfTI at all. */
    file_map map;
    if (file_map_open(path, &map, NULL) != SAT_OK) return status;
    if (!nifti_begins(map.data, map.size)) {
        unsigned char bytes[256];
        size_t found = map.size < sizeof bytes ? map.size : sizeof bytes;
        const bool packed = gzip_begins(map.data, map.size);
        if (packed) {
            if (gzip_peek(map.data, map.size, bytes, sizeof bytes, &found, NULL) != SAT_OK) found = 0;
        } else if (found > 0) {
            memcpy(bytes, map.data, found);
        }
        const char *format = foreign_format(bytes, found);
        if (format) {
            sat_fail(error, SAT_BAD_INPUT, "this is %s, not NIfTI; convert it to .nii.gz first", format);
            sat_fail_in(error, path, SAT_BAD_INPUT);
        }
    }
    file_map_close(&map);
    return status;
}

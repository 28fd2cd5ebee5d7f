#include "segment/output_csv.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

enum { LONGEST_TABLE = 256 << 20 };

static const char header[] = "scan,id,name,file,voxels,volume_ml,box_i_from,box_i_to,box_j_from,box_j_to,box_k_from,box_k_to,"
                             "centroid_right_mm,centroid_anterior_mm,centroid_superior_mm,mean_intensity,deviation_intensity,"
                             "parts_removed,voxels_removed\r\n";

/* A field; in quotes where it has to be, with quotes doubled. */
static void add_field(text *t, const char *words)
{
    if (!strpbrk(words, ",\"\r\n")) {
        text_add(t, words);
        return;
    }
    text_add(t, "\"");
    for (; *words; words++) {
        if (*words == '"') text_add(t, "\"");
        text_add_bytes(t, words, 1);
    }
    text_add(t, "\"");
}

/* ",3.5", or "," where there is nothing to tell. */
static void add_number(text *t, double value, bool known)
{
    char words[32] = "";
    if (known) json_number_text(value, words);
    text_format(t, ",%s", words);
}

static void add_label(text *t, const char *scan_name, int id, const case_label *l)
{
    const label_statistics *f = &l->found;
    add_field(t, scan_name ? scan_name : "");
    text_format(t, ",%d,", id);
    add_field(t, l->name);
    text_add(t, ",");
    add_field(t, l->file);
    text_format(t, ",%lld", (long long)f->voxels);
    add_number(t, f->volume_ml, true);
    for (int a = 0; a < 3; a++)
        for (int end = 0; end < 2; end++) {
            if (f->voxels) text_format(t, ",%lld", (long long)f->box_ijk[a][end]);
            else text_add(t, ",");
        }
    for (int a = 0; a < 3; a++)
        add_number(t, f->centroid_mm[a], f->voxels > 0);
    add_number(t, f->mean, f->measured > 0);
    add_number(t, f->deviation, f->measured > 0);
    text_format(t, ",%lld,%lld\r\n", (long long)l->parts.parts_removed, (long long)l->parts.voxels_removed);
}

sat_status output_write_csv(const char *path, const case_settings *settings, const case_result *result, sat_error *error)
{
    text table = text_open(LONGEST_TABLE);
    text_add(&table, header);
    for (int i = 0; i < result->label_count; i++)
        add_label(&table, settings->scan_name, i + 1, &result->labels[i]);
    sat_status status = text_check(&table, error);
    if (status == SAT_OK) status = file_write_whole(path, table.data, table.length, error);
    text_free(&table);
    return status == SAT_OK ? SAT_OK : sat_fail_in(error, path, status);
}

#define _DEFAULT_SOURCE /* st_mtim, strcasecmp */
#include "segment/batch_finished.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "segment/batch_outputs.h"
#include "segment/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMA = 1, PATH_BYTES_MAX = 16384 };

static const char mark_name[] = ".finished.json", record_name[] = "segmentation.json";

/* ---------------------------------------------------------------- the key */

static json_t *file_json(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) return NULL;
    return json_pack("{s:I, s:I, s:I}", "bytes", (json_int_t)about.st_size, "seconds", (json_int_t)about.st_mtim.tv_sec, "nanoseconds",
                     (json_int_t)about.st_mtim.tv_nsec);
}

/* The other file of a pair, or null. */
static json_t *partner_json(const char *path)
{
    static const char *const halves[] = {".hdr", ".img", ".hdr.gz", ".img.gz"};
    json_t *found = NULL;
    for (size_t i = 0; i < 4 && !found; i++) {
        const size_t length = strlen(path), ending = strlen(halves[i]);
        if (length <= ending || strcasecmp(path + length - ending, halves[i]) != 0) continue;
        for (size_t k = 0; k < 4 && !found; k++) {
            if (k % 2 == i % 2) continue;
            text other = text_open(PATH_BYTES_MAX);
            text_add_bytes(&other, path, length - ending);
            text_add(&other, halves[k]);
            found = file_json(other.data);
            text_free(&other);
        }
    }
    return found ? found : json_null();
}

static json_t *prompts_json(const segment_request *request)
{
    json_t *prompts = json_array();
    for (int i = 0; i < request->prompt_count; i++)
        json_array_append_new(prompts, json_string(request->prompts[i]));
    return prompts;
}

static json_t *optional(const char *words) { return words ? json_string(words) : json_null(); }

static json_t *wishes_json(const segmenter *s, const case_settings *settings)
{
    char identity[HASH_SHA256_TEXT];
    model_file_identity(segmenter_model(s), identity);
    const segment_request *request = &settings->request;
    json_t *wishes = json_object();
    json_object_set_new(wishes, "version", json_string(sat_version()));
    json_object_set_new(wishes, "model", json_string(identity));
    json_object_set_new(wishes, "model_name", optional(settings->model_name));
    json_object_set_new(wishes, "computed_in", json_string(element_name(segmenter_type(s))));
    json_object_set_new(wishes, "prompts", prompts_json(request));
    json_object_set_new(wishes, "modality", optional(request->modality));
    json_object_set_new(wishes, "orientation_code", optional(request->orientation_code));
    json_object_set_new(wishes, "overlap", json_real(request->overlap));
    json_object_set_new(wishes, "skip_air", json_boolean(request->skip_air));
    json_object_set_new(wishes, "threshold", json_real((double)request->threshold));
    json_object_set_new(wishes, "minimum_volume_ml", json_real(settings->minimum_volume_ml));
    json_object_set_new(wishes, "largest_component", json_boolean(settings->largest_component));
    json_object_set_new(wishes, "probabilities", json_boolean(settings->probabilities));
    json_object_set_new(wishes, "label_map", optional(settings->label_map));
    json_object_set_new(wishes, "statistics", optional(settings->statistics));
    json_object_set_new(wishes, "preview", optional(settings->preview));
    json_object_set_new(wishes, "report", optional(settings->report));
    json_object_set_new(wishes, "compat", json_boolean(settings->compat_folder != NULL));
    json_object_set_new(wishes, "compat_dataset", optional(settings->compat_dataset));
    return wishes;
}

sat_status batch_case_key(const segmenter *s, const char *scan_path, int volume_index, const case_settings *settings,
                          char key[HASH_SHA256_TEXT], sat_error *error)
{
    json_t *scan = file_json(scan_path), *root = json_object();
    if (!scan) {
        const int reason = errno;
        json_decref(root);
        return sat_fail_system(error, scan_path, "open", reason);
    }
    json_object_set_new(root, "scan", scan);
    json_object_set_new(root, "path", json_string(scan_path));
    json_object_set_new(root, "partner", partner_json(scan_path));
    json_object_set_new(root, "volume", json_integer(volume_index));
    json_object_set_new(root, "wishes", wishes_json(s, settings));
    size_t length = 0;
    char *words = json_text(root, JSON_ONE_LINE, JSON_AS_INSERTED, &length);
    json_decref(root);
    if (!words) return sat_fail(error, SAT_NO_MEMORY, "no memory for a case's key");
    hash_sha256 h;
    hash_sha256_begin(&h);
    hash_sha256_add(&h, words, length);
    hash_sha256_end(&h, key);
    free(words);
    return SAT_OK;
}

/* ---------------------------------------------------------------- the mark */

static bool hash_file(const char *path, char hash[HASH_SHA256_TEXT])
{
    file_map map;
    if (file_map_open(path, &map, NULL) != SAT_OK) return false;
    hash_sha256 h;
    hash_sha256_begin(&h);
    hash_sha256_add(&h, map.data, map.size);
    hash_sha256_end(&h, hash);
    file_map_close(&map);
    return true;
}

static long long file_bytes(const char *folder, const char *name)
{
    struct stat about;
    char *path = output_path_in(folder, name);
    const bool there = path && stat(path, &about) == 0 && S_ISREG(about.st_mode);
    free(path);
    return there ? (long long)about.st_size : -1;
}

static bool files_are_there(const char *folder, const json_t *files)
{
    const char *name;
    json_t *bytes;
    if (!json_is_object(files)) return false;
    json_object_foreach((json_t *)(uintptr_t)files, name, bytes)
        if (strchr(name, '/') || file_bytes(folder, name) != json_integer_value(bytes)) return false;
    return true;
}

static const char *text_of(const json_t *mark, const char *key)
{
    const char *words = json_string_value(json_object_get(mark, key));
    return words ? words : "";
}

bool batch_case_finished(const char *folder, const char *key, int *found)
{
    char hash[HASH_SHA256_TEXT];
    char *mark_path = output_path_in(folder, mark_name), *record_path = output_path_in(folder, record_name);
    json_t *mark = NULL;
    const bool finished = mark_path && record_path && json_read(mark_path, &mark, NULL) == SAT_OK &&
                          json_integer_value(json_object_get(mark, "schema")) == SCHEMA && strcmp(text_of(mark, "key"), key) == 0 &&
                          hash_file(record_path, hash) && strcmp(text_of(mark, "record_sha256"), hash) == 0 &&
                          files_are_there(folder, json_object_get(mark, "files"));
    if (finished && found) *found = (int)json_integer_value(json_object_get(mark, "labels_found"));
    json_decref(mark);
    free(record_path);
    free(mark_path);
    return finished;
}

static sat_status remove_if_there(const char *folder, const char *name, sat_error *error)
{
    char *path = output_path_in(folder, name);
    if (!path) return sat_fail(error, SAT_NO_MEMORY, "no memory for a file's name");
    sat_status status = SAT_OK;
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR) status = sat_fail_system(error, path, "remove", errno);
    free(path);
    return status;
}

/* The mark first: what it stands for is about to change. */
sat_status batch_case_begin(const char *folder, sat_error *error)
{
    const sat_status status = remove_if_there(folder, mark_name, error);
    return status == SAT_OK ? remove_if_there(folder, record_name, error) : status;
}

static void add_file(json_t *files, const char *folder, const char *name)
{
    if (name[0]) json_object_set_new(files, name, json_integer(file_bytes(folder, name)));
}

/* Every file but the side-car, with its bytes; NULL when memory is short. */
static json_t *files_json(const char *folder, const case_settings *names, const case_result *result)
{
    char *others[BATCH_OUTPUTS_MOST];
    int count;
    if (batch_outputs_names(names, result->label_count, others, &count, NULL) != SAT_OK) return NULL;
    json_t *files = json_object();
    for (int i = 0; i < result->label_count; i++) {
        add_file(files, folder, result->labels[i].file);
        add_file(files, folder, result->labels[i].probability_file);
    }
    for (int i = 0; i < count; i++) {
        add_file(files, folder, others[i]);
        free(others[i]);
    }
    return files;
}

sat_status batch_case_end(const char *folder, const char *key, const case_settings *names, const case_result *result, sat_error *error)
{
    char hash[HASH_SHA256_TEXT];
    json_t *files = files_json(folder, names, result), *mark = json_object();
    if (!files || !mark) {
        json_decref(files);
        json_decref(mark);
        return sat_fail(error, SAT_NO_MEMORY, "no memory for what the case's files are");
    }
    int found = 0;
    for (int i = 0; i < result->label_count; i++)
        found += result->labels[i].found.voxels > 0;
    char *path = output_path_in(folder, mark_name);
    sat_status status = SAT_OK;
    if (!path || !result->record_path || !hash_file(result->record_path, hash)) {
        json_decref(files);
        status = sat_fail(error, SAT_IO, "segmentation.json can't be read again; is something else writing into this folder?");
        sat_fail_in(error, folder, status);
    } else {
        json_object_set_new(mark, "schema", json_integer(SCHEMA));
        json_object_set_new(mark, "key", json_string(key));
        json_object_set_new(mark, "record_sha256", json_string(hash));
        json_object_set_new(mark, "labels_found", json_integer(found));
        json_object_set_new(mark, "files", files);
        status = json_write(path, mark, JSON_AS_INSERTED, error);
    }
    json_decref(mark);
    free(path);
    return status;
}

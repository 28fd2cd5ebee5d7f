#include "model/checkpoint.h"

#include "model/names.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "storages are little-endian and used as mapped");

enum { PICKLE_BYTES_MAX = 1 << 28 }; /* a Pro checkpoint with its moments has about 500 KB */

/* ---------------------------------------------------------------- the archive's entries */

static sat_status not_a_checkpoint(const unsigned char *data, size_t size, sat_error *error)
{
    /* The first pickle of the old container: protocol 2, then the integer 0x1950a86a20f9469cfc6c. */
    static const unsigned char legacy[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c,
                                           0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    if (size >= sizeof legacy && memcmp(data, legacy, sizeof legacy) == 0)
        return sat_fail(
            error, SAT_BAD_INPUT,
            "this checkpoint has the container of PyTorch before 1.6, which is not read; save it "
            "anew with any later PyTorch: torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\")");
    if (size > 8 && data[8] == '{')
        return sat_fail(error, SAT_BAD_INPUT,
                        "this looks like a safetensors file, not like a PyTorch checkpoint (.pth)");
    return sat_fail(error, SAT_BAD_INPUT, "this is not a PyTorch checkpoint: those are zip archives");
}

/* The contents of <folder><name>; NULL when there is no such entry. */
static sat_status find_contents(const zip_archive *archive, const char *folder, size_t folder_length, const char *name,
                                size_t name_length, const zip_entry **entry, const unsigned char **contents,
                                sat_error *error)
{
    char path[512];
    *entry = NULL;
    *contents = NULL;
    if (folder_length + name_length > sizeof path) return SAT_OK;
    memcpy(path, folder, folder_length);
    memcpy(path + folder_length, name, name_length);
    *entry = zip_find(archive, path, folder_length + name_length);
    return *entry ? zip_contents(archive, *entry, contents, error) : SAT_OK;
}

/* All entries lie below one folder; it is where data.pkl is. */
static sat_status find_folder(const zip_archive *archive, const char **folder, size_t *length, sat_error *error)
{
    static const char pickle_name[] = "data.pkl";
    const size_t tail = sizeof pickle_name - 1;
    int found = 0;
    for (size_t i = 0; i < archive->count; i++) {
        const zip_entry *entry = &archive->entries[i];
        if (entry->name_length < tail || memcmp(entry->name + entry->name_length - tail, pickle_name, tail) != 0)
            continue;
        if (entry->name_length > tail && entry->name[entry->name_length - tail - 1] != '/') continue;
        *folder = entry->name;
        *length = entry->name_length - tail;
        found++;
    }
    if (found == 1) return SAT_OK;
    return sat_fail(error, SAT_BAD_INPUT,
                    found ? "the archive holds several data.pkl: more than one checkpoint"
                          : "the archive holds no data.pkl: this zip file is not a PyTorch checkpoint");
}

/* ---------------------------------------------------------------- the state dictionary */

static sat_status resolve_storage(const checkpoint *c, const char *folder, size_t folder_length,
                                  const pickle_value *storage, checkpoint_tensor *tensor, sat_error *error)
{
    const pickle_value *key = &c->objects.values[storage->storage.key];
    char name[5 + 64];
    const zip_entry *entry = NULL;
    uint64_t bytes;
    if (key->text.length > 64)
        return sat_fail(error, SAT_BAD_INPUT, "the storage of %s has an impossible key", tensor->name);
    memcpy(name, "data/", 5);
    memcpy(name + 5, key->text.data, key->text.length);
    const sat_status status =
        find_contents(&c->archive, folder, folder_length, name, 5 + key->text.length, &entry, &tensor->storage, error);
    if (status != SAT_OK) return status;
    if (!entry)
        return sat_fail(error, SAT_BAD_INPUT, "the storage of %s is missing in the archive (data/%.*s)", tensor->name,
                        (int)key->text.length, key->text.data);
    tensor->type = storage->storage.type;
    if (__builtin_mul_overflow((uint64_t)storage->storage.elements, element_bytes(tensor->type), &bytes) ||
        bytes != entry->bytes)
        return sat_fail(error, SAT_BAD_INPUT, "the storage of %s should hold %lld elements of %s, but has %llu bytes",
                        tensor->name, (long long)storage->storage.elements, element_name(tensor->type),
                        (unsigned long long)entry->bytes);
    tensor->storage_bytes = bytes;
    tensor->storage_crc32 = entry->crc32;
    return SAT_OK;
}

static const pickle_value *value_at(const checkpoint *c, const pickle_value *list, uint32_t i)
{
    return &c->objects.values[list->list.items[i]];
}

static uint32_t count_tensors(const checkpoint *c, const pickle_value *dictionary)
{
    uint32_t count = 0;
    for (uint32_t i = 1; dictionary->kind == PICKLE_DICTIONARY && i < dictionary->list.count; i += 2)
        count += value_at(c, dictionary, i)->kind == PICKLE_TENSOR;
    return count;
}

static sat_status find_state(const checkpoint *c, const pickle_value **state, sat_error *error)
{
    static const char *const keys[] = {"model_state_dict", "state_dict"};
    const pickle_value *root = &c->objects.values[c->objects.root];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const pickle_value *found = pickle_lookup(&c->objects, root, keys[i]);
        if (!found) continue;
        *state = found;
        if (count_tensors(c, found)) return SAT_OK;
        return sat_fail(error, SAT_BAD_INPUT, "the checkpoint's %s holds no tensors", keys[i]);
    }
    *state = root;
    if (count_tensors(c, root)) return SAT_OK;
    return sat_fail(error, SAT_BAD_INPUT, "the checkpoint holds no model_state_dict with tensors");
}

static sat_status list_tensor(checkpoint *c, const pickle_value *key, const pickle_value *value, char *name,
                              const char *folder, size_t folder_length, sat_error *error)
{
    checkpoint_tensor *tensor = &c->tensors[c->count++];
    const pickle_tensor *view = value->tensor;
    memcpy(name, key->text.data, key->text.length);
    name[key->text.length] = '\0';
    *tensor = (checkpoint_tensor){.name = name, .dimensions = view->dimensions, .offset = view->offset, .elements = 1};
    memcpy(tensor->shape, view->shape, sizeof tensor->shape);
    memcpy(tensor->stride, view->stride, sizeof tensor->stride);
    for (int i = 0; i < view->dimensions; i++)
        if (view->shape[i] == 0) tensor->elements = 0;
    for (int i = 0; tensor->elements && i < view->dimensions; i++)
        tensor->elements *= view->shape[i]; /* the unpickler found that it fits */
    return resolve_storage(c, folder, folder_length, &c->objects.values[view->storage], tensor, error);
}

static sat_status list_tensors(checkpoint *c, const char *folder, size_t folder_length, sat_error *error)
{
    const pickle_value *state;
    sat_status status = find_state(c, &state, error);
    if (status != SAT_OK) return status;
    size_t name_bytes = 0;
    for (uint32_t i = 0; i < state->list.count; i += 2) {
        const pickle_value *key = value_at(c, state, i);
        if (value_at(c, state, i + 1)->kind != PICKLE_TENSOR) continue; /* counters and the like */
        if (key->kind != PICKLE_TEXT || key->text.length >= MODEL_NAME_MAX ||
            memchr(key->text.data, '\0', key->text.length))
            return sat_fail(error, SAT_BAD_INPUT, "a tensor of the checkpoint has an impossible name");
        name_bytes += key->text.length + 1;
    }
    c->tensors = calloc(count_tensors(c, state), sizeof *c->tensors);
    c->names = malloc(name_bytes);
    if (!c->tensors || !c->names) return sat_fail(error, SAT_NO_MEMORY, "no memory for the list of tensors");
    char *name = c->names;
    for (uint32_t i = 0; status == SAT_OK && i < state->list.count; i += 2) {
        const pickle_value *key = value_at(c, state, i), *value = value_at(c, state, i + 1);
        if (value->kind != PICKLE_TENSOR) continue;
        status = list_tensor(c, key, value, name, folder, folder_length, error);
        name += key->text.length + 1;
    }
    return status;
}

static sat_status parse(checkpoint *c, const void *data, size_t size, sat_error *error)
{
    static const char byte_order[] = "byteorder", pickle_name[] = "data.pkl";
    const char *folder = NULL;
    size_t folder_length = 0;
    const zip_entry *entry;
    const unsigned char *contents;
    if (size < 4 || memcmp(data, "PK\3\4", 4) != 0) return not_a_checkpoint(data, size, error);
    sat_status status = zip_parse(data, size, &c->archive, error);
    if (status == SAT_OK) status = find_folder(&c->archive, &folder, &folder_length, error);
    if (status == SAT_OK)
        status = find_contents(&c->archive, folder, folder_length, byte_order, sizeof byte_order - 1, &entry, &contents,
                               error);
    if (status != SAT_OK) return status;
    if (entry && !(entry->bytes >= 6 && memcmp(contents, "little", 6) == 0))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the checkpoint was written on a machine of another byte order; save it again on a "
                        "little-endian one");
    status = find_contents(&c->archive, folder, folder_length, pickle_name, sizeof pickle_name - 1, &entry, &contents,
                           error);
    if (status != SAT_OK) return status;
    if (!entry || entry->bytes > PICKLE_BYTES_MAX)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the checkpoint's data.pkl is absurdly large; it should describe tensors, not hold them");
    status = pickle_parse(contents, (size_t)entry->bytes, &c->objects, error);
    if (status == SAT_OK) status = list_tensors(c, folder, folder_length, error);
    if (status != SAT_OK) return status;

    const pickle_value *step = pickle_lookup(&c->objects, &c->objects.values[c->objects.root], "step");
    c->step = step && step->kind == PICKLE_INTEGER ? step->integer : -1;
    for (size_t i = 0; i < c->objects.count; i++)
        c->other_tensors += c->objects.values[i].kind == PICKLE_TENSOR;
    c->other_tensors -= c->other_tensors < c->count ? c->other_tensors : c->count;
    return SAT_OK;
}

sat_status checkpoint_parse(const void *data, size_t size, checkpoint *c, sat_error *error)
{
    *c = (checkpoint){.step = -1};
    const sat_status status = parse(c, data, size, error);
    if (status != SAT_OK) checkpoint_close(c);
    return status;
}

sat_status checkpoint_open(const char *path, checkpoint *c, sat_error *error)
{
    file_map map;
    *c = (checkpoint){.step = -1};
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    status = checkpoint_parse(map.data, map.size, c, error);
    if (status != SAT_OK) {
        file_map_close(&map);
        return sat_fail_in(error, path, status);
    }
    c->map = map;
    return SAT_OK;
}

void checkpoint_close(checkpoint *c)
{
    free(c->tensors);
    free(c->names);
    pickle_free(&c->objects);
    zip_free(&c->archive);
    file_map_close(&c->map);
    *c = (checkpoint){.step = -1};
}

/* ---------------------------------------------------------------- elements */

static bool contiguous(const checkpoint_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->dimensions - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != expected) return false;
        expected *= tensor->shape[i];
    }
    return true;
}

void checkpoint_read(const checkpoint_tensor *tensor, int64_t first, size_t count, void *elements)
{
    const size_t bytes = element_bytes(tensor->type);
    unsigned char *to = elements;
    if (count == 0) return;
    if (contiguous(tensor)) {
        memcpy(to, tensor->storage + (size_t)(tensor->offset + first) * bytes, count * bytes);
        return;
    }
    /* An odometer over the view's indices, the last the fastest. */
    int64_t index[PICKLE_DIMENSIONS_MAX] = {0}, at = tensor->offset;
    for (int i = tensor->dimensions - 1; i >= 0; i--) {
        index[i] = first % tensor->shape[i];
        first /= tensor->shape[i];
        at += index[i] * tensor->stride[i];
    }
    for (size_t n = 0; n < count; n++) {
        memcpy(to + n * bytes, tensor->storage + (size_t)at * bytes, bytes);
        for (int i = tensor->dimensions - 1; i >= 0; i--) {
            if (++index[i] < tensor->shape[i]) {
                at += tensor->stride[i];
                break;
            }
            at -= (index[i] - 1) * tensor->stride[i];
            index[i] = 0;
        }
    }
}

bool checkpoint_is_whole(const checkpoint_tensor *tensor)
{
    return contiguous(tensor) && tensor->offset == 0 &&
           (uint64_t)tensor->elements == tensor->storage_bytes / element_bytes(tensor->type);
}

bool checkpoint_intact(const checkpoint_tensor *tensor)
{
    return libdeflate_crc32(0, tensor->storage, (size_t)tensor->storage_bytes) == tensor->storage_crc32;
}

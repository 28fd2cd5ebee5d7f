#include "model/unpickler.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the names that are known */

typedef enum known_call {
    CALL_ORDERED_DICTIONARY,
    CALL_TENSOR,
    CALL_PARAMETER,
    CALL_STEPPED_OVER,
    CALL_NEVER
} known_call;

static const struct {
    const char *module, *name;
    known_call call;
    element_type type; /* of a storage class, which is mentioned and never called */
} known[] = {
    {"collections", "OrderedDict", CALL_ORDERED_DICTIONARY, 0},
    {"torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", CALL_PARAMETER, 0},
    /* a loss that pretraining stores as a numpy scalar (text.md, section 8); numpy 2 moved its core */
    {"numpy.core.multiarray", "scalar", CALL_STEPPED_OVER, 0},
    {"numpy._core.multiarray", "scalar", CALL_STEPPED_OVER, 0},
    {"numpy", "dtype", CALL_STEPPED_OVER, 0},
    {"_codecs", "encode", CALL_STEPPED_OVER, 0},
    {"torch", "FloatStorage", CALL_NEVER, ELEMENT_FLOAT32},
    {"torch", "DoubleStorage", CALL_NEVER, ELEMENT_FLOAT64},
    {"torch", "HalfStorage", CALL_NEVER, ELEMENT_FLOAT16},
    {"torch", "BFloat16Storage", CALL_NEVER, ELEMENT_BFLOAT16},
    {"torch", "LongStorage", CALL_NEVER, ELEMENT_INT64},
    {"torch", "IntStorage", CALL_NEVER, ELEMENT_INT32},
    {"torch", "ShortStorage", CALL_NEVER, ELEMENT_INT16},
    {"torch", "CharStorage", CALL_NEVER, ELEMENT_INT8},
    {"torch", "ByteStorage", CALL_NEVER, ELEMENT_UINT8},
    {"torch", "BoolStorage", CALL_NEVER, ELEMENT_BOOL},
};
enum { KNOWN = sizeof known / sizeof *known };

/* ---------------------------------------------------------------- the machine */

typedef struct reader {
    pickle *p;
    const unsigned char *begin, *at, *end;
    pickle_reference *stack, *memo; /* owned */
    size_t depth, stack_room, memo_count, memo_room;
    size_t *marks; /* owned: depths of the stack */
    size_t mark_count, mark_room;
    size_t items; /* in all containers together */
    bool finished;
    sat_error *error;
} reader;

enum { MEMO_EMPTY = 0xffffffffu };

static sat_status damaged(const reader *r, const char *why)
{
    return sat_fail(r->error, SAT_BAD_INPUT, "the checkpoint's pickle is damaged near byte %zu: %s",
                    (size_t)(r->at - r->begin), why);
}

/* Room for `count` elements of `size` bytes in *array. */
static sat_status reserve(const reader *r, void *array, size_t *room, size_t count, size_t size)
{
    void **owner = array;
    if (count <= *room) return SAT_OK;
    const size_t wanted = count < 16 ? 32 : count * 2;
    void *larger = realloc(*owner, wanted * size);
    if (!larger) return sat_fail(r->error, SAT_NO_MEMORY, "no memory for the checkpoint's directory of tensors");
    *owner = larger;
    *room = wanted;
    return SAT_OK;
}

static sat_status push_reference(reader *r, pickle_reference value)
{
    const sat_status status = reserve(r, &r->stack, &r->stack_room, r->depth + 1, sizeof *r->stack);
    if (status == SAT_OK) r->stack[r->depth++] = value;
    return status;
}

static sat_status push(reader *r, pickle_value value)
{
    if (r->p->count >= PICKLE_VALUES_MAX)
        return sat_fail(r->error, SAT_BAD_INPUT, "the checkpoint holds more than %d objects, which no model does",
                        PICKLE_VALUES_MAX);
    sat_status status = reserve(r, &r->p->values, &r->p->room, r->p->count + 1, sizeof *r->p->values);
    if (status != SAT_OK) return status;
    r->p->values[r->p->count] = value;
    status = push_reference(r, (pickle_reference)r->p->count);
    r->p->count += status == SAT_OK;
    return status;
}

/* The depth below which an operation may not reach: values before the last mark belong to someone else. */
static size_t floor_of(const reader *r) { return r->mark_count ? r->marks[r->mark_count - 1] : 0; }

static bool has(const reader *r, size_t values) { return r->depth - floor_of(r) >= values; }

static pickle_value *top(const reader *r, size_t below) { return &r->p->values[r->stack[r->depth - 1 - below]]; }

static sat_status take_bytes(reader *r, uint64_t count, const unsigned char **bytes)
{
    *bytes = r->at;
    if (count > (uint64_t)(r->end - r->at)) return damaged(r, "it ends in the middle of a value");
    r->at += count;
    return SAT_OK;
}

/* An unsigned little-endian number of `count` bytes. */
static sat_status take_number(reader *r, int count, uint64_t *number)
{
    const unsigned char *bytes = NULL;
    const sat_status status = take_bytes(r, (uint64_t)count, &bytes);
    *number = 0;
    for (int i = count - 1; status == SAT_OK && i >= 0; i--)
        *number = *number << 8 | bytes[i];
    return status;
}

/* ---------------------------------------------------------------- plain values */

static sat_status push_integer(reader *r, int64_t value)
{
    return push(r, (pickle_value){.kind = PICKLE_INTEGER, .integer = value});
}

/* A text or bytes whose length stands before it in `length_bytes` bytes. */
static sat_status read_text(reader *r, pickle_kind kind, int length_bytes)
{
    uint64_t length;
    const unsigned char *bytes = NULL;
    sat_status status = take_number(r, length_bytes, &length);
    if (status == SAT_OK) status = take_bytes(r, length, &bytes);
    if (status != SAT_OK) return status;
    return push(r, (pickle_value){.kind = kind, .text = {(const char *)bytes, (size_t)length}});
}

static sat_status read_integer(reader *r, int bytes, bool is_signed)
{
    uint64_t number;
    const sat_status status = take_number(r, bytes, &number);
    if (status != SAT_OK) return status;
    return push_integer(r, is_signed ? (int64_t)(int32_t)(uint32_t)number : (int64_t)number);
}

/* Two's complement, little-endian, of any length: what fits 64 bits is a number, the rest is stepped over. */
static sat_status read_long(reader *r, int length_bytes)
{
    uint64_t length, number = 0;
    const unsigned char *bytes = NULL;
    sat_status status = take_number(r, length_bytes, &length);
    if (status == SAT_OK) status = take_bytes(r, length, &bytes);
    if (status != SAT_OK) return status;
    if (length > 8) return push(r, (pickle_value){.kind = PICKLE_OPAQUE});
    if (length && bytes[length - 1] & 0x80) number = UINT64_MAX;
    for (size_t i = (size_t)length; i-- > 0;)
        number = number << 8 | bytes[i];
    return push_integer(r, (int64_t)number);
}

static sat_status read_real(reader *r)
{
    const unsigned char *bytes;
    const sat_status status = take_bytes(r, 8, &bytes);
    if (status != SAT_OK) return status;
    uint64_t bits = 0; /* big-endian, the only such number in a pickle */
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    double value;
    memcpy(&value, &bits, sizeof value);
    return push(r, (pickle_value){.kind = PICKLE_REAL, .real = value});
}

/* ---------------------------------------------------------------- containers */

static sat_status append(reader *r, pickle_value *list, const pickle_reference *items, size_t count)
{
    size_t room = list->list.room;
    r->items += count; /* a list that is copied again and again would grow with the square of the pickle's length */
    if (count > PICKLE_VALUES_MAX || r->items > 8 * (size_t)PICKLE_VALUES_MAX)
        return damaged(r, "its lists are too long");
    const sat_status status = reserve(r, &list->list.items, &room, list->list.count + count, sizeof *items);
    if (status != SAT_OK) return status;
    list->list.room = (uint32_t)room;
    if (count) memcpy(list->list.items + list->list.count, items, count * sizeof *items);
    list->list.count += (uint32_t)count;
    return SAT_OK;
}

/* The values above the last mark become a new tuple, list or dictionary. */
static sat_status collect(reader *r, pickle_kind kind, size_t from)
{
    pickle_value made = {.kind = kind};
    if (kind == PICKLE_DICTIONARY && (r->depth - from) % 2) return damaged(r, "a dictionary lacks a value");
    sat_status status = append(r, &made, r->stack + from, r->depth - from);
    if (status != SAT_OK) return status;
    r->depth = from;
    status = push(r, made);
    if (status != SAT_OK) free(made.list.items);
    return status;
}

static sat_status pop_mark(reader *r, size_t *depth)
{
    if (r->mark_count == 0) return damaged(r, "a mark is missing");
    *depth = r->marks[--r->mark_count];
    return SAT_OK;
}

static sat_status collect_marked(reader *r, pickle_kind kind)
{
    size_t from = 0;
    const sat_status status = pop_mark(r, &from);
    return status == SAT_OK ? collect(r, kind, from) : status;
}

static sat_status collect_last(reader *r, size_t count)
{
    return has(r, count) ? collect(r, PICKLE_TUPLE, r->depth - count) : damaged(r, "a value is missing");
}

/* The values from `from` on go into the list or dictionary below them. */
static sat_status extend(reader *r, pickle_kind kind, size_t from)
{
    if (from < floor_of(r) + 1) return damaged(r, "a value is missing");
    pickle_value *container = &r->p->values[r->stack[from - 1]];
    if (container->kind != kind) return damaged(r, "something is added to what can't hold it");
    if (kind == PICKLE_DICTIONARY && (r->depth - from) % 2) return damaged(r, "a dictionary lacks a value");
    const sat_status status = append(r, container, r->stack + from, r->depth - from);
    r->depth = from;
    return status;
}

static sat_status extend_marked(reader *r, pickle_kind kind)
{
    size_t from = 0;
    const sat_status status = pop_mark(r, &from);
    return status == SAT_OK ? extend(r, kind, from) : status;
}

static sat_status extend_last(reader *r, pickle_kind kind, size_t count)
{
    return has(r, count + 1) ? extend(r, kind, r->depth - count) : damaged(r, "a value is missing");
}

static sat_status mark(reader *r)
{
    const sat_status status = reserve(r, &r->marks, &r->mark_room, r->mark_count + 1, sizeof *r->marks);
    if (status == SAT_OK) r->marks[r->mark_count++] = r->depth;
    return status;
}

/* ---------------------------------------------------------------- the memo */

static sat_status memo_put(reader *r, uint64_t index)
{
    if (!has(r, 1) || index >= PICKLE_VALUES_MAX) return damaged(r, "a value is remembered that is not there");
    const sat_status status = reserve(r, &r->memo, &r->memo_room, (size_t)index + 1, sizeof *r->memo);
    if (status != SAT_OK) return status;
    for (; r->memo_count <= index; r->memo_count++)
        r->memo[r->memo_count] = MEMO_EMPTY;
    r->memo[index] = r->stack[r->depth - 1];
    return SAT_OK;
}

static sat_status read_put(reader *r, int bytes)
{
    uint64_t index;
    const sat_status status = take_number(r, bytes, &index);
    return status == SAT_OK ? memo_put(r, index) : status;
}

static sat_status read_get(reader *r, int bytes)
{
    uint64_t index;
    const sat_status status = take_number(r, bytes, &index);
    if (status != SAT_OK) return status;
    if (index >= r->memo_count || r->memo[index] == MEMO_EMPTY)
        return damaged(r, "a value is recalled that was not remembered");
    return push_reference(r, r->memo[index]);
}

/* ---------------------------------------------------------------- names, storages, tensors */

static bool text_is(const char *text, size_t length, const char *expected)
{
    return length == strlen(expected) && memcmp(text, expected, length) == 0;
}

static sat_status push_global(reader *r, const char *module, size_t module_length, const char *name, size_t name_length)
{
    for (int i = 0; i < KNOWN; i++)
        if (text_is(module, module_length, known[i].module) && text_is(name, name_length, known[i].name))
            return push(r, (pickle_value){.kind = PICKLE_GLOBAL, .global = i});
    return sat_fail(
        r->error, SAT_BAD_INPUT,
        "the checkpoint asks for %.*s.%.*s, which is not needed to hold tensors; nothing was "
        "executed, and such a file is not read. If you trust it, load it in PyTorch and save its tensors alone: "
        "torch.save({\"model_state_dict\": ...}, path)",
        (int)(module_length < 100 ? module_length : 100), module, (int)(name_length < 100 ? name_length : 100), name);
}

/* GLOBAL: module and name as two lines. */
static sat_status read_global(reader *r)
{
    const char *line[2];
    size_t length[2];
    for (int i = 0; i < 2; i++) {
        const unsigned char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
        if (!newline) return damaged(r, "a name is cut off");
        line[i] = (const char *)r->at;
        length[i] = (size_t)(newline - r->at);
        r->at = newline + 1;
    }
    return push_global(r, line[0], length[0], line[1], length[1]);
}

/* STACK_GLOBAL: module and name from the stack. */
static sat_status stack_global(reader *r)
{
    if (!has(r, 2) || top(r, 1)->kind != PICKLE_TEXT || top(r, 0)->kind != PICKLE_TEXT)
        return damaged(r, "a name is missing");
    const pickle_value module = *top(r, 1), name = *top(r, 0);
    r->depth -= 2;
    return push_global(r, module.text.data, module.text.length, name.text.data, name.text.length);
}

static const pickle_value *item(const reader *r, const pickle_value *list, uint32_t i)
{
    return &r->p->values[list->list.items[i]];
}

/* A persistent id: ('storage', class, key, device, elements), with a sixth member in the old container. */
static sat_status read_storage(reader *r)
{
    if (!has(r, 1) || top(r, 0)->kind != PICKLE_TUPLE) return damaged(r, "a storage has no description");
    const pickle_value *id = top(r, 0);
    if (id->list.count < 5 || item(r, id, 0)->kind != PICKLE_TEXT || item(r, id, 1)->kind != PICKLE_GLOBAL ||
        item(r, id, 2)->kind != PICKLE_TEXT || item(r, id, 4)->kind != PICKLE_INTEGER ||
        !text_is(item(r, id, 0)->text.data, item(r, id, 0)->text.length, "storage") ||
        known[item(r, id, 1)->global].call != CALL_NEVER || item(r, id, 4)->integer < 0)
        return damaged(r, "a storage is described in an unknown way");
    const pickle_value storage = {.kind = PICKLE_STORAGE,
                                  .storage = {.type = known[item(r, id, 1)->global].type,
                                              .key = id->list.items[2],
                                              .elements = item(r, id, 4)->integer}};
    r->depth--;
    return push(r, storage);
}

/* A tuple of integers, none negative. */
static bool read_sizes(const reader *r, const pickle_value *tuple, int64_t *sizes)
{
    if (tuple->kind != PICKLE_TUPLE || tuple->list.count > PICKLE_DIMENSIONS_MAX) return false;
    for (uint32_t i = 0; i < tuple->list.count; i++) {
        if (item(r, tuple, i)->kind != PICKLE_INTEGER || item(r, tuple, i)->integer < 0) return false;
        sizes[i] = item(r, tuple, i)->integer;
    }
    return true;
}

/* Whether the last element of a view, and the number of its elements, are within what can be. */
static bool view_fits(const pickle_tensor *t, int64_t elements)
{
    int64_t last = t->offset, count = 1, step;
    for (int i = 0; i < t->dimensions; i++) {
        if (t->shape[i] == 0) return true; /* nothing is read */
        if (__builtin_mul_overflow(count, t->shape[i], &count) ||
            __builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &step) || __builtin_add_overflow(last, step, &last))
            return false;
    }
    return last < elements;
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks) */
static sat_status make_tensor(reader *r, const pickle_value *arguments, pickle_value *made)
{
    pickle_tensor tensor = {0};
    int64_t strides[PICKLE_DIMENSIONS_MAX] = {0};
    if (arguments->list.count < 4 || item(r, arguments, 0)->kind != PICKLE_STORAGE ||
        item(r, arguments, 1)->kind != PICKLE_INTEGER || item(r, arguments, 1)->integer < 0 ||
        !read_sizes(r, item(r, arguments, 2), tensor.shape) || !read_sizes(r, item(r, arguments, 3), strides) ||
        item(r, arguments, 2)->list.count != item(r, arguments, 3)->list.count)
        return damaged(r, "a tensor is described in an unknown way");
    memcpy(tensor.stride, strides, sizeof strides);
    tensor.storage = arguments->list.items[0];
    tensor.offset = item(r, arguments, 1)->integer;
    tensor.dimensions = (int)item(r, arguments, 2)->list.count;
    if (!view_fits(&tensor, item(r, arguments, 0)->storage.elements))
        return damaged(r, "a tensor reaches beyond its storage");
    *made = (pickle_value){.kind = PICKLE_TENSOR, .tensor = malloc(sizeof tensor)};
    if (!made->tensor) return sat_fail(r->error, SAT_NO_MEMORY, "no memory for the checkpoint's directory of tensors");
    *made->tensor = tensor;
    return SAT_OK;
}

/* OrderedDict(): empty and filled later, or from a list of pairs. */
static sat_status make_ordered_dictionary(reader *r, const pickle_value *arguments, pickle_value *made)
{
    *made = (pickle_value){.kind = PICKLE_DICTIONARY};
    if (arguments->list.count == 0) return SAT_OK;
    const pickle_value *pairs = item(r, arguments, 0);
    if (pairs->kind != PICKLE_LIST) return damaged(r, "an ordered dictionary is made in an unknown way");
    sat_status status = SAT_OK;
    for (uint32_t i = 0; status == SAT_OK && i < pairs->list.count; i++) {
        const pickle_value *pair = item(r, pairs, i);
        if ((pair->kind == PICKLE_TUPLE || pair->kind == PICKLE_LIST) && pair->list.count == 2)
            status = append(r, made, pair->list.items, 2);
        else
            status = damaged(r, "an ordered dictionary is made of something other than pairs");
    }
    return status;
}

/* REDUCE: the call of a known name with a tuple of arguments. */
static sat_status reduce(reader *r)
{
    if (!has(r, 2) || top(r, 1)->kind != PICKLE_GLOBAL || top(r, 0)->kind != PICKLE_TUPLE)
        return damaged(r, "something is called that is no name");
    const known_call call = known[top(r, 1)->global].call;
    const pickle_value arguments = *top(r, 0);
    pickle_value made = {.kind = PICKLE_OPAQUE};
    sat_status status = SAT_OK;
    r->depth -= 2;
    switch (call) {
    case CALL_TENSOR: status = make_tensor(r, &arguments, &made); break;
    case CALL_ORDERED_DICTIONARY: status = make_ordered_dictionary(r, &arguments, &made); break;
    case CALL_PARAMETER: /* _rebuild_parameter(tensor, requires_grad, hooks): the tensor itself */
        if (arguments.list.count < 1 || item(r, &arguments, 0)->kind != PICKLE_TENSOR)
            return damaged(r, "a parameter is made of something other than a tensor");
        return push_reference(r, arguments.list.items[0]);
    case CALL_STEPPED_OVER: break;
    case CALL_NEVER: return damaged(r, "a storage class is called");
    }
    if (status == SAT_OK) status = push(r, made);
    if (status != SAT_OK && made.kind == PICKLE_TENSOR) free(made.tensor);
    if (status != SAT_OK && made.kind == PICKLE_DICTIONARY) free(made.list.items);
    return status;
}

/* BUILD sets attributes: `_metadata` of a state dictionary, the byte order of a numpy type. Both are stepped over. */
static sat_status build(reader *r)
{
    if (!has(r, 2) || (top(r, 1)->kind != PICKLE_DICTIONARY && top(r, 1)->kind != PICKLE_OPAQUE))
        return damaged(r, "attributes are set on what has none");
    r->depth--;
    return SAT_OK;
}

/* ---------------------------------------------------------------- the opcodes */

static sat_status skip_bytes(reader *r, uint64_t count)
{
    const unsigned char *unused;
    return take_bytes(r, count, &unused);
}

static sat_status pop(reader *r)
{
    if (r->depth > floor_of(r))
        r->depth--;
    else if (r->mark_count)
        r->mark_count--;
    else
        return damaged(r, "a value is missing");
    return SAT_OK;
}

static sat_status pop_to_mark(reader *r)
{
    size_t depth = 0;
    const sat_status status = pop_mark(r, &depth);
    if (status == SAT_OK) r->depth = depth;
    return status;
}

static sat_status stop(reader *r)
{
    if (r->mark_count || r->depth != 1) return damaged(r, "it ends with values left over");
    r->p->root = r->stack[0];
    r->finished = true;
    return SAT_OK;
}

static sat_status read_protocol(reader *r)
{
    uint64_t protocol;
    const sat_status status = take_number(r, 1, &protocol);
    if (status != SAT_OK || protocol <= 5) return status;
    return sat_fail(r->error, SAT_BAD_INPUT, "the checkpoint uses pickle protocol %d, but 2 to 5 are known",
                    (int)protocol);
}

static sat_status step(reader *r)
{
    const unsigned char opcode = *r->at++;
    switch (opcode) {
    case 0x80: return read_protocol(r);                                              /* PROTO            */
    case 0x95: return skip_bytes(r, 8);                                              /* FRAME            */
    case '.': return stop(r);                                                        /* STOP             */
    case 'N': return push(r, (pickle_value){.kind = PICKLE_NONE});                   /* NONE             */
    case 0x88: return push(r, (pickle_value){.kind = PICKLE_BOOLEAN, .integer = 1}); /* NEWTRUE      */
    case 0x89: return push(r, (pickle_value){.kind = PICKLE_BOOLEAN});               /* NEWFALSE         */
    case 'K': return read_integer(r, 1, false);                                      /* BININT1          */
    case 'M': return read_integer(r, 2, false);                                      /* BININT2          */
    case 'J': return read_integer(r, 4, true);                                       /* BININT           */
    case 0x8a: return read_long(r, 1);                                               /* LONG1            */
    case 0x8b: return read_long(r, 4);                                               /* LONG4            */
    case 'G': return read_real(r);                                                   /* BINFLOAT         */
    case 0x8c: return read_text(r, PICKLE_TEXT, 1);                                  /* SHORT_BINUNICODE */
    case 'X': return read_text(r, PICKLE_TEXT, 4);                                   /* BINUNICODE       */
    case 0x8d: return read_text(r, PICKLE_TEXT, 8);                                  /* BINUNICODE8      */
    case 'U': return read_text(r, PICKLE_TEXT, 1);   /* SHORT_BINSTRING: Python 2's text */
    case 'T': return read_text(r, PICKLE_TEXT, 4);   /* BINSTRING        */
    case 'C': return read_text(r, PICKLE_BYTES, 1);  /* SHORT_BINBYTES   */
    case 'B': return read_text(r, PICKLE_BYTES, 4);  /* BINBYTES         */
    case 0x8e: return read_text(r, PICKLE_BYTES, 8); /* BINBYTES8        */
    case '(': return mark(r);                        /* MARK             */
    case '0': return pop(r);                         /* POP              */
    case '1': return pop_to_mark(r);                 /* POP_MARK         */
    case '2': return has(r, 1) ? push_reference(r, r->stack[r->depth - 1]) : damaged(r, "a value is missing"); /* DUP */
    case ')': return collect(r, PICKLE_TUPLE, r->depth);      /* EMPTY_TUPLE      */
    case ']': return collect(r, PICKLE_LIST, r->depth);       /* EMPTY_LIST       */
    case '}': return collect(r, PICKLE_DICTIONARY, r->depth); /* EMPTY_DICT       */
    case 't': return collect_marked(r, PICKLE_TUPLE);         /* TUPLE            */
    case 'l': return collect_marked(r, PICKLE_LIST);          /* LIST             */
    case 'd': return collect_marked(r, PICKLE_DICTIONARY);    /* DICT             */
    case 0x85: return collect_last(r, 1);                     /* TUPLE1           */
    case 0x86: return collect_last(r, 2);                     /* TUPLE2           */
    case 0x87: return collect_last(r, 3);                     /* TUPLE3           */
    case 'a': return extend_last(r, PICKLE_LIST, 1);          /* APPEND           */
    case 'e': return extend_marked(r, PICKLE_LIST);           /* APPENDS          */
    case 's': return extend_last(r, PICKLE_DICTIONARY, 2);    /* SETITEM          */
    case 'u': return extend_marked(r, PICKLE_DICTIONARY);     /* SETITEMS         */
    case 'q': return read_put(r, 1);                          /* BINPUT           */
    case 'r': return read_put(r, 4);                          /* LONG_BINPUT      */
    case 0x94: return memo_put(r, r->memo_count);             /* MEMOIZE          */
    case 'h': return read_get(r, 1);                          /* BINGET           */
    case 'j': return read_get(r, 4);                          /* LONG_BINGET      */
    case 'c': return read_global(r);                          /* GLOBAL           */
    case 0x93: return stack_global(r);                        /* STACK_GLOBAL     */
    case 'Q': return read_storage(r);                         /* BINPERSID        */
    case 'R': return reduce(r);                               /* REDUCE           */
    case 'b': return build(r);                                /* BUILD            */
    default: break;
    }
    return sat_fail(r->error, SAT_BAD_INPUT,
                    "the checkpoint's pickle uses the operation 0x%02x at byte %zu, which a file of "
                    "tensors does not need; load it in PyTorch and save it again",
                    opcode, (size_t)(r->at - r->begin - 1));
}

sat_status pickle_parse(const void *data, size_t size, pickle *p, sat_error *error)
{
    *p = (pickle){0};
    reader r = {.p = p, .begin = data, .at = data, .end = (const unsigned char *)data + size, .error = error};
    sat_status status = reserve(&r, &r.stack, &r.stack_room, 16, sizeof *r.stack); /* so that it is never NULL */
    while (status == SAT_OK && !r.finished)
        status = r.at < r.end ? step(&r) : damaged(&r, "it ends in the middle");
    free(r.stack);
    free(r.memo);
    free(r.marks);
    if (status != SAT_OK) pickle_free(p);
    return status;
}

void pickle_free(pickle *p)
{
    for (size_t i = 0; i < p->count; i++) {
        pickle_value *value = &p->values[i];
        if (value->kind == PICKLE_TENSOR) free(value->tensor);
        if (value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST || value->kind == PICKLE_DICTIONARY)
            free(value->list.items);
    }
    free(p->values);
    *p = (pickle){0};
}

const pickle_value *pickle_lookup(const pickle *p, const pickle_value *dictionary, const char *key)
{
    if (!dictionary || dictionary->kind != PICKLE_DICTIONARY) return NULL;
    for (uint32_t i = dictionary->list.count; i >= 2; i -= 2) {
        const pickle_value *candidate = &p->values[dictionary->list.items[i - 2]];
        if (candidate->kind == PICKLE_TEXT && text_is(candidate->text.data, candidate->text.length, key))
            return &p->values[dictionary->list.items[i - 1]];
    }
    return NULL;
}

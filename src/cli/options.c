#include "cli/options.h"
#include "base/memory.h"
#include "base/processor.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define FIELD(f) offsetof(common_settings, f)
const option common_options[] = {
    {.name = "threads", .letter = 't', .kind = OPTION_INTEGER, .offset = FIELD(threads), .argument = "N",
     .help = "threads to use (default: all cores); results do not depend on it", .least = 1, .most = 4096},
    {.name = "max-memory", .kind = OPTION_BYTES, .offset = FIELD(max_memory_bytes), .argument = "SIZE",
     .help = "stay below this, e.g. 8G, or refuse at the start (default: 3/4 of the machine)"},
    {.name = "json", .kind = OPTION_FLAG, .offset = FIELD(json), .help = "print results as JSON"},
    {.name = "quiet", .letter = 'q', .kind = OPTION_FLAG, .offset = FIELD(quiet),
     .help = "no progress and no remarks: results and errors only"},
    {.name = "verbose", .letter = 'v', .kind = OPTION_COUNT, .offset = FIELD(verbose),
     .help = "say what is done and how long it takes; -vv also what was chosen and why"},
    {.name = "dry-run", .letter = 'n', .kind = OPTION_FLAG, .offset = FIELD(dry_run),
     .help = "say what would be done, do nothing"},
    {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .offset = FIELD(help), .help = "show this page"},
    {.name = NULL},
};
#undef FIELD
/* clang-format on */

static bool takes_value(const option *o) { return o->kind != OPTION_FLAG && o->kind != OPTION_COUNT; }

static void *field_of(const option *o, void *settings) { return (char *)settings + o->offset; }

/* ---------------------------------------------------------------- values */

static bool parse_whole(const char *words, char **end, long long *value)
{
    if (*words != '-' && (*words < '0' || *words > '9')) return false;
    errno = 0;
    *value = strtoll(words, end, 10);
    return *end != words && errno == 0;
}

static bool parse_real(const char *words, char **end, double *value)
{
    if (!strchr("-.0123456789", *words) || !*words) return false; /* no "inf", "nan", signs or spaces */
    *value = strtod(words, end);
    return *end != words && isfinite(*value);
}

static sat_status refuse(const char *shown, const char *value, sat_error *error, const char *wanted)
{
    return sat_fail(error, SAT_BAD_ARGUMENT, "%s %s: expected %s", shown, *value ? value : "\"\"", wanted);
}

static sat_status take_number(const option *o, const char *shown, const char *value, void *field, sat_error *error)
{
    const bool whole = o->kind == OPTION_INTEGER, limited = o->least != 0 || o->most != 0;
    const double least = limited ? o->least : whole ? INT_MIN : -INFINITY;
    const double most = limited ? o->most : whole ? INT_MAX : INFINITY;
    char *end, wanted[96];
    long long integer = 0;
    double number = 0;
    bool good = whole ? parse_whole(value, &end, &integer) : parse_real(value, &end, &number);
    if (whole) number = (double)integer;
    good = good && !*end && number >= least && number <= most;
    if (!good) {
        snprintf(wanted, sizeof wanted, whole ? "a whole number" : "a number");
        const size_t at = strlen(wanted);
        if (limited) snprintf(wanted + at, sizeof wanted - at, " from %.10g to %.10g", least, most);
        return refuse(shown, value, error, wanted);
    }
    if (whole)
        *(int *)field = (int)integer;
    else
        *(double *)field = number;
    return SAT_OK;
}

/* "288x288x96", or "64" for 64x64x64. */
static sat_status take_three(const option *o, const char *shown, const char *value, void *field, sat_error *error)
{
    enum { LARGEST = 1 << 20 }; /* voxels along an axis; millimetres likewise */
    const bool whole = o->kind == OPTION_SHAPE;
    double three[3];
    int count = 0;
    char *at = (char *)(uintptr_t)value;
    bool good = true;
    for (; good && count < 3; count++) {
        long long integer = 0;
        good = whole ? parse_whole(at, &at, &integer) : parse_real(at, &at, &three[count]);
        if (whole) three[count] = (double)integer;
        good = good && three[count] > 0 && three[count] <= LARGEST;
        if (good && *at == 'x' && count < 2)
            at++;
        else if (good) {
            good = *at == '\0' && count != 1;
            count++;
            break;
        }
    }
    if (!good)
        return refuse(shown, value, error,
                      whole ? "three whole numbers of voxels such as 288x288x96"
                            : "three numbers of millimetres such as 1x1x3");
    for (int axis = 0; axis < 3; axis++) {
        const double extent = three[count == 3 ? axis : 0];
        if (whole)
            ((int *)field)[axis] = (int)extent;
        else
            ((double *)field)[axis] = extent;
    }
    return SAT_OK;
}

static sat_status take_choice(const option *o, const char *shown, const char *value, void *field, sat_error *error)
{
    text wanted = text_open(400);
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            text_free(&wanted);
            *(int *)field = i;
            return SAT_OK;
        }
        text_format(&wanted, "%s%s", i == 0 ? "" : o->choices[i + 1] ? ", " : " or ", o->choices[i]);
    }
    const char *nearest = text_nearest(value, o->choices);
    if (nearest) text_format(&wanted, "; did you mean %s?", nearest);
    const sat_status status = refuse(shown, value, error, wanted.data);
    text_free(&wanted);
    return status;
}

static sat_status take_text_into_list(option_texts *list, const char *value, sat_error *error)
{
    const char **items = realloc(list->items, ((size_t)list->count + 1) * sizeof *items);
    if (!items) return sat_fail(error, SAT_NO_MEMORY, "no memory for the command line");
    list->items = items;
    list->items[list->count++] = value;
    return SAT_OK;
}

/* `shown` is the option as the user wrote it: "--threads" or "-t". */
static sat_status take_value(const option *o, const char *shown, const char *value, void *settings, sat_error *error)
{
    void *field = field_of(o, settings);
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)field = true; return SAT_OK;
    case OPTION_COUNT: ++*(int *)field; return SAT_OK;
    case OPTION_INTEGER:
    case OPTION_REAL: return take_number(o, shown, value, field, error);
    case OPTION_BYTES:
        if (memory_parse_bytes(value, field)) return SAT_OK;
        return refuse(shown, value, error, "a size such as 8G or 900M");
    case OPTION_TEXT: *(const char **)field = value; return SAT_OK;
    case OPTION_TEXTS: return take_text_into_list(field, value, error);
    case OPTION_CHOICE: return take_choice(o, shown, value, field, error);
    case OPTION_SHAPE:
    case OPTION_SPACING: return take_three(o, shown, value, field, error);
    }
    return SAT_OK;
}

/* ---------------------------------------------------------------- names */

/* Calls for the verb's own rows first, then the common ones. */
static const option *row(const option *options, int index)
{
    for (; options->name && index > 0; options++)
        index--;
    return options->name ? options : &common_options[index];
}

static const option *find_letter(const option *options, char letter)
{
    for (int i = 0; row(options, i)->name; i++)
        if (row(options, i)->letter == letter) return row(options, i);
    return NULL;
}

static const option *find_name(const option *options, const char *name, size_t length)
{
    for (int i = 0; row(options, i)->name; i++) {
        const option *o = row(options, i);
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0) return o;
    }
    return NULL;
}

static sat_status unknown_name(const option *options, const char *name, size_t length, sat_error *error)
{
    enum { MOST = 256, WORD = 64 };
    static const char no[] = "no-";
    const char *candidates[MOST];
    char negated[MOST / 2][WORD], word[WORD];
    int count = 0, negations = 0;
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    for (int i = 0; row(options, i)->name && count < MOST - 1; i++)
        if (!row(options, i)->hidden) candidates[count++] = row(options, i)->name;
    for (int i = 0; row(options, i)->name && count < MOST - 1 && negations < MOST / 2 && text_begins(word, no); i++)
        if (row(options, i)->kind == OPTION_FLAG && !row(options, i)->hidden) {
            snprintf(negated[negations], WORD, "%s%s", no, row(options, i)->name);
            candidates[count++] = negated[negations++];
        }
    candidates[count] = NULL;
    const char *nearest = text_nearest(word, candidates);
    return nearest ? sat_fail(error, SAT_BAD_ARGUMENT, "unknown option --%s; did you mean --%s?", word, nearest)
                   : sat_fail(error, SAT_BAD_ARGUMENT, "unknown option --%s; --help lists those that there are", word);
}

/* ---------------------------------------------------------------- the command line */

typedef struct parser {
    const option *options;
    void *settings;
    char *const *arguments;
    int count, at; /* arguments[at] is the next one */
    sat_error *error;
} parser;

/* The value of an option that has none attached: the next argument, unless that is itself an option. */
static sat_status next_value(parser *p, const option *o, const char *shown, const char **value)
{
    const char *kind = o->argument ? o->argument : "WORD";
    if (p->at >= p->count) return sat_fail(p->error, SAT_BAD_ARGUMENT, "%s needs a value: %s %s", shown, shown, kind);
    *value = p->arguments[p->at];
    if (text_begins(*value, "--") && find_name(p->options, *value + 2, strcspn(*value + 2, "=")))
        return sat_fail(p->error, SAT_BAD_ARGUMENT, "%s needs a value: %s %s; it is followed by the option %s", shown,
                        shown, kind, *value);
    p->at++;
    return SAT_OK;
}

static sat_status take_long(parser *p, const char *argument)
{
    const char *name = argument + 2, *equals = strchr(name, '='), *value = equals ? equals + 1 : NULL;
    const size_t length = equals ? (size_t)(equals - name) : strlen(name);
    char shown[80];
    snprintf(shown, sizeof shown, "--%.*s", (int)(length < 70 ? length : 70), name);
    const option *o = find_name(p->options, name, length);
    const option *negated = !o && text_begins(name, "no-") ? find_name(p->options, name + 3, length - 3) : NULL;
    if (negated && negated->kind == OPTION_FLAG) {
        if (value) return sat_fail(p->error, SAT_BAD_ARGUMENT, "%s takes no value", shown);
        *(bool *)field_of(negated, p->settings) = false;
        return SAT_OK;
    }
    if (!o) return unknown_name(p->options, name, length, p->error);
    if (!takes_value(o) && value) return sat_fail(p->error, SAT_BAD_ARGUMENT, "%s takes no value", shown);
    sat_status status = SAT_OK;
    if (takes_value(o) && !value) status = next_value(p, o, shown, &value);
    return status == SAT_OK ? take_value(o, shown, value, p->settings, p->error) : status;
}

/* "-n", "-vv", "-qn", "-p liver", "-pliver". */
static sat_status take_letters(parser *p, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        const char shown[] = {'-', *letter, '\0'};
        const option *o = find_letter(p->options, *letter);
        if (!o)
            return sat_fail(p->error, SAT_BAD_ARGUMENT, "unknown option -%s; --help lists those that there are",
                            letter == argument + 1 ? letter : shown + 1);
        const char *value = NULL;
        if (takes_value(o)) {
            value = letter[1] ? letter + 1 : NULL;
            const sat_status status = value ? SAT_OK : next_value(p, o, shown, &value);
            if (status != SAT_OK) return status;
        }
        const sat_status status = take_value(o, shown, value, p->settings, p->error);
        if (status != SAT_OK || value) return status;
    }
    return SAT_OK;
}

sat_status options_parse(const option *options, int count, char *const *arguments, void *settings,
                         const char **operands, int *operand_count, sat_error *error)
{
    parser p = {.options = options, .settings = settings, .arguments = arguments, .count = count, .error = error};
    *operand_count = 0;
    sat_status status = SAT_OK;
    bool only_operands = false;
    while (status == SAT_OK && p.at < count) {
        const char *argument = arguments[p.at++];
        if (only_operands || argument[0] != '-' || argument[1] == '\0')
            operands[(*operand_count)++] = argument;
        else if (strcmp(argument, "--") == 0)
            only_operands = true;
        else
            status = argument[1] == '-' ? take_long(&p, argument) : take_letters(&p, argument);
    }
    common_settings *common = settings;
    if (common->threads == 0) common->threads = processor_cores();
    return status;
}

void options_free(const option *options, void *settings)
{
    for (const option *o = options; o->name; o++)
        if (o->kind == OPTION_TEXTS) {
            option_texts *list = field_of(o, settings);
            free(list->items);
            *list = (option_texts){0};
        }
}

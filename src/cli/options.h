/* Options as data: a verb lists them in a table; parsing, range checks, "did you mean", --help, the manual
 * page and shell completion come from the table. A verb adds a row, not code. */
#ifndef SAT_CLI_OPTIONS_H
#define SAT_CLI_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kind of an option is the type of its field in the verb's settings. */
typedef enum option_kind {
    OPTION_FLAG,    /* bool            --name and --no-name, no value                            */
    OPTION_COUNT,   /* int             -v, -vv: how often it was given                           */
    OPTION_INTEGER, /* int             a whole number from `least` to `most`                     */
    OPTION_REAL,    /* double          a number from `least` to `most`                           */
    OPTION_BYTES,   /* uint64_t        8G, 900M, 512Mi (base/memory.h)                           */
    OPTION_TEXT,    /* const char *    borrowed from the command line; NULL when not given       */
    OPTION_TEXTS,   /* option_texts    repeatable; every value in order                          */
    OPTION_CHOICE,  /* int             index into `choices`                                      */
    OPTION_SHAPE,   /* int[3]          288x288x96, each from 1; one number stands for all three  */
    OPTION_SPACING, /* double[3]       1x1x3 millimetres, each > 0; likewise                     */
} option_kind;

typedef struct option_texts {
    const char **items; /* owned (options_free); the strings are borrowed from the command line */
    int count;
} option_texts;

/* One row. Written with names, so that a row says only what it needs:
 *     {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .offset = FIELD(output), .argument = "FOLDER",
 *      .help = "where the masks go (default: beside the scan)"}, */
typedef struct option {
    const char *name; /* long name without the dashes; NULL ends a table                     */
    char letter;      /* short name, 0 for none                                              */
    option_kind kind;
    size_t offset;              /* of the field in the settings                                        */
    const char *argument;       /* how --help names the value: FILE, N, SIZE; NULL for flags, counts and choices */
    const char *help;           /* one line: what it does, its unit, its default; a flag that is on by
                                 * default is shown as --no-NAME, and this says what that does          */
    double least, most;         /* OPTION_INTEGER, OPTION_REAL; both 0: no limits but the type's        */
    const char *const *choices; /* OPTION_CHOICE: the words, ended by NULL                             */
    bool hidden;                /* works, but help and manual are silent                               */
} option;

/* What every verb accepts, and what it means everywhere. A verb's settings begin with this. */
typedef struct common_settings {
    int threads; /* never 0 after options_parse: what was asked for, else the cores this process may use */
    uint64_t max_memory_bytes; /* 0: not given, the verb's default applies                             */
    bool json;                 /* results on standard output as JSON                                   */
    bool quiet;                /* no progress, no remarks; results and errors only                     */
    bool dry_run;              /* say what would be done, and stop                                     */
    int verbose;               /* 0; 1: what and how long; 2: choices; 3: every step                   */
    bool help;
} common_settings;

/* The rows of common_settings. */
extern const option common_options[];

/* Takes `arguments` (what follows the verb) into `settings`, which holds the defaults and begins with
 * common_settings. Options and operands mix; "--" makes the rest operands; "-" alone is an operand.
 *
 * operands   room for `count` pointers; written, borrowed strings
 *
 * Fails with SAT_BAD_ARGUMENT and a sentence for the user. options_free is needed either way. */
sat_status options_parse(const option *options, int count, char *const *arguments, void *settings,
                         const char **operands, int *operand_count, sat_error *error);

/* Frees the lists of OPTION_TEXTS fields. */
void options_free(const option *options, void *settings);

#endif

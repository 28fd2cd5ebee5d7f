/* What a verb is: one file src/cli/<verb>.c with one table and one function, and one line in verbs.c. */
#ifndef SAT_CLI_VERB_H
#define SAT_CLI_VERB_H

#include "base/progress.h"
#include "cli/options.h"
#include "cli/terminal.h"

/* What a verb's function gets. */
typedef struct verb_call {
    const void *settings; /* the verb's settings struct, filled from defaults and command line */
    const char *const *operands;
    int operand_count;
    progress *progress; /* pass it down: it draws on the terminal and carries the cancel flag */
    terminal *screen;   /* for verb_say */
    const char *name;   /* the verb's */
    int failed_cases;   /* set to more than 0 when some of several cases failed: exit code 1 */
} verb_call;

typedef struct verb {
    const char *name;
    const char *group;    /* heading in `sat3d --help`; NULL hides the verb there and from the manual */
    const char *summary;  /* one line without a full stop */
    const char *operands; /* as the usage line shows them: "SCAN..."; "" for none */
    const char *examples; /* one or more command lines, ended by newlines; shown before anything else */
    const char *text;     /* a few lines on what it does, or NULL */
    const option *options;
    const void *defaults;              /* a settings struct; NULL: all zero */
    size_t settings_bytes;             /* the settings struct begins with common_settings */
    int least_operands, most_operands; /* most: -1 for any number */
    /* Does the work: results on standard output, remarks on standard error unless `quiet`, never exits.
     * main prints what `error` says and chooses the exit code. */
    sat_status (*run)(verb_call *call, sat_error *error);
} verb;

/* A remark on standard error, "sat3d segment: ..." and a newline, with the progress line out of its way.
 * level 0: warnings, said unless --quiet; 1: from -v on; 2: from -vv on. */
void verb_say(const verb_call *call, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* All verbs in the order of `sat3d --help`; NULL ends the list. */
extern const verb *const verbs[];

#endif

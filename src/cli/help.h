/* What the tables say, for people: help on the screen, manual pages, shell completion. */
#ifndef SAT_CLI_HELP_H
#define SAT_CLI_HELP_H

#include "base/text.h"
#include "cli/verb.h"

#define HELP_DISCLAIMER "For research use. Not a medical device."

/* `sat3d --help`. */
void help_program(text *out);
/* `sat3d <verb> --help`. */
void help_verb(text *out, const verb *v);

/* The same as manual pages (roff): sat3d(1) and sat3d-<verb>(1). */
void manual_program(text *out);
void manual_verb(text *out, const verb *v);

/* Completion scripts. */
void completion_bash(text *out);
void completion_zsh(text *out);

/* How an option is written in help: "-o, --output FOLDER", "--dtype f32|bf16", "--no-cache" for a flag
 * that `defaults` (NULL: all zero) sets. */
void help_option_spelling(text *out, const option *o, const void *defaults);

#endif

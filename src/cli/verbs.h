/* The verbs, each defined in the file of its name. Adding one: a line here and a line in verbs.c. */
#ifndef SAT_CLI_VERBS_H
#define SAT_CLI_VERBS_H

#include "cli/verb.h"

extern const verb verb_segment, verb_check, verb_convert, verb_info, verb_bench;
extern const verb verb_demo;
extern const verb verb_generate;

#endif

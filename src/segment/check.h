/* What is worth telling a user about a scan or a mask: a list of findings, each with a code for programs and a sentence
 * for people. The codes are listed in docs/checks.md; they never change their meaning. */
#ifndef SAT_SEGMENT_CHECK_H
#define SAT_SEGMENT_CHECK_H

#include "base/error.h"

#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

typedef enum check_severity {
    CHECK_NOTE,    /* good to know; results are as good as ever                */
    CHECK_WARNING, /* results may be worse, or not what the user expects       */
    CHECK_SERIOUS, /* results are probably wrong: look at them before using    */
} check_severity;

enum { CHECK_TEXT = 640, CHECK_SCAN = -1 };

typedef struct check_finding {
    const char *code; /* "ct-not-hounsfield"; static storage                       */
    check_severity severity;
    int prompt;            /* index of the prompt that it is about; CHECK_SCAN: none    */
    char text[CHECK_TEXT]; /* what, where, what to do; without a full stop at its end  */
} check_finding;

/* Starts as {0}; not thread-safe. */
typedef struct check_list {
    check_finding *items; /* owned; in the order in which they were found */
    size_t count, room;
    bool no_memory; /* a finding was lost: check_list_status */
} check_list;

/* Adds a finding. `code` is borrowed for ever: a literal. A failure stays until check_list_status. */
void check_add(check_list *list, const char *code, check_severity severity, int prompt, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* SAT_NO_MEMORY when a finding could not be kept. */
sat_status check_list_status(const check_list *list, sat_error *error);
/* The first finding with this code, or NULL; prompt CHECK_SCAN for one about the scan. */
const check_finding *check_find(const check_list *list, const char *code, int prompt);
/* How many findings are at least this severe. */
size_t check_count(const check_list *list, check_severity least);
/* Safe on a zeroed list and when called twice. */
void check_list_free(check_list *list);

/* "note", "warning", "serious"; static storage. */
const char *check_severity_name(check_severity severity);

/* A new array of {"code", "severity", "text"} of the findings about `prompt` (CHECK_SCAN: about none); NULL when
 * memory is short. */
json_t *check_list_json(const check_list *list, int prompt);

#endif

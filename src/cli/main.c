/* sat3d, the program: finds the verb, reads its options, runs it, says how it ended. */
#include "base/text.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "cli/version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_BYTES_MAX = 1 << 20, EXIT_SOME_FAILED = 1 };

/* "sat3d segment: scan.nii: the header promises ...", and the exit code. */
static int complain(const char *verb_name, sat_status status, const sat_error *error)
{
    fprintf(stderr, "sat3d%s%s: %s%s%s\n", verb_name ? " " : "", verb_name ? verb_name : "", error->file,
            error->file[0] ? ": " : "", error->message);
    return sat_exit_code(status);
}

/* A full disk behind standard output is only seen when it is flushed. */
static sat_status flush_results(sat_error *error)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? SAT_OK : sat_fail_system(error, "standard output", "write", errno);
}

static sat_status print_text(text *t, sat_error *error)
{
    sat_status status = text_check(t, error);
    if (status == SAT_OK) fputs(t->data, stdout);
    if (status == SAT_OK) status = flush_results(error);
    text_free(t);
    return status;
}

static sat_status check_operands(const verb *v, int count, const char *const *operands, sat_error *error)
{
    if (count < v->least_operands)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%s is missing, for example: %.*s", v->operands,
                        (int)strcspn(v->examples, "\n"), v->examples);
    if (v->most_operands >= 0 && count > v->most_operands)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%s is one too many; expected %s", operands[v->most_operands],
                        *v->operands ? v->operands : "options only");
    return SAT_OK;
}

/* Everything a verb's run owns, in one place, so that it is freed in one place. */
static int run_verb(const verb *v, int count, char *const *arguments)
{
    sat_error error = {0};
    sat_status status = SAT_OK;
    int failed_cases = 0, operand_count = 0;
    terminal screen = {0};
    progress watch = {0};
    common_settings *settings = calloc(1, v->settings_bytes);
    const char **operands = calloc((size_t)count + 1, sizeof *operands);
    if (!settings || !operands) {
        status = sat_fail(&error, SAT_NO_MEMORY, "no memory for the command line");
        goto done;
    }
    if (v->defaults) memcpy(settings, v->defaults, v->settings_bytes);
    status = options_parse(v->options, count, arguments, settings, operands, &operand_count, &error);
    if (status == SAT_OK && settings->help) {
        text page = text_open(HELP_BYTES_MAX);
        help_verb(&page, v);
        status = print_text(&page, &error);
        goto done;
    }
    if (status == SAT_OK) status = check_operands(v, operand_count, operands, &error);
    if (status != SAT_OK) goto done;

    terminal_watch(&screen, &watch, !settings->quiet);
    interrupt_cancels(&watch);
    verb_call call = {.settings = settings,
                      .operands = operands,
                      .operand_count = operand_count,
                      .progress = &watch,
                      .screen = &screen,
                      .name = v->name};
    status = v->run(&call, &error);
    progress_end(&watch);
    terminal_clear(&screen);
    failed_cases = call.failed_cases;
done:
    if (settings) options_free(v->options, settings);
    free(settings);
    free(operands);
    if (status == SAT_OK) status = flush_results(&error);
    if (status != SAT_OK) return complain(v->name, status, &error);
    return failed_cases > 0 ? EXIT_SOME_FAILED : 0;
}

static int unknown_verb(const char *name)
{
    enum { VERBS_MAX = 64 };
    const char *names[VERBS_MAX];
    int count = 0;
    for (const verb *const *v = verbs; *v && count < VERBS_MAX - 1; v++)
        if ((*v)->group) names[count++] = (*v)->name;
    names[count] = NULL;
    const char *nearest = text_nearest(name, names);
    sat_error error = {0};
    if (name[0] == '-')
        sat_fail(&error, SAT_BAD_ARGUMENT, "options follow the verb: sat3d VERB %s; sat3d --help lists the verbs",
                 name);
    else if (nearest)
        sat_fail(&error, SAT_BAD_ARGUMENT, "unknown verb %s; did you mean %s?", name, nearest);
    else
        sat_fail(&error, SAT_BAD_ARGUMENT, "unknown verb %s; sat3d --help lists those that there are", name);
    return complain(NULL, SAT_BAD_ARGUMENT, &error);
}

static int print_version(bool verbose)
{
    sat_error error = {0};
    version_print(verbose);
    const sat_status status = flush_results(&error);
    return status == SAT_OK ? 0 : complain(NULL, status, &error);
}

static int print_help(void)
{
    sat_error error = {0};
    text page = text_open(HELP_BYTES_MAX);
    help_program(&page);
    const sat_status status = print_text(&page, &error);
    return status == SAT_OK ? 0 : complain(NULL, status, &error);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fputs("sat3d: a verb is missing, for example: sat3d segment --help; sat3d --help lists the verbs\n", stderr);
        return sat_exit_code(SAT_BAD_ARGUMENT);
    }
    const char *name = arguments[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (count == 2) return print_help();
        arguments[1] = arguments[2]; /* sat3d help segment = sat3d segment --help */
        arguments[2] = "--help";
        name = arguments[1];
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return print_version(count > 2 && (strcmp(arguments[2], "--verbose") == 0 || strcmp(arguments[2], "-v") == 0));
    for (const verb *const *v = verbs; *v; v++)
        if (strcmp(name, (*v)->name) == 0) return run_verb(*v, count - 2, arguments + 2);
    return unknown_verb(name);
}

/* Manual pages, from the same tables as --help. */
#include "cli/help.h"

#include "sat3d.h"

#include <string.h>

/* Roff reads a dot or an apostrophe at a line's start as a command, a backslash anywhere as an escape, and
 * prints a bare minus as a hyphen that can't be pasted into a shell. */
static void add_roff(text *out, const char *words)
{
    bool line_start = out->length == 0 || out->data[out->length - 1] == '\n';
    for (; *words; words++) {
        if (line_start && (*words == '.' || *words == '\'')) text_add(out, "\\&");
        if (*words == '\\')
            text_add(out, "\\e");
        else if (*words == '-')
            text_add(out, "\\-");
        else
            text_add_bytes(out, words, 1);
        line_start = *words == '\n';
    }
}

static void begin_page(text *out, const char *title, const char *summary)
{
    text_format(out,
                ".\\\" Written by scripts/man from the option tables in src/cli: do not edit.\n"
                ".TH %s 1 \"\" \"sat3d %s\" \"sat3d\"\n.SH NAME\n",
                title, sat_version());
    for (const char *c = title; *c; c++) {
        const char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        text_add(out, lower == '-' ? "\\-" : (const char[]){lower, '\0'});
    }
    text_add(out, " \\- ");
    add_roff(out, summary);
    text_add(out, "\n");
}

static void end_page(text *out)
{
    text_add(out,
             ".SH EXIT STATUS\n"
             "0 done, 1 some cases failed, 2 wrong usage, 3 bad input, 4 not enough memory or disk, 130 interrupted.\n"
             ".SH NOTES\n" HELP_DISCLAIMER "\n");
}

static void add_examples(text *out, const char *examples)
{
    text_add(out, ".SH EXAMPLES\n.EX\n");
    add_roff(out, examples);
    text_add(out, ".EE\n");
}

static void add_options(text *out, const option *options, const void *defaults)
{
    for (const option *o = options; o->name; o++) {
        if (o->hidden) continue;
        text spelling = text_open(400);
        help_option_spelling(&spelling, o, defaults);
        text_add(out, ".TP\n.B ");
        add_roff(out, spelling.data);
        text_add(out, "\n");
        add_roff(out, o->help);
        text_add(out, o->kind == OPTION_TEXTS ? " (repeatable)\n" : "\n");
        text_free(&spelling);
    }
}

void manual_program(text *out)
{
    begin_page(out, "SAT3D", "segment anything in a 3-D medical scan from words");
    text_add(out, ".SH SYNOPSIS\n.B sat3d\n.I verb\n[options]\n.br\n.B sat3d \\-\\-version\n[\\-\\-verbose]\n");
    add_examples(out, "sat3d segment scan.nii.gz --model sat.safetensors --modality ct -p liver -o out/\n");
    text_add(out, ".SH VERBS\n");
    for (const verb *const *v = verbs; *v; v++) {
        if (!(*v)->group) continue;
        text_format(out, ".TP\n.BR sat3d\\-%s (1)\n", (*v)->name);
        add_roff(out, (*v)->summary);
        text_add(out, "\n");
    }
    text_add(out, ".SH OPTIONS OF EVERY VERB\n");
    add_options(out, common_options, NULL);
    end_page(out);
}

void manual_verb(text *out, const verb *v)
{
    text title = text_open(80);
    text_format(&title, "SAT3D-");
    for (const char *c = v->name; *c; c++)
        text_add_bytes(&title, *c >= 'a' && *c <= 'z' ? (const char[]){(char)(*c - 'a' + 'A')} : c, 1);
    begin_page(out, title.data, v->summary);
    text_free(&title);
    text_format(out, ".SH SYNOPSIS\n.B sat3d %s\n", v->name);
    if (*v->operands) {
        text_add(out, ".I ");
        add_roff(out, v->operands);
        text_add(out, "\n");
    }
    text_add(out, "[options]\n");
    add_examples(out, v->examples);
    if (v->text) {
        text_add(out, ".SH DESCRIPTION\n");
        add_roff(out, v->text);
        if (v->text[strlen(v->text) - 1] != '\n') text_add(out, "\n");
    }
    text_add(out, ".SH OPTIONS\n");
    add_options(out, v->options, v->defaults);
    add_options(out, common_options, v->defaults);
    end_page(out);
}

#include "cli/help.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { COLUMN = 28, WIDTH = 100 };

/* Words of `line`, wrapped at WIDTH, each line but the first indented by `indent`; ends with a newline. */
static void add_wrapped(text *out, const char *line, size_t indent)
{
    size_t at = indent;
    while (*line) {
        const size_t word = strcspn(line, " ");
        if (at > indent && at + 1 + word > WIDTH) {
            text_add(out, "\n");
            text_pad(out, ' ', indent);
            at = indent;
        } else if (at > indent) {
            text_add(out, " ");
            at++;
        }
        text_add_bytes(out, line, word);
        at += word;
        line += word + (line[word] == ' ');
    }
    text_add(out, "\n");
}

/* `name` in a column, `meaning` beside it, or below where the name is too long. */
static void add_row(text *out, const char *name, const char *meaning)
{
    const size_t length = strlen(name);
    text_format(out, "  %s", name);
    if (length + 4 > COLUMN) {
        text_add(out, "\n");
        text_pad(out, ' ', COLUMN);
    } else {
        text_pad(out, ' ', COLUMN - 2 - length);
    }
    add_wrapped(out, meaning, COLUMN);
}

static void add_examples(text *out, const char *examples)
{
    while (*examples) {
        const size_t line = strcspn(examples, "\n");
        text_format(out, "  %.*s\n", (int)line, examples);
        examples += line + (examples[line] == '\n');
    }
}

void help_option_spelling(text *out, const option *o, const void *defaults)
{
    const bool *flag = o->kind == OPTION_FLAG && defaults ? (const bool *)((const char *)defaults + o->offset) : NULL;
    if (o->letter) text_format(out, "-%c, ", o->letter);
    text_format(out, "--%s%s", flag && *flag ? "no-" : "", o->name);
    for (int i = 0; o->kind == OPTION_CHOICE && o->choices[i]; i++)
        text_format(out, "%s%s", i ? "|" : " ", o->choices[i]);
    if (o->argument) text_format(out, " %s", o->argument);
}

static void add_options(text *out, const option *options, const void *defaults)
{
    for (const option *o = options; o->name; o++) {
        if (o->hidden) continue;
        text spelling = text_open(400);
        help_option_spelling(&spelling, o, defaults);
        if (o->kind == OPTION_TEXTS) text_add(&spelling, "...");
        add_row(out, spelling.data, o->help);
        text_free(&spelling);
    }
}

static bool has_visible(const option *options)
{
    for (; options->name; options++)
        if (!options->hidden) return true;
    return false;
}

void help_program(text *out)
{
    text_add(out,
             "sat3d segments anything in a 3-D medical scan from words.\n\n"
             "  sat3d segment scan.nii.gz --model sat.safetensors --modality ct -p liver -p \"left kidney\" -o out/\n");
    const char *group = NULL;
    for (const verb *const *v = verbs; *v; v++) {
        if (!(*v)->group) continue;
        if (!group || strcmp(group, (*v)->group) != 0) text_format(out, "\n%s\n", (*v)->group);
        group = (*v)->group;
        add_row(out, (*v)->name, (*v)->summary);
    }
    text_add(out, "\nMore\n");
    add_row(out, "VERB --help", "an example, then all options of a verb");
    add_row(out, "--version [--verbose]",
            "which version; with --verbose also its libraries and what the processor can do");
    text_add(out,
             "\nExit codes: 0 done, 1 some cases failed, 2 wrong usage, 3 bad input, 4 not enough memory or disk,\n"
             "130 interrupted.\n\n" HELP_DISCLAIMER "\n");
}

void help_verb(text *out, const verb *v)
{
    text_format(out, "sat3d %s: %s\n\n", v->name, v->summary);
    add_examples(out, v->examples);
    text_format(out, "\nUsage: sat3d %s %s%s[options]\n", v->name, v->operands, *v->operands ? " " : "");
    if (v->text) text_format(out, "\n%s%s", v->text, v->text[strlen(v->text) - 1] == '\n' ? "" : "\n");
    if (has_visible(v->options)) text_add(out, "\nOptions\n");
    add_options(out, v->options, v->defaults);
    text_add(out, "\nEverywhere\n");
    add_options(out, common_options, v->defaults);
    text_add(out, "\n" HELP_DISCLAIMER "\n");
}

/* Shell completion, from the same tables as --help. */
#include "cli/help.h"

#include <string.h>

static const char written_by[] = "written by scripts/man from the option tables in src/cli: do not edit.";

static void add_option_words(text *out, const option *options)
{
    for (const option *o = options; o->name; o++)
        if (!o->hidden) text_format(out, " --%s", o->name);
}

void completion_bash(text *out)
{
    text_format(out, "# bash completion for sat3d; %s\n", written_by);
    text_add(out, "_sat3d()\n{\n"
                  "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" words=\"\"\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        words=\"--help --version");
    for (const verb *const *v = verbs; *v; v++)
        if ((*v)->group) text_format(out, " %s", (*v)->name);
    text_add(out, "\"\n"
                  "    else\n"
                  "        case \"${COMP_WORDS[1]} $before\" in\n");
    for (const verb *const *v = verbs; *v; v++)
        for (const option *o = (*v)->options; (*v)->group && o->name; o++) {
            if (o->kind != OPTION_CHOICE || o->hidden) continue;
            text_format(out, "        \"%s --%s\") words=\"", (*v)->name, o->name);
            for (int i = 0; o->choices[i]; i++)
                text_format(out, "%s%s", i ? " " : "", o->choices[i]);
            text_add(out, "\" ;;\n");
        }
    text_add(out, "        *)\n"
                  "            case \"$word\" in\n"
                  "            -*)\n"
                  "                case \"${COMP_WORDS[1]}\" in\n");
    for (const verb *const *v = verbs; *v; v++) {
        if (!(*v)->group) continue;
        text_format(out, "                %s) words=\"", (*v)->name);
        add_option_words(out, (*v)->options);
        add_option_words(out, common_options);
        text_add(out, "\" ;;\n");
    }
    text_add(out, "                esac ;;\n"
                  "            esac ;;\n"
                  "        esac\n"
                  "    fi\n"
                  "    [ -n \"$words\" ] && COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                  "    return 0\n"
                  "}\n"
                  "complete -o default -F _sat3d sat3d\n");
}

/* Text inside a zsh single-quoted _arguments specification: no quotes, brackets or colons. */
static void add_zsh(text *out, const char *words)
{
    for (; *words; words++)
        if (strchr("[]:\\", *words))
            text_format(out, "\\%c", *words);
        else if (*words == '\'')
            text_add(out, "'\\''");
        else
            text_add_bytes(out, words, 1);
}

static void add_zsh_options(text *out, const option *options)
{
    for (const option *o = options; o->name; o++) {
        if (o->hidden) continue;
        text_format(out, " \\\n        '%s--%s", o->kind == OPTION_TEXTS || o->kind == OPTION_COUNT ? "*" : "",
                    o->name);
        text_add(out, "[");
        add_zsh(out, o->help);
        text_add(out, "]");
        if (o->kind == OPTION_CHOICE) {
            text_add(out, ":word:(");
            for (int i = 0; o->choices[i]; i++)
                text_format(out, "%s%s", i ? " " : "", o->choices[i]);
            text_add(out, ")");
        } else if (o->argument) {
            text_format(out, ":%s:%s", o->argument,
                        strstr(o->argument, "FILE") || strstr(o->argument, "FOLDER") ? "_files" : "");
        }
        text_add(out, "'");
    }
}

void completion_zsh(text *out)
{
    text_format(out, "#compdef sat3d\n# zsh completion for sat3d; %s\n", written_by);
    text_add(out, "if (( CURRENT == 2 )); then\n    local -a verbs=(");
    for (const verb *const *v = verbs; *v; v++) {
        if (!(*v)->group) continue;
        text_format(out, "\n        '%s:", (*v)->name);
        add_zsh(out, (*v)->summary);
        text_add(out, "'");
    }
    text_add(out, "\n    )\n    _describe verb verbs\n    return\nfi\n"
                  "shift words\n(( CURRENT-- ))\n"
                  "case \"$words[1]\" in\n");
    for (const verb *const *v = verbs; *v; v++) {
        if (!(*v)->group) continue;
        text_format(out, "    %s)\n        _arguments", (*v)->name);
        add_zsh_options(out, (*v)->options);
        add_zsh_options(out, common_options);
        text_add(out, " \\\n        '*:file:_files' ;;\n");
    }
    text_add(out, "esac\n");
}

/* sat3d convert: PyTorch checkpoints and a vocabulary become one model file. */
#include "model/convert.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/verbs.h"
#include "model/description_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes that are 0, and an intensity that is NULL, were not given: the release's values apply. */
typedef struct convert_settings {
    common_settings common;
    const char *model, *text, *vocabulary, *output, *licence, *intensity;
    int type; /* index into types */
    int query_heads, text_heads;
    int window[3];
    double spacing_mm[3];
} convert_settings;

static const char *const type_names[] = {"f32", "bf16", NULL};
static const element_type types[] = {ELEMENT_FLOAT32, ELEMENT_BFLOAT16};

/* clang-format off */
#define FIELD(f) offsetof(convert_settings, f)
static const option convert_verb_options[] = {
    {.name = "model", .letter = 'm', .kind = OPTION_TEXT, .offset = FIELD(model), .argument = "FILE",
     .help = "the vision network's checkpoint (.pth)"},
    {.name = "text", .kind = OPTION_TEXT, .offset = FIELD(text), .argument = "FILE",
     .help = "the text encoder's checkpoint (.pth); without it the model can't read prompts"},
    {.name = "vocab", .kind = OPTION_TEXT, .offset = FIELD(vocabulary), .argument = "FILE",
     .help = "the text encoder's vocabulary, one token a line (vocab.txt)"},
    {.name = "output", .letter = 'o', .kind = OPTION_TEXT, .offset = FIELD(output), .argument = "FILE",
     .help = "the model file to write (.safetensors)"},
    {.name = "dtype", .kind = OPTION_CHOICE, .offset = FIELD(type), .choices = type_names,
     .help = "type of the large weights: bf16 halves the file and rounds (default: f32)"},
    {.name = "query-heads", .kind = OPTION_INTEGER, .offset = FIELD(query_heads), .argument = "N", .least = 1, .most = 4096,
     .help = "attention heads of the query decoder, which no shape tells (default: 8)"},
    {.name = "text-heads", .kind = OPTION_INTEGER, .offset = FIELD(text_heads), .argument = "N", .least = 1, .most = 4096,
     .help = "attention heads of the text encoder (default: MPNet's own table tells; 12 for BERT)"},
    {.name = "window", .kind = OPTION_SHAPE, .offset = FIELD(window), .argument = "XxYxZ",
     .help = "voxels that the network was trained on at once (default: 288x288x96)"},
    {.name = "spacing", .kind = OPTION_SPACING, .offset = FIELD(spacing_mm), .argument = "XxYxZ",
     .help = "millimetres between its voxels (default: 1x1x3)"},
    {.name = "intensity", .kind = OPTION_TEXT, .offset = FIELD(intensity), .argument = "RULES",
     .help = "how values are clipped: CT in Hounsfield units, others by percentiles (default: ct=-500:1000,percentiles=0.5:99.5)"},
    {.name = "licence", .kind = OPTION_TEXT, .offset = FIELD(licence), .argument = "TEXT",
     .help = "what the weights' licence is, kept in the file and shown by info"},
    {.name = NULL},
};
#undef FIELD
/* clang-format on */

/* "ct=-500:1000,percentiles=0.5:99.5", either part alone, in any order. */
static sat_status parse_intensity(const char *words, intensity_rules *rules, sat_error *error)
{
    for (const char *at = words; *at;) {
        double low, high;
        int taken = 0;
        if (sscanf(at, "ct=%lf:%lf%n", &low, &high, &taken) == 2 && taken) {
            rules->ct_clip_low_hu = low;
            rules->ct_clip_high_hu = high;
        } else if (sscanf(at, "percentiles=%lf:%lf%n", &low, &high, &taken) == 2 && taken) {
            rules->percentile_low = low;
            rules->percentile_high = high;
        }
        at += taken;
        if (!taken || (*at && *at != ',') || (*at == ',' && !at[1]))
            return sat_fail(error, SAT_BAD_ARGUMENT,
                            "--intensity %.100s: expected rules such as ct=-500:1000,percentiles=0.5:99.5", words);
        at += *at == ',';
    }
    return SAT_OK;
}

static sat_status options_of(const convert_settings *s, convert_options *o, sat_error *error)
{
    *o = convert_defaults();
    o->model_path = s->model;
    o->text_path = s->text;
    o->vocabulary_path = s->vocabulary;
    o->output_path = s->output;
    o->licence = s->licence;
    o->type = types[s->type];
    o->check_only = s->common.dry_run;
    o->text_heads = s->text_heads;
    if (s->query_heads) o->query_heads = s->query_heads;
    if (s->window[0]) memcpy(o->window, s->window, sizeof o->window);
    if (s->spacing_mm[0] > 0) memcpy(o->spacing_mm, s->spacing_mm, sizeof o->spacing_mm);
    if (!s->model) return sat_fail(error, SAT_BAD_ARGUMENT, "--model is missing: the vision network's checkpoint");
    if (!s->output)
        return sat_fail(error, SAT_BAD_ARGUMENT,
                        "-o is missing: the model file to write, for example -o model.safetensors");
    return s->intensity ? parse_intensity(s->intensity, &o->intensity, error) : SAT_OK;
}

/* What a user should hear although the conversion went well. */
static void say_remarks(const verb_call *call, const convert_report *r)
{
    const model_description *d = &r->description;
    if (r->variant_but_heads[0])
        verb_say(call, 0,
                 "the shapes are those of %s, which has %d query heads, not %d; if this is %s, convert again with "
                 "--query-heads %d",
                 r->variant_but_heads, r->variant_query_heads, d->vision.query_heads, r->variant_but_heads,
                 r->variant_query_heads);
    if (d->text.kind == TEXT_NONE)
        verb_say(call, 0, "there is no text encoder in this model: it can't read prompts");
    else
        verb_say(call, 0,
                 "shapes can't tell whether this vision network and this text encoder were trained together; make sure "
                 "that they were");
    if (r->modality_rows_unused)
        verb_say(call, 0,
                 "the text encoder has codes for %d modalities; the first four (CT, MR, ultrasound, PET) are used",
                 d->text.modality_rows);
    if (r->damaged_storages)
        verb_say(
            call, 0,
            "%d tensors do not have the check sum that the checkpoint promises: it is damaged, or was saved without "
            "check sums",
            r->damaged_storages);
    if (!d->licence[0]) verb_say(call, 1, "the licence of the weights is not known; --licence puts it into the file");
    verb_say(call, 1, "left out: %zu second names, %zu tensors of pretraining, %zu tensors of the optimiser",
             r->aliases, r->ignored, r->other_tensors);
}

static sat_status print_json(const char *path, const convert_report *r, sat_error *error)
{
    json_t *root = model_description_to_json(&r->description);
    if (root) {
        json_object_set_new(root, "output", path ? json_string(path) : json_null());
        json_object_set_new(root, "parameters", json_integer(r->vision_parameters + r->text_parameters));
        json_object_set_new(root, "output_bytes", json_integer((json_int_t)r->output_bytes));
    }
    char *words = json_text(root, JSON_PRETTY, JSON_AS_INSERTED, NULL);
    json_decref(root);
    if (!words) return sat_fail(error, SAT_NO_MEMORY, "no memory for the result");
    fputs(words, stdout);
    free(words);
    return SAT_OK;
}

static sat_status convert_run(verb_call *call, sat_error *error)
{
    const convert_settings *s = call->settings;
    convert_options options;
    convert_report report;
    sat_status status = options_of(s, &options, error);
    if (status != SAT_OK) return status;
    status = convert_checkpoints(&options, call->progress, &report, error);
    if (status != SAT_OK) {
        /* Problems are not remarks: they say why it failed, so --quiet does not hide them. */
        for (size_t i = 0; i < report.problem_count && i < CONVERT_PROBLEMS_MAX; i++)
            fprintf(stderr, "sat3d convert: %s\n", report.problems[i]);
        if (report.problem_count > CONVERT_PROBLEMS_MAX)
            fprintf(stderr, "sat3d convert: ... and %zu more\n", report.problem_count - CONVERT_PROBLEMS_MAX);
        return status;
    }
    say_remarks(call, &report);
    if (s->common.json) return print_json(options.check_only ? NULL : s->output, &report, error);
    char size[MEMORY_TEXT] = "not written";
    if (!options.check_only) memory_print_bytes(report.output_bytes, size);
    printf("%s: %s, %lld parameters, %s (%s)\n", s->output, report.description.variant,
           (long long)(report.vision_parameters + report.text_parameters), element_name(options.type), size);
    return SAT_OK;
}

const verb verb_convert = {
    .name = "convert",
    .group = "Models",
    .summary = "make a model file from PyTorch checkpoints",
    .operands = "",
    .examples =
        "sat3d convert --model sat.pth --text text_encoder.pth --vocab vocab.txt -o nano.safetensors\n"
        "sat3d convert --model sat.pth --text text_encoder.pth --vocab vocab.txt -o nano.safetensors --dtype bf16\n",
    .text =
        "Reads the checkpoints of the release (torch.save, PyTorch 1.6 or later) without executing anything in them, finds out the\n"
        "sizes from the tensors, and writes one file that describes itself. sat3d info shows what is in it.",
    .options = convert_verb_options,
    .settings_bytes = sizeof(convert_settings),
    .run = convert_run,
};

#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "segment/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, LABELS = 3 };

/* A small scan, three labels with names that try to break out, and a report of it. */
typedef struct page {
    int16_t voxels[SIDE * SIDE * SIDE];
    uint16_t map[SIDE * SIDE * SIDE];
    volume scan;
    preview_label shown[LABELS];
    preview_request request;
    report_label more[LABELS];
    report_row rows[2];
    report_section section;
    report r;
    const char *warnings[1];
    char *words;
} page;

static void page_write(page *p, const char *path)
{
    static const char *const cut[] = {"cut by the border <of> the scan"};
    *p = (page){.warnings = {"sform & qform \"differ\" <badly>"}};
    for (int v = 0; v < SIDE * SIDE * SIDE; v++) {
        p->voxels[v] = (int16_t)(v % 300 - 100);
        p->map[v] = (uint16_t)(v % SIDE / 6);
    }
    p->scan = (volume){.grid = {{SIDE, SIDE, SIDE}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}},
                       .type = VOXEL_INT16,
                       .stored = p->voxels};
    p->shown[0] = (preview_label){"<script>alert('x')</script>", 1234, 1.234, {1, 2, 3}};
    p->shown[1] = (preview_label){"a & \"b\" \xff\x01", 50000, 50.0, {255, 128, 0}};
    p->shown[2] = (preview_label){"spleen", 0, 0, {9, 9, 9}};
    p->more[0] = (report_label){{-12.25, 3, 4}, 55.5, 12.125, cut, 1};
    p->more[1] = (report_label){{1, 2, 3}, NAN, NAN, NULL, 0};
    p->request = (preview_request){.scan = &p->scan,
                                   .label_map = p->map,
                                   .labels = p->shown,
                                   .label_count = LABELS,
                                   .modality = "ct",
                                   .title = "<title>",
                                   .threads = 1};
    p->rows[0] = (report_row){"Model", "a<b>.safetensors"};
    p->rows[1] = (report_row){"Network & all", "84 s"};
    p->section = (report_section){"Plan </h2>", p->rows, 2};
    p->r = (report){&p->request, p->more, "HU", p->warnings, 1, &p->section, 1};
    assert_int_equal(report_write_html(path, &p->r, NULL), SAT_OK);
    file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), SAT_OK);
    p->words = malloc(map.size + 1);
    memcpy(p->words, map.data, map.size);
    p->words[map.size] = 0;
    file_map_close(&map);
}

static const char *path_of(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", temporary_folder(), name);
    return path;
}

static int occurrences(const char *words, const char *wanted)
{
    int count = 0;
    for (const char *at = words; (at = strstr(at, wanted)) != NULL; at++)
        count++;
    return count;
}

static void every_text_is_escaped(void **state)
{
    (void)state;
    page *p = malloc(sizeof *p);
    page_write(p, path_of("escaped.html"));
    static const char *const present[] = {"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
                                          "a &amp; &quot;b&quot; \357\277\275 <",
                                          "<h1>&lt;title&gt;</h1>",
                                          "<title>&lt;title&gt;</title>",
                                          "cut by the border &lt;of&gt; the scan",
                                          "sform &amp; qform &quot;differ&quot; &lt;badly&gt;",
                                          "a&lt;b&gt;.safetensors",
                                          "Network &amp; all",
                                          "<h2>Plan &lt;/h2&gt;</h2>"};
    for (size_t n = 0; n < sizeof present / sizeof *present; n++)
        if (!strstr(p->words, present[n])) fail_msg("missing: %s", present[n]);
    assert_int_equal(occurrences(p->words, "<script"), 1); /* ours */
    assert_null(strstr(p->words, "alert('x')"));
    free(p->words);
    free(p);
}

/* Every tag that is opened is closed, in order. Attributes hold no > and texts no <, thanks to escaping. */
static void tags_are_balanced(void **state)
{
    (void)state;
    page *p = malloc(sizeof *p);
    page_write(p, path_of("balanced.html"));
    char open[64][16];
    int depth = 0;
    for (const char *at = p->words; (at = strchr(at, '<')) != NULL;) {
        char name[16] = "";
        if (sscanf(at, "</%15[a-z0-9]", name) == 1) {
            if (depth == 0 || strcmp(open[depth - 1], name) != 0)
                fail_msg("</%s> closes <%s>", name, depth ? open[depth - 1] : "");
            depth--;
        } else if (sscanf(at, "<%15[a-z0-9]", name) == 1 && strcmp(name, "meta") != 0 && strcmp(name, "img") != 0) {
            assert_true(depth < 64);
            memcpy(open[depth++], name, sizeof name);
        }
        at = strcmp(name, "script") == 0 && at[1] != '/' ? strstr(at, "</script>") : strchr(at, '>');
        assert_non_null(at);
    }
    assert_int_equal(depth, 0);
    free(p->words);
    free(p);
}

static void nothing_is_loaded_from_anywhere(void **state)
{
    (void)state;
    page *p = malloc(sizeof *p);
    page_write(p, path_of("alone.html"));
    assert_int_equal(occurrences(p->words, "src=\""), 3);
    assert_int_equal(occurrences(p->words, "src=\"data:image/png;base64,iVBORw0KGgo"), 3); /* the signature of PNG */
    static const char *const absent[] = {"http:", "https:", "url(", "@import", "<link", "href="};
    for (size_t n = 0; n < sizeof absent / sizeof *absent; n++)
        assert_null(strstr(p->words, absent[n]));
    free(p->words);
    free(p);
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void pictures_inside_are_the_panels(void **state)
{
    (void)state;
    page *p = malloc(sizeof *p);
    page_write(p, path_of("pictures.html"));
    preview_png panels[PREVIEW_PLANES];
    assert_int_equal(preview_make_panels(&p->request, panels, NULL), SAT_OK);
    const char *at = p->words;
    for (int n = 0; n < PREVIEW_PLANES; n++) {
        at = strstr(at, "base64,") + 7;
        size_t bytes = 0;
        uint32_t bits = 0;
        int held = 0;
        for (; digit(*at) >= 0; at++) {
            bits = bits << 6 | (uint32_t)digit(*at);
            held += 6;
            if (held < 8) continue;
            held -= 8;
            assert_true(bytes < panels[n].bytes);
            assert_int_equal(panels[n].data[bytes], bits >> held & 255);
            bytes++;
        }
        assert_int_equal(bytes, panels[n].bytes);
        preview_png_free(&panels[n]);
    }
    free(p->words);
    free(p);
}

static void the_table_holds_what_was_measured(void **state)
{
    (void)state;
    page *p = malloc(sizeof *p);
    page_write(p, path_of("table.html"));
    static const char *const present[] = {"Found 2 of 3 labels",
                                          "background:#ff8000",
                                          ">1.23</td>",
                                          ">50.0</td>",
                                          "data-v=\"-12.25\">-12.2</td>",
                                          ">55.5</td>",
                                          "Mean (HU)",
                                          "nothing found",
                                          "For research use. Not a medical device.",
                                          "soft tissue window"};
    for (size_t n = 0; n < sizeof present / sizeof *present; n++)
        if (!strstr(p->words, present[n])) fail_msg("missing: %s", present[n]);
    p->r.labels = NULL; /* names and volumes alone */
    assert_int_equal(report_write_html(path_of("short.html"), &p->r, NULL), SAT_OK);
    assert_int_equal(report_write_html("/nowhere/report.html", &p->r, NULL), SAT_IO);
    free(p->words);
    free(p);
}

static void the_same_input_gives_the_same_page(void **state)
{
    (void)state;
    page *p = malloc(sizeof *p), *q = malloc(sizeof *q);
    page_write(p, path_of("one.html"));
    page_write(q, path_of("two.html"));
    assert_string_equal(p->words, q->words);
    free(p->words);
    free(q->words);
    free(p);
    free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_is_escaped),
        cmocka_unit_test(tags_are_balanced),
        cmocka_unit_test(nothing_is_loaded_from_anywhere),
        cmocka_unit_test(pictures_inside_are_the_panels),
        cmocka_unit_test(the_table_holds_what_was_measured),
        cmocka_unit_test(the_same_input_gives_the_same_page),
    };
    return cmocka_run_group_tests_name("segment/report", tests, NULL, NULL);
}

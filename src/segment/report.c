#include "segment/report.h"

#include "base/file.h"
#include "base/text.h"
#include "text/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_BYTES_MOST = 256 << 20 };

/* ---------------------------------------------------------------- escaping */

/* Text between tags or within double quotes: what HTML gives a meaning is written as a reference, bytes that are no UTF-8 as
 * U+FFFD, control characters (which HTML forbids) as blanks. */
static void add_escaped(text *out, const char *words)
{
    const size_t bytes = strlen(words);
    for (size_t at = 0; at < bytes;) {
        uint32_t code;
        const size_t taken = utf8_read(words + at, bytes - at, &code);
        if (code == '&')
            text_add(out, "&amp;");
        else if (code == '<')
            text_add(out, "&lt;");
        else if (code == '>')
            text_add(out, "&gt;");
        else if (code == '"')
            text_add(out, "&quot;");
        else if (code == '\'')
            text_add(out, "&#39;");
        else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
            text_add(out, " ");
        else if (code == UTF8_REPLACEMENT)
            text_add(out, "\357\277\275");
        else
            text_add_bytes(out, words + at, taken);
        at += taken;
    }
}

/* RFC 4648. */
static void add_base64(text *out, const unsigned char *data, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char line[4096];
    size_t filled = 0;
    for (size_t at = 0; at < bytes; at += 3) {
        const size_t left = bytes - at;
        const uint32_t group =
            (uint32_t)data[at] << 16 | (left > 1 ? (uint32_t)data[at + 1] << 8 : 0) | (left > 2 ? data[at + 2] : 0);
        line[filled++] = digits[group >> 18];
        line[filled++] = digits[group >> 12 & 63];
        line[filled++] = left > 1 ? digits[group >> 6 & 63] : '=';
        line[filled++] = left > 2 ? digits[group & 63] : '=';
        if (filled == sizeof line) {
            text_add_bytes(out, line, filled);
            filled = 0;
        }
    }
    text_add_bytes(out, line, filled);
}

/* ---------------------------------------------------------------- style and script */

static const char style[] =
    "*{box-sizing:border-box}"
    "body{margin:0;font:16px/1.45 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;color:#1b1f24;background:#fff}"
    "main{max-width:1180px;margin:0 auto;padding:20px}"
    "h1{font-size:1.6rem;margin:0 0 2px}h2{font-size:1.15rem;margin:30px 0 8px}"
    ".quiet{color:#5a6370;margin:6px 0 0}"
    ".notice{margin:14px 0;padding:8px 12px;border-left:4px solid #8a93a0;background:#f2f4f6;font-weight:600}"
    ".warnings{padding:10px 14px;border-left:4px solid #c77700;background:#fff6e5}.warnings ul{margin:6px 0;padding-left:20px}"
    ".pictures{display:flex;flex-wrap:wrap;gap:10px;background:#16181c;padding:10px;border-radius:6px;justify-content:center;align-items:center}"
    ".pictures img{max-width:100%;height:auto}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:5px 10px;text-align:left;border-bottom:1px solid #dde1e6;vertical-align:top}"
    "th{font-weight:600;white-space:nowrap}thead th{border-bottom:2px solid #8a93a0}"
    "td.number,th.number{text-align:right;white-space:nowrap}"
    "td.words{min-width:150px;overflow-wrap:anywhere}"
    ".facts th{width:230px;white-space:normal;font-weight:400;color:#5a6370}.facts td{overflow-wrap:anywhere}"
    ".chip{display:inline-block;width:14px;height:14px;border-radius:3px;margin-right:8px;vertical-align:-2px;border:1px solid #0003;"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact}"
    ".none td{color:#5a6370}.mark{color:#9a5b00}"
    "th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid #2864c8}"
    "th[aria-sort=ascending] button::after{content:' \\2191'}th[aria-sort=descending] button::after{content:' \\2193'}"
    "footer{margin-top:34px;color:#5a6370;font-size:.9rem}"
    "@media(max-width:600px){main{padding:12px}th,td{padding:5px 7px}.facts th{width:40%}.facts td,.facts th{font-size:.92rem}}"
    "@media(min-width:900px){.sortable td:nth-child(2){min-width:250px}}"
    "@media print{.pictures{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

/* Makes the headings of the table of labels buttons that sort it. data-v holds a cell's value. */
static const char script[] =
    "for(const t of document.querySelectorAll('table.sortable'))t.querySelectorAll('thead th').forEach((h,c)=>{"
    "const b=document.createElement('button');b.textContent=h.textContent;h.replaceChildren(b);"
    "b.onclick=()=>{const up=h.getAttribute('aria-sort')!=='ascending';"
    "t.querySelectorAll('thead th').forEach(o=>o.removeAttribute('aria-sort'));h.setAttribute('aria-sort',up?'ascending':'descending');"
    "const v=r=>r.cells[c].dataset.v??r.cells[c].textContent;"
    "[...t.tBodies[0].rows].sort((p,q)=>{const x=v(p),y=v(q);"
    "return(x!==''&&y!==''&&!isNaN(x)&&!isNaN(y)?x-y:String(x).localeCompare(y))*(up?1:-1)}).forEach(r=>t.tBodies[0].append(r))}})";

/* ---------------------------------------------------------------- parts */

static void add_pictures(text *out, const preview_png panels[PREVIEW_PLANES], const char *window)
{
    static const char *const planes[PREVIEW_PLANES] = {"Axial", "Coronal", "Sagittal"};
    text_add(out, "<h2>Pictures</h2>\n<div class=\"pictures\">\n");
    for (int p = 0; p < PREVIEW_PLANES; p++) {
        text_format(out,
                    "<img width=\"%d\" height=\"%d\" alt=\"%s slice with coloured masks\" src=\"data:image/png;base64,",
                    panels[p].width, panels[p].height, planes[p]);
        add_base64(out, panels[p].data, panels[p].bytes);
        text_add(out, "\">\n");
    }
    text_add(out, "</div>\n<p class=\"quiet\">Shown: ");
    add_escaped(out, window);
    text_add(out, ". Radiological convention: the patient's left is on the right of axial and coronal pictures.</p>\n");
}

static void add_warnings(text *out, const report *r)
{
    if (r->warning_count == 0) return;
    text_format(out, "<h2>Warnings</h2>\n<div class=\"warnings\"><ul>\n");
    for (int n = 0; n < r->warning_count; n++) {
        text_add(out, "<li>");
        add_escaped(out, r->warnings[n]);
        text_add(out, "</li>\n");
    }
    text_add(out, "</ul></div>\n");
}

/* A number cell with its exact value for sorting; nothing known: a dash, which sorts before all numbers. */
static void add_number(text *out, bool known, const char *format, double value)
{
    if (!known || !isfinite(value)) {
        text_add(out, "<td class=\"number\" data-v=\"\">-</td>");
        return;
    }
    char words[48];
    snprintf(words, sizeof words, format, value);
    text_format(out, "<td class=\"number\" data-v=\"%.9g\">%s</td>", value, words);
}

static const char *volume_format(double ml)
{
    return ml >= 99.95 ? "%.0f" : ml >= 9.995 ? "%.1f" : ml >= 0.9995 ? "%.2f" : "%.3f";
}
static const char *value_format(double value)
{
    return fabs(value) >= 100 ? "%.0f" : fabs(value) >= 10 ? "%.1f" : "%.2f";
}

static void add_label(text *out, const report *r, int n)
{
    const preview_label *label = &r->preview->labels[n];
    const report_label *more = r->labels ? &r->labels[n] : NULL;
    const bool found = label->voxels > 0;
    text_format(
        out,
        "<tr%s><td class=\"number\" data-v=\"%d\">%d</td><td class=\"words\"><span class=\"chip\" style=\"background:#%02x%02x%02x\"></span>",
        found ? "" : " class=\"none\"", n + 1, n + 1, label->tint.red, label->tint.green, label->tint.blue);
    add_escaped(out, label->name);
    text_add(out, "</td>");
    add_number(out, true, found ? volume_format(label->volume_ml) : "%.0f", label->volume_ml);
    add_number(out, true, "%.0f", (double)label->voxels);
    if (more) {
        for (int a = 0; a < 3; a++)
            add_number(out, found, "%.1f", more->centroid_mm[a]);
        add_number(out, found, value_format(more->mean), more->mean);
        add_number(out, found, value_format(more->standard_deviation), more->standard_deviation);
    }
    text_add(out, "<td class=\"words mark\">");
    if (!found) text_add(out, "nothing found");
    for (int w = 0; more && w < more->warning_count; w++) {
        if (w || !found) text_add(out, "; ");
        add_escaped(out, more->warnings[w]);
    }
    text_add(out, "</td></tr>\n");
}

static void add_table(text *out, const report *r)
{
    int found = 0;
    for (int n = 0; n < r->preview->label_count; n++)
        found += r->preview->labels[n].voxels > 0;
    text_format(out, "<h2>Found %d of %d labels</h2>\n", found, r->preview->label_count);
    text_add(out, "<div class=\"wide\"><table class=\"sortable\"><thead><tr><th class=\"number\">Id</th><th>Label</th>"
                  "<th class=\"number\">Volume (ml)</th><th class=\"number\">Voxels</th>");
    if (r->labels) {
        char unit[40] = "";
        if (r->intensity_unit) snprintf(unit, sizeof unit, " (%.30s)", r->intensity_unit);
        text_add(
            out,
            "<th class=\"number\">x (mm)</th><th class=\"number\">y (mm)</th><th class=\"number\">z (mm)</th><th class=\"number\">Mean");
        add_escaped(out, unit);
        text_add(out, "</th><th class=\"number\">SD");
        add_escaped(out, unit);
        text_add(out, "</th>");
    }
    text_add(out, "<th>Remarks</th></tr></thead><tbody>\n");
    for (int n = 0; n < r->preview->label_count; n++)
        add_label(out, r, n);
    text_add(out, "</tbody></table></div>\n");
    if (r->labels)
        text_add(
            out,
            "<p class=\"quiet\">x, y, z: centroid in the scan's world, x to the patient's right, y to the front, z to the head. "
            "Mean and standard deviation (SD) are of the scan inside the mask.</p>\n");
}

static void add_section(text *out, const report_section *section)
{
    text_add(out, "<h2>");
    add_escaped(out, section->title);
    text_add(out, "</h2>\n<table class=\"facts\"><tbody>\n");
    for (int n = 0; n < section->row_count; n++) {
        text_add(out, "<tr><th scope=\"row\">");
        add_escaped(out, section->rows[n].name);
        text_add(out, "</th><td>");
        add_escaped(out, section->rows[n].value);
        text_add(out, "</td></tr>\n");
    }
    text_add(out, "</tbody></table>\n");
}

/* ---------------------------------------------------------------- the page */

sat_status report_write_html(const char *path, const report *r, sat_error *error)
{
    preview_png panels[PREVIEW_PLANES] = {{0}};
    char window[PREVIEW_WINDOW_TEXT];
    text out = text_open(REPORT_BYTES_MOST);
    sat_status status = preview_make_panels(r->preview, panels, error);
    if (status == SAT_OK) status = preview_window_text(r->preview, window, error);
    if (status != SAT_OK) goto done;
    const char *title = r->preview->title ? r->preview->title : "sat3d segmentation";
    text_add(&out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    add_escaped(&out, title);
    text_format(&out, "</title><style>%s</style></head>\n<body><main>\n<h1>", style);
    add_escaped(&out, title);
    text_format(&out, "</h1>\n<p class=\"quiet\">Made by sat3d %s</p>\n", sat_version());
    text_add(&out, "<p class=\"notice\">For research use. Not a medical device.</p>\n");
    add_warnings(&out, r);
    add_pictures(&out, panels, window);
    add_table(&out, r);
    for (int n = 0; n < r->section_count; n++)
        add_section(&out, &r->sections[n]);
    text_format(&out, "<footer>For research use. Not a medical device. Made by sat3d %s.</footer>\n", sat_version());
    text_format(&out, "</main><script>%s</script></body></html>\n", script);
    status = text_check(&out, error);
    if (status == SAT_OK) status = file_write_whole(path, out.data, out.length, error);
done:
    for (int p = 0; p < PREVIEW_PLANES; p++)
        preview_png_free(&panels[p]);
    text_free(&out);
    return status;
}

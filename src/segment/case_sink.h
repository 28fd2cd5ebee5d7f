/* What happens to a case's masks as they come: filtered, measured, written, put into the label map. Between case.c, which decides
 * what is wanted, and segmenter.c, which brings the slices; bench/pipeline.c brings its own. */
#ifndef SAT_SEGMENT_CASE_SINK_H
#define SAT_SEGMENT_CASE_SINK_H

#include "segment/case.h"
#include "segment/compat.h"
#include "segment/label_map.h"

/* Where parts of a mask are to be removed it must be seen whole first: then its slices are gathered in `whole`, filtered there,
 * and what stays is delivered from there; where probabilities are wanted beside it, by a second look, so that they need
 * never be held. */
typedef struct case_sink {
    const case_settings *settings; /* borrowed, as all that it names */
    const volume *scan;
    case_result *result;           /* borrowed: labels are filled, warnings added */
    int threads;
    output files;
    label_map map;                 /* zeroed: none is wanted */
    statistics *measure;
    mask_watch watch;
    compat release;
    int label;                     /* at hand */
    size_t position;               /* voxels of it that came */
    uint8_t *whole;                /* [k][j][i]; NULL: no filter */
    bool gathering;                /* first look of a filter */
    bool look_again;
    const uint8_t *pending;        /* mask of the slices whose probabilities come next */
} case_sink;

/* What the settings ask of the segmenter. */
bool case_filters(const case_settings *settings);
bool case_wants_map(const case_settings *settings);
segment_probabilities case_wants_probabilities(const case_settings *settings);
/* Bytes that a sink holds at most; `processed` is the shape of the processed volume, or an upper bound. */
uint64_t case_sink_bytes(const case_settings *settings, const volume *scan, const int64_t processed[3], int threads);

/* result->labels are there. Chooses files' names, makes folders. Fails with SAT_BAD_ARGUMENT (an output that would take the
 * place of the scan or of another output), SAT_IO, SAT_NO_MEMORY. */
sat_status case_sink_open(const case_settings *settings, const volume *scan, int threads, case_result *result, case_sink *sink,
                          sat_error *error);
/* To be handed to segmenter_run; `sink` is borrowed. */
segment_sink case_sink_slices(case_sink *sink);
/* Safe on a zeroed sink and when called twice. */
void case_sink_close(case_sink *sink);

#endif

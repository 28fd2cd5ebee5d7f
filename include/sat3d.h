/* sat3d: segment anything in a 3-D medical scan from words.
 *
 * This is the whole public interface of libsat3d. Everything here is C17 and C++17.
 *
 *   sat_model_open        a model, once                                    sat_model_free
 *   sat_volume_read       a scan: from a file, from a file's bytes,        sat_volume_free
 *                         or (sat_volume_make) from voxels in memory
 *   sat_segment           words and a scan in, a result out                sat_result_free
 *   sat_result_mask       a mask of it, voxel by voxel on the scan's own grid
 *
 * examples/segment_file.c and examples/segment_memory.c show both ways; docs/interface.md has the rules in full.
 *
 * How functions fail: every function that can fail returns a sat_status and, where the caller
 * passes a sat_error, fills it with one sentence that says what is wrong and what would help.
 * Nothing in the library prints, exits or keeps global state.
 *
 * Ownership: what a function hands out through a pointer to a pointer belongs to the caller, who frees it with the function of
 * that type; all free functions do nothing with NULL. On failure that pointer is NULL. Everything passed in is borrowed for
 * the call alone. Texts are UTF-8.
 *
 * Threads: different objects may be used from different threads at once. One sat_volume or sat_result may be read by several
 * threads at once. One sat_model may be used by several threads at once, too: its network has one working memory, so that
 * segmentations with it wait for each other (and can be cancelled while they wait). Two models compute at the same time.
 * Nobody may use an object while, or after, another thread frees it.
 *
 * Structs: those that may grow begin with their size, which the program sets, so that a program built with an older header
 * goes on working (docs/interface.md says what may change when).
 *
 * For research use. Not a medical device. */
#ifndef SAT3D_H
#define SAT3D_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SAT_API __attribute__((visibility("default")))
#else
#define SAT_API
#endif

/* ---------------------------------------------------------------- errors, version */

/* How a call ended. The program's exit codes follow from these: see sat_exit_code. */
typedef enum sat_status {
    SAT_OK = 0,
    SAT_BAD_ARGUMENT, /* the caller's mistake: wrong option, impossible combination */
    SAT_BAD_INPUT,    /* the file's mistake: damaged, unsupported, inconsistent     */
    SAT_NO_MEMORY,    /* more than the limit or the machine has                     */
    SAT_IO,           /* the system said no: missing, unreadable, disk full         */
    SAT_CANCELLED     /* the user stopped it                                        */
} sat_status;

/* What went wrong: a code for the program, one sentence for a person, and the file that it is
 * about. Lives on the caller's stack, starts as {0} (C++: {}), needs no freeing. This struct never grows. */
typedef struct sat_error {
    sat_status code;
    char message[512];
    char file[256]; /* empty when no file is concerned */
} sat_error;

/* The library's version, for example "0.1.0". Static storage; thread-safe. */
SAT_API const char *sat_version(void);

/* The exit code of a program that ends with `status`: 0 done, 2 wrong usage, 3 bad input or
 * unreadable file, 4 not enough memory or disk, 130 interrupted. Thread-safe. */
SAT_API int sat_exit_code(sat_status status);

/* Frees what the functions named ..._new hand out. */
SAT_API void sat_free(void *memory);

/* ---------------------------------------------------------------- models */

typedef struct sat_model sat_model;

/* What the network computes in. */
typedef enum sat_dtype {
    SAT_BFLOAT16 = 0, /* twice as fast; where the processor has no instructions for it float32 is used instead */
    SAT_FLOAT32 = 1
} sat_dtype;

typedef struct sat_model_options {
    size_t size;               /* of this struct                                                              */
    sat_dtype dtype;           /* default: SAT_BFLOAT16                                                       */
    int threads;               /* default 0: all processors that the process may use. Changes no bit of masks */
    int usual_prompts;         /* default 8: how many a request will usually have; any number works           */
    int query_cache;           /* default 0; 1: keep encoded prompts on disk, in the user's cache folder      */
    uint64_t max_memory_bytes; /* default 0: three quarters of the machine's; of all that the process takes   */
} sat_model_options;

/* Fills in the defaults. `size` is sizeof(sat_model_options) as the program knows it. */
SAT_API void sat_model_options_default(sat_model_options *options, size_t size);

/* Opens a model file, as `sat3d convert` writes it. It is mapped; nothing big is taken before the first segmentation.
 *
 * options  NULL: the defaults
 *
 * Fails with SAT_IO, SAT_BAD_INPUT (not a model; a PyTorch checkpoint gets a hint), SAT_BAD_ARGUMENT, SAT_NO_MEMORY. */
SAT_API sat_status sat_model_open(const char *path, const sat_model_options *options, sat_model **model, sat_error *error);
SAT_API void sat_model_free(sat_model *model);

typedef struct sat_model_description {
    size_t size;          /* of this struct                                                    */
    char variant[32];     /* "nano", "pro", ...                                                */
    char identity[65];    /* 64 hexadecimal digits that stand for the file's content           */
    sat_dtype dtype;      /* that it computes in                                               */
    int threads;
    double spacing_mm[3]; /* that scans are brought to                                         */
    int window_voxels[3]; /* that the network sees at once                                     */
} sat_model_description;

/* description->size is set by the caller. Fails with SAT_BAD_ARGUMENT (a size that no version had). */
SAT_API sat_status sat_model_describe(const sat_model *model, sat_model_description *description, sat_error *error);

/* ---------------------------------------------------------------- scans */

typedef struct sat_volume sat_volume;

/* From a file: NIfTI-1, NIfTI-2 or Analyze, compressed or not, recognised by content.
 *
 * which  the volume of a file with several, from 0; -1: the file holds one, refuse if there are more
 *
 * Fails with SAT_IO, SAT_BAD_INPUT (damaged, cut off, another format, several volumes), SAT_BAD_ARGUMENT (no such volume),
 * SAT_NO_MEMORY. */
SAT_API sat_status sat_volume_read(const char *path, int64_t which, sat_volume **volume, sat_error *error);

/* The same from the bytes of a .nii or .nii.gz in memory; copied. Fails likewise. */
SAT_API sat_status sat_volume_parse(const void *data, size_t bytes, int64_t which, sat_volume **volume, sat_error *error);

typedef enum sat_voxel_type {
    SAT_VOXEL_UINT8 = 0,
    SAT_VOXEL_INT8,
    SAT_VOXEL_UINT16,
    SAT_VOXEL_INT16,
    SAT_VOXEL_UINT32,
    SAT_VOXEL_INT32,
    SAT_VOXEL_UINT64,
    SAT_VOXEL_INT64,
    SAT_VOXEL_FLOAT32,
    SAT_VOXEL_FLOAT64
} sat_voxel_type;

/* A scan as a program has it. */
typedef struct sat_voxels {
    size_t size;                    /* of this struct                                                                     */
    const void *voxels;             /* [k][j][i], i fastest; this machine's byte order                                    */
    sat_voxel_type type;
    int64_t shape_ijk[3];           /* each >= 1                                                                          */
    double voxel_to_world_mm[3][4]; /* voxel (i, j, k) has its centre at this times (i, j, k, 1); x to the patient's right,
                                       y to the front, z to the head (RAS+). DICOM and ITK speak LPS+: negate rows 0 and 1 */
    double slope, intercept;        /* value = slope * stored + intercept; slope 0: value = stored                        */
} sat_voxels;

/* Copies the voxels. Fails with SAT_BAD_ARGUMENT (no voxels, a shape that can't be, an affine that puts them into a plane),
 * SAT_NO_MEMORY. */
SAT_API sat_status sat_volume_make(const sat_voxels *from, sat_volume **volume, sat_error *error);

/* The scan's grid; either may be NULL. */
SAT_API void sat_volume_grid(const sat_volume *volume, int64_t shape_ijk[3], double voxel_to_world_mm[3][4]);
/* i * j * k: bytes of a mask. */
SAT_API size_t sat_volume_voxels(const sat_volume *volume);
/* What a user should hear of the scan, sentence by sentence; NULL when `index` is past the last. Static storage. */
SAT_API const char *sat_volume_warning(const sat_volume *volume, int index);
SAT_API void sat_volume_free(sat_volume *volume);

/* ---------------------------------------------------------------- segmenting */

/* Hears how far the work is; returns non-zero to cancel it. Called several times a second while work goes on, from one thread
 * at a time, though not always the same one; stage is static text such as "windows"; total 0: not known. While another
 * thread's segmentation holds the model, the stage is "waiting". It must return soon, and call nothing that uses the same
 * model; C++ exceptions must not leave it. */
typedef int sat_progress_function(void *context, const char *stage, uint64_t done, uint64_t total);

typedef struct sat_request {
    size_t size;                /* of this struct                                                                        */
    const char *const *prompts; /* what to segment: "liver", "left kidney", ...                                          */
    int prompt_count;           /* >= 1                                                                                  */
    const char *modality;       /* "ct", "mri", "pet", "us", or such as "MRI T1"; default NULL: found from the values where
                                   they are certainly Hounsfield units, else refused                                     */
    const char *orientation;    /* how the model wants the scan turned; default NULL: "RAS"                              */
    double overlap;             /* of neighbouring windows, 0 to 0.9; default 0.5                                        */
    int skip_air;               /* default 0; 1: leave out windows of a ct with nothing but air (changes results there)  */
    double threshold;           /* a probability strictly above is mask; default 0.5                                     */
    double minimum_volume_ml;   /* connected parts of a mask smaller than this go; default 0                             */
    int largest_component;      /* default 0; 1: all but the largest connected part go                                   */
    int keep_masks;             /* default 1: the result holds masks                                                     */
    int keep_probabilities;     /* default 0; 1: the result holds probabilities, four bytes a voxel and prompt           */
    sat_progress_function *progress; /* default NULL                                                                     */
    void *progress_context;

    /* Files, as `sat3d segment` writes them; each appears only when it is whole. All NULL by default. */
    const char *output_folder;   /* a mask for each prompt, and segmentation.json                                        */
    const char *label_map_path;  /* .nii or .nii.gz with all labels, names and colours beside it                         */
    const char *statistics_path; /* .csv                                                                                 */
    const char *preview_path;    /* .png                                                                                 */
    const char *scan_name;       /* for segmentation.json; default: the name of the file that the scan was read from     */
} sat_request;

/* Fills in the defaults; prompts, prompt_count and usually modality are then the program's to set. */
SAT_API void sat_request_default(sat_request *request, size_t size);

typedef struct sat_result sat_result;

/* Segments. Everything that the result needs is in it: model and volume may be freed before it.
 *
 * Masks do not depend on threads, on the order of prompts, or on what ran before.
 *
 * Fails with SAT_BAD_ARGUMENT (no prompts, a modality or orientation that there is not, modality NULL where the values leave it
 * open), SAT_BAD_INPUT, SAT_NO_MEMORY (the model's limit can't be kept: the message names the least that would do),
 * SAT_IO (output files), SAT_CANCELLED. */
SAT_API sat_status sat_segment(sat_model *model, const sat_volume *volume, const sat_request *request, sat_result **result,
                               sat_error *error);

/* What sat_segment would do and take, at most (before the crop to the body), without doing it. */
typedef struct sat_plan {
    size_t size;                    /* of this struct                                       */
    uint64_t windows;
    int passes_if_dense;            /* over the windows, if every prompt is found everywhere */
    double operations_per_window;   /* floating-point, of the network                       */
    int64_t processed_shape_xyz[3]; /* that the scan is brought to                          */
    uint64_t network_bytes, scan_bytes, merge_bytes, restore_bytes, result_bytes, other_bytes;
    uint64_t total_bytes, limit_bytes, least_bytes; /* result_bytes included */
} sat_plan;

/* plan->size is set by the caller. Fails as sat_segment; the plan is filled in even with SAT_NO_MEMORY. Waits for nobody for
 * long, but for a segmentation that runs with the same model. */
SAT_API sat_status sat_segment_plan(sat_model *model, const sat_volume *volume, const sat_request *request, sat_plan *plan,
                                    sat_error *error);

/* ---------------------------------------------------------------- results */

typedef struct sat_label {
    size_t size;            /* of this struct                                                                      */
    const char *name;       /* the prompt as it was given; lives as long as the result                             */
    int64_t voxels;         /* 0: nothing found                                                                    */
    double volume_ml;
    int64_t box_ijk[3][2];  /* half-open; all 0 when nothing was found                                             */
    double centroid_mm[3];  /* mean of the voxels' centres, RAS+; 0 when nothing was found                         */
    double mean, deviation; /* of the scan's values within                                                         */
} sat_label;

/* How many labels: as many as prompts, in their order. */
SAT_API int sat_result_labels(const sat_result *result);
/* label->size is set by the caller. Fails with SAT_BAD_ARGUMENT (no such label, a size that no version had). */
SAT_API sat_status sat_result_label(const sat_result *result, int index, sat_label *label, sat_error *error);

/* A label's mask on the scan's own grid, 0 or 1, [k][j][i], i fastest.
 *
 * mask   out; room for sat_volume_voxels bytes
 * bytes  that there are; fewer than needed are SAT_BAD_ARGUMENT
 *
 * Fails with SAT_BAD_ARGUMENT (no such label, keep_masks was 0). Several threads may ask at once. */
SAT_API sat_status sat_result_mask(const sat_result *result, int index, uint8_t *mask, size_t bytes, sat_error *error);
/* The same into new memory (sat_free it). Also SAT_NO_MEMORY. */
SAT_API sat_status sat_result_mask_new(const sat_result *result, int index, uint8_t **mask, sat_error *error);

/* A label's probabilities, 0 to 1, on the scan's own grid; those too small to matter are 0. Likewise; keep_probabilities. */
SAT_API sat_status sat_result_probability(const sat_result *result, int index, float *probability, size_t bytes, sat_error *error);
SAT_API sat_status sat_result_probability_new(const sat_result *result, int index, float **probability, sat_error *error);

/* Writes a label's mask as NIfTI, compressed where `path` ends in .gz, with the scan's own position; whole or not at all.
 * Also fails with SAT_IO. */
SAT_API sat_status sat_result_write_mask(const sat_result *result, int index, const char *path, sat_error *error);

/* What a user should hear of the scan and of what was found; NULL when `index` is past the last. Lives as long as the result. */
SAT_API const char *sat_result_warning(const sat_result *result, int index);
SAT_API void sat_result_free(sat_result *result);

#ifdef __cplusplus
}
#endif

#endif

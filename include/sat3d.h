/* sat3d: segment anything in a 3-D medical scan from words.
 *
 * This is the whole public interface of libsat3d. Everything here is C17 and C++17.
 *
 * How functions fail: every function that can fail returns a sat_status and, where the caller
 * passes a sat_error, fills it with one sentence that says what is wrong and what would help.
 * Nothing in the library prints, exits or keeps global state.
 *
 * For research use. Not a medical device. */
#ifndef SAT3D_H
#define SAT3D_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SAT_API __attribute__((visibility("default")))
#else
#define SAT_API
#endif

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
 * about. Lives on the caller's stack, starts as {0}, needs no freeing. */
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

#ifdef __cplusplus
}
#endif

#endif

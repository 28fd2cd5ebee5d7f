/* `sat3d --version`. */
#ifndef SAT_CLI_VERSION_H
#define SAT_CLI_VERSION_H

#include <stdbool.h>

/* "sat3d 0.1.0"; when verbose also the processor's level and the libraries, as found at run time. */
void version_print(bool verbose);

#endif

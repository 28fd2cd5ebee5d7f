#include "sat3d.h"

const char *sat_version(void) { return SAT3D_VERSION; }

int sat_exit_code(sat_status status)
{
    static const int codes[] = {
        [SAT_OK] = 0,        [SAT_BAD_ARGUMENT] = 2, [SAT_BAD_INPUT] = 3,
        [SAT_NO_MEMORY] = 4, [SAT_IO] = 3,           [SAT_CANCELLED] = 130,
    };
    return codes[status];
}

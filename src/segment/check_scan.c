#include "segment/check_scan.h"

sat_status check_scan(const volume *scan, const char *modality, const model_description *model, int threads, check_list *found,
                      sat_error *error)
{
    sat_status status = check_header(scan, model, found, error);
    if (status == SAT_OK) status = check_values(scan, modality, model, threads, found, error);
    return status;
}

/* --compat for many scans: the release's folders hold one sample of a name for each dataset. */
#ifndef SAT_SEGMENT_BATCH_COMPAT_H
#define SAT_SEGMENT_BATCH_COMPAT_H

#include "base/error.h"
#include "segment/batch_list.h"

/* Refuses, by name, every item whose files would take the place of an earlier item's: same dataset, same sample (compat.h). The
 * release overwrites them. Fails with SAT_NO_MEMORY. */
sat_status batch_compat_refuse_same(batch_list *list, sat_error *error);

#endif

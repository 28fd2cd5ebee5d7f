/* Names and colours of a label map, in the forms that viewers read. Label n of `names` has the id n + 1 in the map.
 *
 * All functions: names are UTF-8 and borrowed, `colours` are colours_of_names' of the same list; the file appears only when it
 * is whole; the same bytes for the same input. Fail with SAT_IO, SAT_NO_MEMORY, SAT_BAD_ARGUMENT (count > 65535). Thread-safe.
 * Formats as their programs' own readers take them, see label_files.c. */
#ifndef SAT_SEGMENT_LABEL_FILES_H
#define SAT_SEGMENT_LABEL_FILES_H

#include "base/error.h"
#include "segment/colours.h"

/* ITK-SNAP's label description (.txt; Segmentation > Import Label Descriptions). A quote in a name becomes an apostrophe, a
 * control character a space. */
sat_status label_files_write_itksnap(const char *path, const char *const *names, const colour *colours, int count,
                                     sat_error *error);

enum { LABEL_FILES_SLICER_MOST = 32768 }; /* MaximumColorID of vtkMRMLColorTableStorageNode */

/* 3D Slicer's colour table (.ctbl; drag it into Slicer with the label map). Blanks in names become underscores, as Slicer
 * writes them itself. Slicer reads ids up to 32768: more fail with SAT_BAD_ARGUMENT. */
sat_status label_files_write_slicer(const char *path, const char *const *names, const colour *colours, int count,
                                    sat_error *error);

/* JSON for programs (schema 1): {"schema", "labels": [{"id", "name", "rgb": [r, g, b]}], "niivue": {...}}; the object under
 * "niivue" is what NiiVue's setColormapLabel takes. */
sat_status label_files_write_json(const char *path, const char *const *names, const colour *colours, int count,
                                  sat_error *error);

/* "DIR/labels.nii.gz" with ".txt" -> "DIR/labels.txt": the label map's path without .nii, .nii.gz or .gz, and `extension`
 * after it. Returns new (free it); NULL when memory is short. */
char *label_files_path_beside(const char *label_map_path, const char *extension);

#endif

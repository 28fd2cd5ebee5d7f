"""nibabel: shape, affine, sum of the voxels, middle of what is 1."""
import json
import os
import sys

import nibabel
import numpy

folder = os.path.dirname(sys.argv[1])
print(json.dumps({"client": "nibabel", "version": nibabel.__version__}))
for row in json.load(open(sys.argv[1])):
    image = nibabel.load(os.path.join(folder, row["file"]))
    values = numpy.asanyarray(image.dataobj)
    where = numpy.argwhere(values == 1)
    middle = image.affine @ numpy.append(where.mean(axis=0), 1)
    print(json.dumps({"file": row["file"], "shape": list(image.shape), "affine": image.affine[:3].tolist(),
                      "sum": int(values.sum()), "landmark_mm": middle[:3].tolist()}))

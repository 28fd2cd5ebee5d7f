"""libsat3d from Python: NumPy arrays in and out. For research use. Not a medical device.

    with Model("nano.safetensors") as model:
        masks = model.segment(voxels, affine, ["liver", "left kidney"], "ct")   # [prompt][i][j][k], bool

voxels is [i][j][k] as nibabel has it, affine its 4 x 4 matrix (RAS+ mm). SAT3D_LIBRARY names the library's file.
"""
import ctypes as c
import os

import numpy as np


class Error(c.Structure):
    _fields_ = [("code", c.c_int), ("message", c.c_char * 512), ("file", c.c_char * 256)]


class Voxels(c.Structure):
    _fields_ = [("size", c.c_size_t), ("voxels", c.c_void_p), ("type", c.c_int), ("shape_ijk", c.c_int64 * 3),
                ("voxel_to_world_mm", c.c_double * 12), ("slope", c.c_double), ("intercept", c.c_double)]


class Request(c.Structure):  # the first fields of sat_request; what is left out keeps its default
    _fields_ = [("size", c.c_size_t), ("prompts", c.POINTER(c.c_char_p)), ("prompt_count", c.c_int), ("modality", c.c_char_p),
                ("orientation", c.c_char_p), ("overlap", c.c_double), ("skip_air", c.c_int), ("threshold", c.c_double),
                ("minimum_volume_ml", c.c_double), ("largest_component", c.c_int), ("keep_masks", c.c_int),
                ("keep_probabilities", c.c_int), ("progress", c.c_void_p), ("progress_context", c.c_void_p),
                ("files", c.c_char_p * 5)]


TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
lib = c.CDLL(os.environ.get("SAT3D_LIBRARY", "libsat3d.so.0"))
for name in ("model", "volume", "result"):
    getattr(lib, f"sat_{name}_free").argtypes = [c.c_void_p]
    getattr(lib, f"sat_{name}_free").restype = None


def call(name, *arguments):
    error = Error()
    if getattr(lib, name)(*arguments, c.byref(error)) != 0:
        raise RuntimeError(f"{error.file.decode()}: {error.message.decode()}".lstrip(": "))


class Model:
    def __init__(self, path):
        self.handle = c.c_void_p()
        call("sat_model_open", os.fsencode(path), None, c.byref(self.handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib.sat_model_free(self.handle)
        self.handle = None

    def segment(self, voxels, affine, prompts, modality):
        stored = np.asfortranarray(voxels)  # i fastest
        matrix = np.asarray(affine, np.float64)[:3].ravel()
        given = Voxels(c.sizeof(Voxels), stored.ctypes.data, TYPES.index(stored.dtype.name), stored.shape, tuple(matrix))
        words = (c.c_char_p * len(prompts))(*(p.encode() for p in prompts))
        request = Request()
        lib.sat_request_default(c.byref(request), c.c_size_t(c.sizeof(Request)))
        request.prompts, request.prompt_count, request.modality = words, len(prompts), modality.encode()
        volume, result = c.c_void_p(), c.c_void_p()
        try:
            call("sat_volume_make", c.byref(given), c.byref(volume))
            call("sat_segment", self.handle, volume, c.byref(request), c.byref(result))
            masks = np.empty((len(prompts),) + stored.shape[::-1], np.uint8)  # [prompt][k][j][i]
            for i in range(len(prompts)):
                mask = masks[i]
                call("sat_result_mask", result, i, c.c_void_p(mask.ctypes.data), c.c_size_t(mask.nbytes))
            return masks.transpose(0, 3, 2, 1).astype(bool)
        finally:
            lib.sat_result_free(result)
            lib.sat_volume_free(volume)

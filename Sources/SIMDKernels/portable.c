#include "Bodies/encode.h"
#include "isa.h"
const vl2_kernels vl2_kernels_portable = {.name = "portable", .encode_block = encode_block};

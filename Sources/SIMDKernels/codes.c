#include "SIMDKernels.h"

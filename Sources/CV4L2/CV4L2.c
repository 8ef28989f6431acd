// All of it is in the header; a target needs a source.

#include "CV4L2.h"

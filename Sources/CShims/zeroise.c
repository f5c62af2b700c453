#define _GNU_SOURCE
#include "CShims.h"

#include <string.h>

void plexi_zeroise(void *memory, unsigned long count) {
    if (count != 0) explicit_bzero(memory, count);
}

// glibc keeps what a thread frees in that thread's arena, however much it is.
#define _GNU_SOURCE
#include "CShims.h"

#include <malloc.h>

void plexi_return_freed_memory(void) { malloc_trim(0); }

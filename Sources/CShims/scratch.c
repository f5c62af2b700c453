// Memory for one large computation at a time per thread. malloc keeps such a buffer in the thread's arena for ever once
// its threshold has risen, and mapping it anew for each use costs more in page faults than half a hash.
#define _GNU_SOURCE
#include "CShims.h"

#include <string.h>
#include <sys/mman.h>

static _Thread_local unsigned char *kept;
static _Thread_local unsigned long kept_count;

void plexi_scratch_release(void) {
    if (kept != NULL) munmap(kept, kept_count);
    kept = NULL;
    kept_count = 0;
}

int plexi_scratch_allocate(unsigned char **memory, unsigned long count) {
    if (kept_count < count) {
        plexi_scratch_release();
        void *fresh = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) return -1;
        kept = fresh;
        kept_count = count;
    }
    *memory = kept;
    return 0;
}

void plexi_scratch_free(unsigned char *memory, unsigned long count) { explicit_bzero(memory, count); }

#define _GNU_SOURCE
#include "CShims.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

void plexi_name_thread(const char *name) {
    char kept[16] = {0};
    strncpy(kept, name, sizeof kept - 1);
    pthread_setname_np(pthread_self(), kept);
}

static _Thread_local void *thread_context;

void *plexi_thread_context(void) { return thread_context; }

void plexi_set_thread_context(void *context) { thread_context = context; }

int plexi_available_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

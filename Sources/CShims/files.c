// System calls on files that Glibc's Swift module leaves out.
#define _GNU_SOURCE
#include "CShims.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int plexi_exchange_paths(const char *one, const char *other) {
    return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

int plexi_sync_file_system(int descriptor) { return syncfs(descriptor); }

int plexi_begin_sync(int descriptor, long long offset, long long count) {
    return sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}

int plexi_pipe(int ends[2], int waits) { return pipe2(ends, O_CLOEXEC | (waits ? 0 : O_NONBLOCK)); }

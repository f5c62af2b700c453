// Our own C: system calls that Glibc's Swift module does not expose, behind plain types.
// No header of the C library is included here: their extensions clash between clang modules. The .c files include them.
#pragma once

#include "ConstantTime.h"
#include "Datagrams.h"
#include "Galois.h"
#include "Polling.h"
#include "Relays.h"
#include "Sandbox.h"
#include "Streams.h"

/// Sends one datagram to the service manager's notification socket. `state` is e.g. "READY=1".
/// Returns 1 when sent, 0 when there is no service manager, and a negative errno on failure.
int plexi_notify_service_manager(const char *state);

/// Overwrites memory in a way that the compiler may not leave out.
void plexi_zeroise(void *memory, unsigned long count);

/// Asks for memory that will be used soon. The address may be anything: nothing is read.
static inline __attribute__((always_inline)) void plexi_prefetch(const void *address, unsigned long count) {
    for (unsigned long offset = 0; offset < count; offset += 64) __builtin_prefetch((const char *)address + offset, 1);
}

/// Names the calling thread for `top -H`, `ps` and debuggers; the kernel keeps the first 15 bytes.
void plexi_name_thread(const char *name);

/// The pointer that this thread last gave to `plexi_set_thread_context`, NULL at first.
void *plexi_thread_context(void);
void plexi_set_thread_context(void *context);

/// accept4(2), non-blocking and close-on-exec. `address` has room for `*length` bytes of a socket address; `*length`
/// becomes what the kernel wrote. Returns the descriptor, or -1 with errno.
int plexi_accept(int listener, void *address, unsigned int *length);

/// Exchanges what lies under two paths of one file system, in one step. Returns 0, or -1 with errno.
int plexi_exchange_paths(const char *one, const char *other);

/// Waits until all that was written to the descriptor's file system is on disk. Returns 0, or -1 with errno.
int plexi_sync_file_system(int descriptor);
/// Begins to write so much of a file to its disk, and does not wait for it. 0, or -1 with errno.
int plexi_begin_sync(int descriptor, long long offset, long long count);

/// pipe2(2), close-on-exec; reading and writing wait unless `waits` is 0. Returns 0, or -1 with errno.
int plexi_pipe(int ends[2], int waits);

/// The cores that this process may use: affinity and cpusets are respected.
int plexi_available_cores(void);

/// A large buffer of the calling thread, kept between uses: for libargon2's memory. Returns 0, or -1 without memory.
int plexi_scratch_allocate(unsigned char **memory, unsigned long count);
/// Overwrites the buffer and keeps it.
void plexi_scratch_free(unsigned char *memory, unsigned long count);
/// Gives the calling thread's buffer back to the system.
void plexi_scratch_release(void);

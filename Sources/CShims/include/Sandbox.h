// Processes that read what strangers sent: how they are started, what they may still do, and how descriptors reach
// them. Generic: a worker says what it needs, everything else kills it.
#pragma once

/// The descriptor on which a worker speaks with who started it. 0, 1 and 2 are /dev/null, others are closed.
enum { PLEXI_WORKER_SOCKET = 3 };

/// Starts `program` with these arguments (the last one NULL), an empty environment, default signals, a process group
/// of its own, and one end of a new pair of stream sockets. `*descriptor` is the other end, close-on-exec. The process
/// id, or -1 with errno.
int plexi_worker_start(const char *program, char *const arguments[], int *descriptor);

/// What a worker may do beyond its memory, messages on its socket, the time, and its own end.
enum {
    /// Write to descriptors that are open already.
    PLEXI_SANDBOX_WRITES = 1,
    /// Read from descriptors that are open already.
    PLEXI_SANDBOX_READS = 2,
    /// Start threads, but no processes.
    PLEXI_SANDBOX_THREADS = 4,
};

typedef struct {
    /// Of addresses; 0 is without limit (a sanitiser's shadow memory has none).
    unsigned long long memory_bytes;
    /// Of the whole life of the process.
    unsigned int cpu_seconds;
    unsigned int descriptors;
    unsigned int permissions;
} plexi_sandbox;

/// Whether this program can be run in a sandbox at all: what is built with a sanitiser maps more than any limit.
int plexi_sandbox_limits_memory(void);

/// Takes the rights away from the calling process, for good: limits, no new privileges, and a list of system calls;
/// any other one kills it. 0, or -1 with errno, and then the process must not go on.
int plexi_sandbox_enter(const plexi_sandbox *sandbox);

/// What `plexi_sandbox_probe` tries inside a sandbox without permissions.
typedef enum {
    /// Nothing forbidden.
    PLEXI_PROBE_NOTHING,
    PLEXI_PROBE_OPEN,
    PLEXI_PROBE_SOCKET,
    PLEXI_PROBE_FORK,
    PLEXI_PROBE_EXECUTABLE_MEMORY,
    PLEXI_PROBE_SHARED_MEMORY,
    PLEXI_PROBE_WRITE,
    PLEXI_PROBE_KILL,
    /// More memory than allowed: refused, not killed.
    PLEXI_PROBE_MEMORY,
} plexi_probe;

/// Tries it in a process of its own. 0 when it was done, 1 when it was refused, 2 when the kernel killed the process
/// for it, 3 when the sandbox could not be entered, -1 with errno when there was no process.
int plexi_sandbox_probe(plexi_probe what);

/// Takes away an ended child. 1 when it is gone, 0 when it still runs, -1 with errno. With `wait`, 0 never comes.
int plexi_worker_reap(int process, int wait);

/// Sends bytes with a descriptor, if it is not -1. How many were taken, or -1 with errno.
long plexi_send_with_descriptor(int socket, const void *bytes, unsigned long count, int descriptor);
/// Receives bytes, and a descriptor when one came with them (-1 otherwise), close-on-exec. 0 at the end of the
/// stream, -1 with errno. `wait` is 0 for not waiting.
long plexi_receive_with_descriptor(int socket, void *bytes, unsigned long count, int *descriptor, int wait);

/// Anonymous memory behind a descriptor, filled and then sealed against every change. -1 with errno.
int plexi_sealed_memory(const void *bytes, unsigned long count);
/// The same open file for reading only, with an offset of its own. -1 with errno.
int plexi_reopen_for_reading(int descriptor);

/// A non-blocking connection to a UNIX socket. -1 with errno.
int plexi_local_connect(const char *path);

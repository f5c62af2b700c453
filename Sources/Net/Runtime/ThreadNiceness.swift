// How willingly our threads let others go first.

import Glibc

enum ThreadNiceness {
    /// For a new thread's first line. On Linux each thread has a niceness of its own and inherits that of the thread
    /// which starts it; those on which tasks run are set by the language's runtime, whatever the process was given. A
    /// shard that was started from a task would so lose the priority that an operator gave to the server.
    static func takeFromProcess() {
        let which = Int32(PRIO_PROCESS.rawValue)
        // The thread whose number is the process's is the main one, which nobody has changed. That we may not take
        // back a higher niceness is no reason to stop.
        errno = 0
        let niceness = getpriority(which, id_t(getpid()))
        if errno == 0 { setpriority(which, 0, niceness) }
    }
}

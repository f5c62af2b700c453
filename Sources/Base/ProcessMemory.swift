// The process's memory as the system sees it.

import CShims

package enum ProcessMemory {
    /// Gives back what was freed. Takes up to a few milliseconds and holds every arena for a moment: for a thread that
    /// has just done something large and has nothing to do now.
    package static func returnFreed() { plexi_return_freed_memory() }
}

// Counts the objects that Swift code makes: the runtime calls through a pointer for tools like this one when it is told
// so. Arrays, boxes, closures, strings and class instances are objects; memory asked for by `allocate` is not, nor what
// OpenSSL takes.

import Glibc

enum HeapCalls {
    private typealias Allocate =
        @convention(c) (UnsafeRawPointer?, Int, Int) -> UnsafeMutableRawPointer?

    private nonisolated(unsafe) static let counter: UnsafeMutablePointer<Int> = {
        let counter = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        counter.initialize(to: 0)
        return counter
    }()
    private nonisolated(unsafe) static var original: Allocate?

    /// Objects that all threads made during `body`; `nil` when this runtime cannot be asked.
    static func count(during body: () throws -> Void) rethrows -> Int? {
        let program = dlopen(nil, RTLD_NOW)
        guard let place = dlsym(program, "_swift_allocObject"),
            let flag = dlsym(program, "_swift_enableSwizzlingOfAllocationAndRefCountingFunctions_forInstrumentsOnly")
        else {
            try body()
            return nil
        }
        let function = place.assumingMemoryBound(to: Allocate?.self)
        let isEnabled = flag.assumingMemoryBound(to: Bool.self)
        original = function.pointee
        counter.pointee = 0
        function.pointee = { metadata, size, alignment in
            HeapCalls.counter.pointee &+= 1
            return HeapCalls.original?(metadata, size, alignment)
        }
        isEnabled.pointee = true
        defer {
            isEnabled.pointee = false
            function.pointee = original
        }
        try body()
        return counter.pointee
    }
}

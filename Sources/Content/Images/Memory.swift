// Whether a large piece of memory can still be had. Under the limit of a worker's sandbox an array that cannot grow ends
// the process; asking first makes an error of it.

import Glibc

enum Memory {
    /// What an encoder or decoder needs beside the pixels.
    private static let reserve = 8 << 20

    static func isThere(_ count: Int) -> Bool {
        guard let start = mmap(nil, count + reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            start != MAP_FAILED
        else { return false }
        munmap(start, count + reserve)
        return true
    }
}

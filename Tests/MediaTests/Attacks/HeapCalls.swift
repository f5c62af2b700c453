// Counts what the program, the Swift runtime and OpenSSL ask of the heap while something runs.
//
// The functions of the C library are called through tables that the loader has filled; for the while, the entries of a
// few of them point to functions here that count and call on. (Standing in for `malloc` with a symbol of our own would
// do without the tables, but takes the heap from the address sanitizer. The Swift runtime's own hook for its objects
// does not keep the rules of bridged ones: strings crash with it.) Of ELF on 64 bits, as the tests' only platform is.

import Glibc

enum HeapCalls {
    /// By all threads during `body`. `nil` when no table was found.
    static func count(during body: () throws -> Void) rethrows -> Int? {
        let entries = LoadedModule.all
            .filter { $0.path.contains("libswiftCore") || $0.path.contains("libcrypto") || $0.isProgram }
            .flatMap { $0.tableEntries(of: Set(replacements.keys)) }
        guard !entries.isEmpty else {
            try body()
            return nil
        }
        for entry in entries {
            guard let original = entry.place.pointee, let replacement = replacements[entry.name] else { continue }
            originals.remember(entry.name, original)
            LoadedModule.makeWritable(entry.place)
            entry.place.pointee = replacement
        }
        originals.calls.pointee = 0
        defer {
            for entry in entries { entry.place.pointee = originals.function(entry.name) }
        }
        try body()
        return originals.calls.pointee
    }

    // MARK: The functions that count

    fileprivate typealias Malloc = @convention(c) (Int) -> UnsafeMutableRawPointer?
    fileprivate typealias Calloc = @convention(c) (Int, Int) -> UnsafeMutableRawPointer?
    fileprivate typealias Realloc = @convention(c) (UnsafeMutableRawPointer?, Int) -> UnsafeMutableRawPointer?
    fileprivate typealias Memalign =
        @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>?, Int, Int) -> Int32

    nonisolated(unsafe) fileprivate static let originals = Originals()

    private static nonisolated(unsafe) let replacements: [String: UnsafeMutableRawPointer] = {
        let malloc: Malloc = { size in
            originals.calls.pointee &+= 1
            return originals.malloc?(size)
        }
        let calloc: Calloc = { count, size in
            originals.calls.pointee &+= 1
            return originals.calloc?(count, size)
        }
        let realloc: Realloc = { memory, size in
            originals.calls.pointee &+= 1
            return originals.realloc?(memory, size)
        }
        let memalign: Memalign = { place, alignment, size in
            originals.calls.pointee &+= 1
            return originals.memalign?(place, alignment, size) ?? ENOMEM
        }
        return [
            "malloc": unsafeBitCast(malloc, to: UnsafeMutableRawPointer.self),
            "calloc": unsafeBitCast(calloc, to: UnsafeMutableRawPointer.self),
            "realloc": unsafeBitCast(realloc, to: UnsafeMutableRawPointer.self),
            "posix_memalign": unsafeBitCast(memalign, to: UnsafeMutableRawPointer.self),
        ]
    }()

    /// A class without anything that calling a method of it would allocate for.
    fileprivate final class Originals {
        let calls: UnsafeMutablePointer<Int>
        var malloc: Malloc?
        var calloc: Calloc?
        var realloc: Realloc?
        var memalign: Memalign?

        init() {
            calls = .allocate(capacity: 1)
            calls.initialize(to: 0)
        }

        func remember(_ name: String, _ function: UnsafeMutableRawPointer) {
            switch name {
            case "malloc": malloc = unsafeBitCast(function, to: Malloc.self)
            case "calloc": calloc = unsafeBitCast(function, to: Calloc.self)
            case "realloc": realloc = unsafeBitCast(function, to: Realloc.self)
            default: memalign = unsafeBitCast(function, to: Memalign.self)
            }
        }

        func function(_ name: String) -> UnsafeMutableRawPointer? {
            switch name {
            case "malloc": malloc.map { unsafeBitCast($0, to: UnsafeMutableRawPointer.self) }
            case "calloc": calloc.map { unsafeBitCast($0, to: UnsafeMutableRawPointer.self) }
            case "realloc": realloc.map { unsafeBitCast($0, to: UnsafeMutableRawPointer.self) }
            default: memalign.map { unsafeBitCast($0, to: UnsafeMutableRawPointer.self) }
            }
        }
    }
}

/// A program or a library as the loader has put it into memory.
private struct LoadedModule {
    struct Entry {
        var name: String
        var place: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    }

    var path: String
    var base: UInt
    var isProgram: Bool

    /// The first mapping of each file, from `/proc/self/maps`.
    static var all: [LoadedModule] {
        guard let file = fopen("/proc/self/maps", "r") else { return [] }
        defer { fclose(file) }
        var modules: [LoadedModule] = []
        var line = [CChar](repeating: 0, count: 4_096)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let fields = text.split(whereSeparator: \.isWhitespace)
            guard fields.count >= 6, fields[5].hasPrefix("/"), fields[2].allSatisfy({ $0 == "0" }),
                !modules.contains(where: { $0.path == fields[5] }),
                let start = fields[0].split(separator: "-").first, let base = UInt(start, radix: 16)
            else { continue }
            modules.append(LoadedModule(path: String(fields[5]), base: base, isProgram: modules.isEmpty))
        }
        return modules
    }

    private func word(_ address: UInt) -> UInt { UnsafeRawPointer(bitPattern: address)?.load(as: UInt.self) ?? 0 }
    private func half(_ address: UInt) -> UInt {
        UInt(UnsafeRawPointer(bitPattern: address)?.load(as: UInt16.self) ?? 0)
    }
    private func quarter(_ address: UInt) -> UInt {
        UInt(UnsafeRawPointer(bitPattern: address)?.load(as: UInt32.self) ?? 0)
    }

    /// The dynamic section, by tag.
    private var dynamic: [UInt: UInt] {
        guard quarter(base) == 0x464C_457F else { return [:] }
        let headers = base + word(base + 32)
        var tags: [UInt: UInt] = [:]
        for index in 0..<half(base + 56) {
            let header = headers + index * half(base + 54)
            guard quarter(header) == 2 else { continue }
            var entry = base + word(header + 16)
            while word(entry) != 0 {
                if tags[word(entry)] == nil { tags[word(entry)] = word(entry + 8) }
                entry += 16
            }
        }
        return tags
    }

    /// Places that the loader has filled with the addresses of functions of these names.
    func tableEntries(of names: Set<String>) -> [Entry] {
        let tags = dynamic
        // DT_SYMTAB and DT_STRTAB; the loader has made addresses of them.
        guard let symbols = tags[6], let strings = tags[5] else { return [] }
        var entries: [Entry] = []
        // DT_JMPREL with DT_PLTRELSZ, and DT_RELA with DT_RELASZ.
        for (table, size) in [(tags[23], tags[2]), (tags[7], tags[8])] {
            guard let table, let size else { continue }
            for offset in stride(from: 0, to: size, by: 24) {
                let symbol = word(table + offset + 8) >> 32
                guard symbol != 0,
                    let name = UnsafePointer<CChar>(bitPattern: strings + quarter(symbols + symbol * 24)),
                    names.contains(String(cString: name)),
                    let place = UnsafeMutablePointer<UnsafeMutableRawPointer?>(bitPattern: base + word(table + offset))
                else { continue }
                entries.append(Entry(name: String(cString: name), place: place))
            }
        }
        return entries
    }

    /// The loader protects its tables once they are filled.
    static func makeWritable(_ place: UnsafeMutablePointer<UnsafeMutableRawPointer?>) {
        let page = UInt(bitPattern: place) & ~4_095
        mprotect(UnsafeMutableRawPointer(bitPattern: page), 8_192, PROT_READ | PROT_WRITE)
    }
}

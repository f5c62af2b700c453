// Reads a journal and believes nothing of it that was not proved: docs/formats/journal.md, "Reading".

package import Base
import Crypto
import Wire

package final class JournalReader {
    package enum Mode: Sendable {
        /// The first thing that is wrong is thrown.
        case strict
        /// What is wrong with a segment is kept in `faults`, and the next one is read.
        case salvage
    }

    package let recording: UUID
    package let beginning: JournalBeginning
    /// `nil`: the recording was interrupted. What was durable is read all the same.
    package let manifest: JournalManifest?
    /// When salvaging: what was passed over.
    package private(set) var faults: [JournalError]

    private let files: any JournalFiles
    private let keys: JournalReadingKeys
    private let mode: Mode
    /// The number of the last segment, by the manifest or by the names.
    private let last: UInt32
    /// The one that is read next.
    private var number: UInt32 = 1
    /// The hash of the one before; `nil` when that was passed over.
    private var before: Bytes?
    private var order = JournalOrder()
    private var current: OpenedSegment?
    private var decoder = EntryDecoder(from: .zero)
    /// In the plaintext of `current`.
    private var offset = 0
    private var hasEnded = false
    private var failure: JournalError?

    /// Opens the first segment and the manifest. `expecting` is the recording that ought to be there.
    package init(
        _ files: any JournalFiles, with keys: JournalReadingKeys, expecting: UUID? = nil, mode: Mode = .strict
    ) throws(JournalError) {
        (self.files, self.keys, self.mode) = (files, keys, mode)
        faults = []
        let names = try files.names()
        guard let highest = names.compactMap(SegmentName.number).max() else { throw .empty }
        var manifest: JournalManifest?
        do throws(JournalError) {
            manifest = try Self.manifest(files, keys)
        } catch {
            guard mode == .salvage else { throw error }
            faults.append(error)
        }
        let source = JournalSource(files: files, keys: keys, manifest: manifest)
        let first = try source.segment(1, of: expecting, after: nil, isKnown: false)
        recording = first.head.recording
        if let found = manifest, found.recording != recording {
            guard mode == .salvage else { throw .foreign(file: JournalManifest.file) }
            faults.append(.foreign(file: JournalManifest.file))
            manifest = nil
        }
        self.manifest = manifest
        last = manifest.map { UInt32($0.segments.count) } ?? highest
        guard case .began(let beginning) = try Self.firstEntry(first) else {
            throw .outOfOrder(file: SegmentName.of(1), reason: "an entry stands before the beginning")
        }
        self.beginning = beginning
        begin(first)
        if let manifest, highest > last {
            try note(.notInManifest(file: SegmentName.of(UInt32(manifest.segments.count) + 1)))
        }
    }

    package var isInterrupted: Bool { manifest == nil }

    /// The next entry; `nil` behind the last one. After an error, every call throws it.
    package func next() throws(JournalError) -> JournalEntry? {
        if let failure { throw failure }
        do throws(JournalError) { return try advance() } catch {
            failure = error
            throw error
        }
    }

    private func advance() throws(JournalError) -> JournalEntry? {
        while true {
            if let segment = current {
                if let entry = try entry(of: segment) { return entry }
                current = nil
            }
            guard number <= last else { return try atEnd() }
            try open()
        }
    }

    private func atEnd() throws(JournalError) -> JournalEntry? {
        // A manifest is written behind the end only.
        if manifest != nil, !hasEnded, faults.isEmpty {
            try note(.outOfOrder(file: SegmentName.of(last), reason: "there is no end, and there is a manifest"))
        }
        return nil
    }

    // MARK: Segments

    private func open() throws(JournalError) {
        let source = JournalSource(files: files, keys: keys, manifest: manifest)
        do throws(JournalError) {
            begin(try source.segment(number, of: recording, after: before, isKnown: true))
        } catch {
            number += 1
            before = nil
            try note(error)
        }
    }

    private func begin(_ segment: OpenedSegment) {
        current = segment
        offset = segment.entries.lowerBound
        decoder = EntryDecoder(from: segment.head.time)
        before = segment.hash
        number = segment.head.number + 1
    }

    private func note(_ fault: JournalError) throws(JournalError) {
        guard mode == .salvage else { throw fault }
        faults.append(fault)
    }

    private static func manifest(
        _ files: any JournalFiles, _ keys: JournalReadingKeys
    ) throws(JournalError) -> JournalManifest? {
        let name = JournalManifest.file
        guard let file = try files.read(name, most: JournalLimits.manifest) else { return nil }
        let plaintext = try AgeFile.open(file, name, with: keys, length: nil, isKnown: false)
        return try JournalManifest(opening: plaintext, with: keys)
    }

    // MARK: Entries

    /// The next entry that may stand there; `nil` at the segment's end.
    private func entry(of segment: OpenedSegment) throws(JournalError) -> JournalEntry? {
        let file = SegmentName.of(segment.head.number)
        while offset < segment.entries.upperBound {
            let entry: JournalEntry
            do throws(WireError) {
                entry = try Self.decode(segment, &decoder, &offset)
            } catch {
                // Signed, and wrong all the same: the rest of it cannot be found.
                offset = segment.entries.upperBound
                try note(.malformed(file: file, reason: error.reason))
                return nil
            }
            guard let fault = fault(of: entry) else { return entry }
            try note(.outOfOrder(file: file, reason: "\(fault.reason)"))
        }
        return nil
    }

    private func fault(of entry: JournalEntry) -> OrderFault? {
        do throws(OrderFault) { try order.take(entry.content) } catch { return error }
        if case .ended = entry.content { hasEnded = true }
        return nil
    }

    private static func decode(
        _ segment: OpenedSegment, _ decoder: inout EntryDecoder, _ offset: inout Int
    ) throws(WireError) -> JournalEntry {
        let plaintext = segment.plaintext
        var reader = ByteReader(plaintext.span.bytes.extracting(offset..<segment.entries.upperBound))
        let entry = try decoder.next(&reader)
        offset += reader.offset
        return entry
    }

    private static func firstEntry(_ segment: OpenedSegment) throws(JournalError) -> JournalEntry.Content {
        var decoder = EntryDecoder(from: segment.head.time)
        var offset = segment.entries.lowerBound
        do throws(WireError) {
            return try decode(segment, &decoder, &offset).content
        } catch { throw .malformed(file: SegmentName.of(1), reason: error.reason) }
    }
}

/// Segments of a recording, each proved to be the one that belongs there.
struct JournalSource {
    let files: any JournalFiles
    let keys: JournalReadingKeys
    let manifest: JournalManifest?

    /// `recording`: `nil` when any is welcome; `before`: `nil` when it is not known. `isKnown` as in `AgeFile.open`.
    func segment(
        _ number: UInt32, of recording: UUID?, after before: Bytes?, isKnown: Bool
    ) throws(JournalError) -> OpenedSegment {
        let name = SegmentName.of(number)
        guard let file = try files.read(name, most: JournalLimits.file) else { throw .missing(number: number) }
        let listed = listed(number)
        let plaintext = try AgeFile.open(file, name, with: keys, length: listed?.length, isKnown: isKnown)
        let segment = try OpenedSegment(opening: plaintext, name, with: keys)
        if let recording, segment.head.recording != recording { throw .foreign(file: name) }
        guard segment.head.number == number else {
            throw segment.head.number < number
                ? .replayed(file: name, number: segment.head.number)
                : .swapped(file: name, number: segment.head.number)
        }
        if let before, segment.head.before != before { throw .forked(file: name) }
        if let listed, manifest?.recording == segment.head.recording, listed.hash != segment.hash {
            throw .notInManifest(file: name)
        }
        return segment
    }

    private func listed(_ number: UInt32) -> JournalManifest.Segment? {
        guard let manifest, number > 0, number <= manifest.segments.count else { return nil }
        return manifest.segments[Int(number) - 1]
    }
}

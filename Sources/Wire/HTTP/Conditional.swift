// Conditional requests (RFC 9110 §13): whether the client's copy is still good, and whether its change may be made.

package import Base

/// A validator of one state of a resource (RFC 9110 §8.8.3).
package struct EntityTag: Sendable, Hashable, CustomStringConvertible {
    package let isWeak: Bool
    /// What stands between the quotes.
    package let opaque: String

    /// `nil` if `opaque` has a character that no entity tag may have.
    package init?(opaque: String, isWeak: Bool = false) {
        guard opaque.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// `"…"` or `W/"…"`.
    package init?(_ text: String) {
        var scanner = FieldScanner(text)
        guard let tag = Self.parse(&scanner), scanner.isAtEnd else { return nil }
        self = tag
    }

    fileprivate static func parse(_ scanner: inout FieldScanner) -> EntityTag? {
        let isWeak = scanner.take(0x57)
        guard !isWeak || scanner.take(0x2F), scanner.take(0x22) else { return nil }
        let opaque = String(decoding: scanner.take(while: isAllowed), as: UTF8.self)
        guard scanner.take(0x22) else { return nil }
        return EntityTag(opaque: opaque, isWeak: isWeak)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool { byte == 0x21 || byte >= 0x23 && byte != 0x7F }

    package var description: String { "\(isWeak ? "W/" : "")\"\(opaque)\"" }

    /// Byte for byte the same: for ranges and for changes.
    package func matchesStrongly(_ other: EntityTag) -> Bool { !isWeak && !other.isWeak && opaque == other.opaque }

    /// Good enough to show.
    package func matchesWeakly(_ other: EntityTag) -> Bool { opaque == other.opaque }
}

/// `*`, or a list of entity tags.
private enum TagCondition {
    /// A longer list is taken for malformed.
    private static let maximumCount = 64

    case any
    case tags([EntityTag])
    case malformed

    init(_ text: String) {
        var scanner = FieldScanner(text)
        if scanner.take(0x2A) {
            self = scanner.isAtEnd ? .any : .malformed
            return
        }
        var tags: [EntityTag] = []
        repeat {
            scanner.skipBlanks()
            guard tags.count < Self.maximumCount, let tag = EntityTag.parse(&scanner) else {
                self = .malformed
                return
            }
            tags.append(tag)
            scanner.skipBlanks()
        } while scanner.take(0x2C)
        self = scanner.isAtEnd ? .tags(tags) : .malformed
    }
}

/// What is known of the current state of a resource.
package struct Validators: Sendable {
    package var entityTag: EntityTag?
    package var lastModified: Timestamp?

    package init(entityTag: EntityTag? = nil, lastModified: Timestamp? = nil) {
        self.entityTag = entityTag
        self.lastModified = lastModified
    }
}

package enum PreconditionOutcome: Sendable, Equatable {
    case proceed
    /// 304: the client has it already.
    case notModified
    /// 412: the resource is not what the client thinks.
    case failed
}

package enum Preconditions {
    /// RFC 9110 §13.2.2 up to step 4. `current` is `nil` where there is no resource yet. A malformed If-Match fails;
    /// a malformed If-None-Match fails where something would be changed and is overlooked otherwise; a malformed
    /// date is overlooked, as the RFC demands.
    package static func evaluate(
        _ method: HTTPMethod, _ headers: RequestHeaders, current: Validators?
    ) -> PreconditionOutcome {
        if let condition = headers.list(of: "if-match") {
            guard matches(TagCondition(condition), current) else { return .failed }
        } else if let limit = date(headers, "if-unmodified-since"), let modified = current?.lastModified {
            guard modified.secondsSinceEpoch <= limit.secondsSinceEpoch else { return .failed }
        }
        let reads = method == .get || method == .head
        if let condition = headers.list(of: "if-none-match") {
            guard !excludes(TagCondition(condition), current, reads: reads) else {
                return reads ? .notModified : .failed
            }
        } else if reads, let limit = date(headers, "if-modified-since"), let modified = current?.lastModified {
            guard modified.secondsSinceEpoch > limit.secondsSinceEpoch else { return .notModified }
        }
        return .proceed
    }

    /// Step 5: whether Range is to be honoured. A date in If-Range counts only for what has no entity tag, since it
    /// cannot tell two changes within a second apart.
    package static func rangeApplies(_ headers: RequestHeaders, current: Validators) -> Bool {
        let conditions = headers.values(of: "if-range")
        guard let condition = conditions.first else { return true }
        guard conditions.count == 1 else { return false }
        if let tag = EntityTag(condition) { return current.entityTag?.matchesStrongly(tag) ?? false }
        guard current.entityTag == nil, let date = Timestamp(imfFixdate: condition),
            let modified = current.lastModified
        else { return false }
        return modified.secondsSinceEpoch == date.secondsSinceEpoch
    }

    private static func matches(_ condition: TagCondition, _ current: Validators?) -> Bool {
        switch condition {
        case .malformed: false
        case .any: current != nil
        case .tags(let tags):
            current?.entityTag.map { own in tags.contains { $0.matchesStrongly(own) } } ?? false
        }
    }

    private static func excludes(_ condition: TagCondition, _ current: Validators?, reads: Bool) -> Bool {
        switch condition {
        case .malformed: !reads
        case .any: current != nil
        case .tags(let tags):
            current?.entityTag.map { own in tags.contains { $0.matchesWeakly(own) } } ?? false
        }
    }

    private static func date(_ headers: RequestHeaders, _ name: StaticString) -> Timestamp? {
        let values = headers.values(of: name)
        return values.count == 1 ? Timestamp(imfFixdate: values[0]) : nil
    }
}

// The stored form of the people of a recording: one JSON array, whose objects' members are only ever added to.

import Base
import Wire

enum StoredConsents {
    /// A call's people, and what stands around each.
    private static let limits = JSONLimits(depth: 3, values: 1 << 16)

    static func text(_ people: [RecordingPerson]) -> String {
        var writer = JSONWriter(capacity: 64 + 160 * people.count)
        writer.array { json in
            for person in people { json.object { write(person, into: &$0) } }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func write(_ person: RecordingPerson, into json: inout JSONWriter) {
        json.field("user", person.user)
        json.field("present", person.isPresent)
        json.field("consent", person.consent.rawValue)
        json.field("means", person.means.rawValue)
        json.field("changed_us", person.changedAt.microsecondsSinceEpoch)
        if let agreed = person.agreedAt { json.field("agreed_us", agreed.microsecondsSinceEpoch) }
        if let withdrawn = person.withdrawnAt { json.field("withdrawn_us", withdrawn.microsecondsSinceEpoch) }
    }

    /// `nil` for what this version cannot read: whose consent is not known has not given it.
    static func people(_ text: String) -> [RecordingPerson]? {
        guard let values = (try? JSONValue(parsing: Bytes(text.utf8), limits: limits))?.arrayValue else { return nil }
        var people: [RecordingPerson] = []
        for value in values {
            guard let object = value.objectValue, let person = person(object) else { return nil }
            people.append(person)
        }
        return people
    }

    private static func person(_ object: JSONObject) -> RecordingPerson? {
        guard let user = object["user"]?.stringValue.flatMap({ UserID($0) }),
            let consent = object["consent"]?.stringValue.flatMap(RecordingConsent.init(rawValue:)),
            let means = object["means"]?.stringValue.flatMap(ConsentMeans.init(rawValue:)),
            let changed = object["changed_us"]?.integerValue
        else { return nil }
        let time = { (name: String) in
            object[name]?.integerValue.map { Timestamp(microsecondsSinceEpoch: $0) }
        }
        return RecordingPerson(
            user: user, isPresent: object["present"]?.boolValue == true, consent: consent, means: means,
            changedAt: Timestamp(microsecondsSinceEpoch: changed), agreedAt: time("agreed_us"),
            withdrawnAt: time("withdrawn_us"))
    }
}

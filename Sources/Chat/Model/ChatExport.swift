// What somebody has in chat, as an export carries it, and where in it a reader is. docs/chat/export.md is normative.

import Base

package enum ExportItem: Sendable {
    case device(ClientDevice)
    case organization(OrganizationView)
    case conversation(ConversationView)
    case message(Message)
    case formerVersion(MessageID, FormerVersion)
    case reaction(MessageID, Reaction)
}

/// After a part of an export: where the next one begins. A value, so that whoever reads may stop for as long as they
/// like and nothing is held for them.
package struct ExportPlace: Sendable {
    enum Part: Sendable {
        case devices
        case organizations(offset: Int)
        case conversations(after: ConversationID)
        /// By the number in the table.
        case messages(after: Int64)
        case reactions(after: MessageID, emoji: String)
    }

    var part: Part
    /// Messages of the last part that were edited: what they said before comes next.
    var edited: [MessageID] = []

    package static let beginning = ExportPlace(part: .devices)
}

package struct ExportPage: Sendable {
    package let items: [ExportItem]
    /// `nil`: that was all.
    package let next: ExportPlace?
}

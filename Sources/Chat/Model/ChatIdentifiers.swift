// What the identifiers of chat name, and how the documents write them.

package import Base

package enum ConversationKind: IdentifierKind { package static let prefix = "channel" }
package typealias ConversationID = Identifier<ConversationKind>

package enum MessageKind: IdentifierKind { package static let prefix = "msg" }
package typealias MessageID = Identifier<MessageKind>

package enum OrganizationKind: IdentifierKind { package static let prefix = "org" }
package typealias OrganizationID = Identifier<OrganizationKind>

package enum InvitationKind: IdentifierKind { package static let prefix = "invite" }
package typealias InvitationID = Identifier<InvitationKind>

/// An attachment as a message carries it. What its bytes are is known to files; here it is a name.
package enum AttachmentKind: IdentifierKind { package static let prefix = "attachment" }
package typealias AttachmentID = Identifier<AttachmentKind>

/// A device that sealed messages are made for: chosen by the client, and not a login (a login may come and go on it).
package enum ClientDeviceKind: IdentifierKind { package static let prefix = "device" }
package typealias ClientDeviceID = Identifier<ClientDeviceKind>

// What an operator may set about chat. The defaults are the documents' numbers where they give any.

import Base

package struct ChatOptions: Sendable {
    /// Members of a room whose maker names no number (rooms.md: 100).
    package var roomMembers = 100
    /// Members of any conversation. One event of a conversation costs its delivery to all of them.
    package var membersPerConversation = 10_000
    /// People who may be named when a conversation is begun; the rest are added afterwards.
    package var membersAtCreation = 500
    package var membersPerOrganization = 100_000
    /// Conversations and organisations that one user may have begun, so that one account cannot fill the tables.
    package var conversationsPerOwner = 2_000
    package var organizationsPerOwner = 50
    /// Bytes of a plain text.
    package var textBytes = 16_384
    /// Characters of the parts of a sealed body. Base64 of what `textBytes` plus padding come to, and some room.
    package var sealedCharacters = 65_536
    /// Devices that one message is sealed for.
    package var recipientKeys = 1_000
    package var attachmentsPerMessage = 20
    package var mentionsPerMessage = 100
    /// Different emoji on one message, and reactions of everybody together.
    package var emojiPerMessage = 40
    package var reactionsPerMessage = 500
    package var pinsPerConversation = 100
    /// Of one message; the oldest are forgotten beyond it.
    package var formerVersions = 50
    /// How long after it was sent a message may be edited; `nil`: always.
    package var editWindow: Duration?
    /// Invitations of one conversation that are still good.
    package var invitationsPerConversation = 100
    /// At most, of one invitation.
    package var invitationUses = 100_000
    package var invitationLifetime = Duration.hours(24)
    package var longestInvitation = Duration.days(365)
    /// Messages are removed when they are older; `nil`: never. A conversation's own retention goes before it.
    package var retention: Duration?
    /// Events that stay in the log. A client that was away longer reads history instead.
    package var logLifetime = Duration.days(30)
    /// Events of one answer to who catches up.
    package var eventsPerPage = 500
    /// In conversations with more members, receipts keep each device's newest place only, so that one message does not
    /// cost a row for each of its readers.
    package var exactReceiptMembers = 100
    /// Found messages that are ranked: the newest so many.
    package var rankedHits = 500
    package var countedHits = 10_000
    package var searchTokensPerMessage = 128
    package var devicesPerUser = 20
    package var oneTimeKeysPerDevice = 200

    package init() {}
}

// chat: bounds of conversations and messages, and of the sockets that carry them. Upper ends of the ranges are what the
// API's own checks let through, so that what is configured is what clients meet.

import Base

extension Configuration {
    package struct Chat: Sendable {
        package var roomMembers = 100
        package var membersPerConversation = 10_000
        package var membersAtCreation = 500
        package var membersPerOrganization = 100_000
        package var conversationsPerOwner = 2_000
        package var organizationsPerOwner = 50
        package var textBytes = 16_384
        package var sealedCharacters = 65_536
        package var recipientKeys = 1_000
        package var attachmentsPerMessage = 20
        package var mentionsPerMessage = 100
        package var emojiPerMessage = 40
        package var reactionsPerMessage = 500
        package var pinsPerConversation = 100
        package var formerVersions = 50
        package var editWindow: Duration?
        package var invitationsPerConversation = 100
        package var invitationUses = 100_000
        package var invitationLifetime = Duration.hours(24)
        package var longestInvitation = Duration.days(365)
        package var retention: Duration?
        package var logLifetime = Duration.days(30)
        package var eventsPerPage = 500
        package var exactReceiptMembers = 100
        package var rankedHits = 500
        package var countedHits = 10_000
        package var searchTokensPerMessage = 128
        package var devicesPerUser = 20
        package var oneTimeKeysPerDevice = 200
        package var socketsPerUser = 5
        package var followedPerSocket = 500
        package var typingInterval = Duration.seconds(3)
        package var presenceMembers = 1_000
    }

    static let chatSection = Section(
        "chat",
        "Conversations, messages and chat sockets. How often somebody may send is under `rate_limits`; over a socket "
            + "`rate_limits.design.socket_messages` counts, for each socket.",
        chatMemberKeys + chatMessageKeys + chatInvitationKeys + chatStorageKeys + chatSealingKeys + chatSocketKeys)

    private static let chatMemberKeys = [
        Key(
            "chat.room_members", \.chat.roomMembers, .integer(2...1_000_000),
            "Members of a room whose maker names no number."),
        Key(
            "chat.members_per_conversation", \.chat.membersPerConversation, .integer(2...1_000_000),
            "Members of any conversation. Each event of it is delivered to all of them."),
        Key(
            "chat.members_at_creation", \.chat.membersAtCreation, .integer(1...1_000),
            "People who may be named when a conversation is begun; the others are added afterwards."),
        Key(
            "chat.members_per_organization", \.chat.membersPerOrganization, .integer(1...10_000_000),
            "Members of an organization."),
        Key(
            "chat.conversations_per_owner", \.chat.conversationsPerOwner, .integer(1...1_000_000),
            "Conversations that one user may have begun."),
        Key(
            "chat.organizations_per_owner", \.chat.organizationsPerOwner, .integer(1...100_000),
            "Organizations that one user may have begun."),
    ]

    private static let chatMessageKeys = [
        Key("chat.text_bytes", \.chat.textBytes, .size(256...65_536), "The longest plain text of a message."),
        Key(
            "chat.sealed_characters", \.chat.sealedCharacters, .integer(1_024...65_536),
            "Characters of each part of a sealed message."),
        Key(
            "chat.recipient_keys", \.chat.recipientKeys, .integer(1...1_000),
            "Devices that one message may be sealed for."),
        Key(
            "chat.attachments_per_message", \.chat.attachmentsPerMessage, .integer(0...1_000),
            "Attachments of a message."),
        Key("chat.mentions_per_message", \.chat.mentionsPerMessage, .integer(0...1_000), "Mentions in a message."),
        Key(
            "chat.emoji_per_message", \.chat.emojiPerMessage, .integer(1...1_000), "Different reactions on a message."),
        Key(
            "chat.reactions_per_message", \.chat.reactionsPerMessage, .integer(1...10_000),
            "Reactions of everybody on a message."),
        Key(
            "chat.pins_per_conversation", \.chat.pinsPerConversation, .integer(0...1_000),
            "Pinned messages of a conversation."),
        Key(
            "chat.former_versions", \.chat.formerVersions, .integer(0...1_000),
            "What an edited message said before, that many times back."),
        Key(
            "chat.edit_window", \.chat.editWindow, .optional(.duration(.seconds(10) ... .days(3_650))),
            "How long after it was sent a message may be edited. Unset: always."),
    ]

    private static let chatInvitationKeys = [
        Key(
            "chat.invitations_per_conversation", \.chat.invitationsPerConversation, .integer(1...10_000),
            "Invitations of a conversation that are still good."),
        Key(
            "chat.invitation_uses", \.chat.invitationUses, .integer(1...1_000_000),
            "How often one invitation may be good at most."),
        Key(
            "chat.invitation_lifetime", \.chat.invitationLifetime, .duration(.minutes(5) ... .days(3_650)),
            "How long an invitation is good when whoever makes it does not say."),
        Key(
            "chat.longest_invitation", \.chat.longestInvitation, .duration(.hours(1) ... .days(3_650)),
            "How long an invitation may be good at most."),
    ]

    private static let chatStorageKeys = [
        Key(
            "chat.retention", \.chat.retention, .optional(.duration(.minutes(5) ... .days(36_500))),
            "Older messages are removed, for good, unless their conversation says otherwise. Unset: none are."),
        Key(
            "chat.log_lifetime", \.chat.logLifetime, .duration(.hours(1) ... .days(3_650)),
            "How long clients that were away are told each event; who was away longer reads the history anew."),
        Key(
            "chat.events_per_page", \.chat.eventsPerPage, .integer(200...5_000),
            "Events that are read from the log at a time."),
        Key(
            "chat.exact_receipt_members", \.chat.exactReceiptMembers, .integer(0...10_000),
            "In conversations of more members only the newest receipt of each device is kept."),
        Key(
            "chat.ranked_hits", \.chat.rankedHits, .integer(100...10_000),
            "How many of the newest messages that a search finds are ranked."),
        Key(
            "chat.counted_hits", \.chat.countedHits, .integer(1_000...1_000_000),
            "Up to where the messages that a search finds are counted."),
    ]

    private static let chatSealingKeys = [
        Key(
            "chat.search_tokens_per_message", \.chat.searchTokensPerMessage, .integer(0...1_000),
            "Search tokens of a sealed message."),
        Key(
            "chat.devices_per_user", \.chat.devicesPerUser, .integer(1...1_000),
            "Devices of a user that messages are sealed for."),
        Key(
            "chat.one_time_keys_per_device", \.chat.oneTimeKeysPerDevice, .integer(1...10_000),
            "One-time keys of a device that wait to be handed out."),
    ]

    private static let chatSocketKeys = [
        Key("chat.sockets_per_user", \.chat.socketsPerUser, .integer(1...1_000), "Open chat sockets of a user."),
        Key(
            "chat.followed_per_socket", \.chat.followedPerSocket, .integer(1...10_000),
            "Conversations that one socket follows."),
        Key(
            "chat.typing_interval", \.chat.typingInterval, .duration(.milliseconds(500) ... .minutes(1)),
            "How often it is told that somebody goes on typing."),
        Key(
            "chat.presence_members", \.chat.presenceMembers, .integer(0...100_000),
            "In conversations of more members nobody is told who comes and goes."),
    ]
}

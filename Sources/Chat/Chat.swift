// Chat: conversations, and what is said in them.
//
// Owns: organisations, conversations of every kind, members and what they may do, invitations, messages plain and
// sealed with their edits, reactions, threads and receipts, the log of each conversation, search, the public keys of
// devices. Knows no HTTP, no dialect and no socket: what happens goes out through `ChatEvents`, and who loses their
// place in a conversation is cut from its calls through `CallGate` (Service/ChatSeams.swift). Reads no sealed message.
//
// Start with `Model/Conversation.swift` and `Model/Abilities.swift` (who may do what), then
// `Service/ChatService.swift`. `docs/chat/model.md` is normative.

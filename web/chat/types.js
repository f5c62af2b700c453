// @ts-check
/**
 * What chat is made of, as pages see it.
 *
 * @module
 */

/** @typedef {import('../call/types.js').CallProblem} CallProblem */

/** Where a conversation's log stands. @typedef {{epoch: number, offset: number}} Place */

/** @typedef {{userId: string, emoji: string}} Reaction */

/** @typedef {{id: string, name: string, type: string, size: number}} AttachedFile `id` is empty for what is no file of this server */

/**
 * @typedef {object} Message
 * @property {string} id of what is not stored yet: `local:` and its `clientId`
 * @property {string} conversationId
 * @property {number} sequence 1, 2, 3 …; of what is not stored yet, Infinity
 * @property {string} authorId
 * @property {string} type
 * @property {string|null} text null where it is deleted, or sealed and not open
 * @property {boolean} isSealed
 * @property {object|null} box the sealed body; nothing for pages
 * @property {string|null} unreadable why a sealed one cannot be opened, for good
 * @property {string|null} replyTo the message that it quotes
 * @property {string|null} threadId the message that began the thread, for answers
 * @property {number} replyCount
 * @property {readonly Reaction[]} reactions
 * @property {readonly AttachedFile[]} files
 * @property {number} version
 * @property {string|null} clientId
 * @property {boolean} isEdited
 * @property {boolean} isDeleted
 * @property {string} createdAt
 * @property {'sending'|'failed'|null} pending null once it is stored
 * @property {CallProblem|null} problem why it failed
 */

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {'channel'|'room'|'group'|'direct'|'support'|'voice'|string} type
 * @property {'private'|'public'|'invite_only'|string} visibility
 * @property {string} title
 * @property {string|null} description
 * @property {number} memberCount
 * @property {string|null} role null for who is not in it
 * @property {readonly string[]} permissions
 * @property {boolean} isArchived
 * @property {boolean} isMuted
 * @property {boolean} isSealed what is written in it is sealed
 * @property {number} unread
 * @property {string|null} lastMessageId
 * @property {Message|null} lastMessage null where there is none, or for who is not in it
 * @property {string|null} lastActivityAt
 * @property {{id: string, username: string, displayName: string}|null} other of a direct conversation
 */

/**
 * What is known of a conversation's messages.
 * @typedef {object} Timeline
 * @property {readonly Message[]} messages oldest first, those that are not stored yet last
 * @property {boolean} hasMore older ones can be had
 * @property {'loading'|'ready'|'failed'} phase
 * @property {CallProblem|null} problem
 */

/**
 * @typedef {object} ChatState
 * @property {'idle'|'connecting'|'open'|'waiting'|'closed'} phase
 * @property {boolean} isListed the list has been read once
 * @property {CallProblem|null} problem why the list could not be read
 * @property {readonly Conversation[]} conversations the newest first
 * @property {Readonly<Record<string, Timeline>>} timelines by conversation
 * @property {Readonly<Record<string, readonly string[]>>} typing who types, by conversation
 * @property {Readonly<Record<string, Readonly<Record<string, string>>>>} reads by conversation and person: the last message read
 */

export {};

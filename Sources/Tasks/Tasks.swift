// Tasks: what runs long in the background, and what is known of it afterwards.
//
// Owns: the table of tasks, the bodies that run in this process, their progress, their cancellation and their end; who may
// see one. docs/protocol/tasks.md says what a client sees of that. Never knows what a body does, and owns no timer:
// `TaskBoard.advance` is called every few seconds. Start with `TaskBoard.swift`.

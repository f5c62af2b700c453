// API: five dialects over one domain, and a sixth of ours for WHIP and WHEP.
//
// Owns: which path belongs to whom, what each route takes and gives, who may call it and how often, and how values
// and failures look in each dialect. Knows no SQL and no socket; decides nothing that the domain should decide.
//
// Start with `Kernel/APIService.swift`: a request's way from the head to the answer. A dialect is rows
// (`*Routes+*.swift`), a presenter and faults; dialects never import each other, `Kernel/PathClaims.swift` alone
// decides what they share.

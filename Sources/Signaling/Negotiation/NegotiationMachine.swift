// Keeps order in the negotiation of one participant: what the client sends, what the engine has to offer, and who is
// silent. Sans-IO: events and the time in, actions out; docs/protocol/signaling.md is normative.
//
// The engine is asked one thing at a time. What comes meanwhile waits; what changes meanwhile goes into one offer. The
// server is the polite side of glare: the engine takes an offer back for nothing, a browser does not.

package import Base
package import Media

package struct NegotiationMachine: Sendable {
    package enum Role: String, Sendable { case offerer, answerer }

    /// A description as a client sends it, with the name that it gave it.
    package struct Description: Sendable, Equatable {
        package let sdp: String
        package let id: Int64?

        package init(sdp: String, id: Int64? = nil) {
            self.sdp = sdp
            self.id = id
        }
    }

    package enum Event: Sendable, Equatable {
        /// The call has let the participant in.
        case admitted
        case offer(Description)
        case answer(Description)
        /// The client asks for fresh ICE credentials.
        case restart
        /// The engine has something to offer.
        case wanted
        /// What the engine said to the last request.
        case done(Outcome)
        case socketLost
        case socketBack
        /// Gone for good.
        case left
    }

    package enum Outcome: Sendable, Equatable {
        /// In the engine: our answer, or our first offer.
        case entered(String)
        /// `nil` when there was nothing to offer any more.
        case offered(String?)
        case answered(String)
        case done
        case failed(MediaError)
    }

    package enum Request: Sendable, Equatable {
        case enter(offer: String)
        case invite
        case makeOffer
        case acceptOffer(String)
        case acceptAnswer(String)
        case rollback
        case restartICE
    }

    package enum Action: Sendable, Equatable {
        /// Ask the engine, and come back with `.done`. Never two at a time.
        case ask(Request)
        case sendOffer(sdp: String, id: Int64)
        case sendAnswer(sdp: String, id: Int64?)
        case refuse(Refusal, id: Int64?)
        /// The engine's session is to end: its participant has left, maybe before the engine knew it.
        case leaveMedia
        /// There is no session, and there will be none.
        case fail(MediaError)
    }

    package enum Refusal: Sendable, Equatable {
        case media(MediaError)
        case unexpectedAnswer
        /// `waitingLimit` messages wait already.
        case tooMany
        case timeout
    }

    /// How long an answer is waited for; the double after each that did not come. Browsers answer within
    /// milliseconds, phones that wake within seconds. Longer leaves newcomers unseen by who lost an offer.
    package static let answerTimeout = Duration.seconds(10)
    /// After so many unanswered offers in a row the client is left alone until it speaks of descriptions again.
    package static let unansweredLimit = 3
    /// Between the end of one exchange and our next offer. Longer delays a newcomer's picture; shorter lets a crowd that
    /// comes cost everybody else an offer per head.
    package static let offerSpacing = Duration.milliseconds(100)
    /// Messages of the client that wait for the engine. It answers within a turn of its loop; more than this is a flood.
    package static let waitingLimit = 32

    private enum Waiting: Sendable {
        case offer(Description)
        case answer(Description)
        case restart
    }

    private enum Operation: Sendable {
        case enter(Int64?)
        case invite, makeOffer
        case acceptOffer(Int64?)
        case acceptAnswer, restartICE
        /// `isAnswerDue`: the client may still answer what is taken back.
        case rollback(isAnswerDue: Bool)
    }

    private struct Outstanding: Sendable {
        let id: Int64
        var deadline: Instant
    }

    private let role: Role
    private var isInside = false
    private var isOver = false
    private var isOnline = true
    private var operation: Operation?
    private var waiting: [Waiting] = []
    /// Our offer that is out.
    private var outstanding: Outstanding?
    /// It is to be taken back when the engine is free.
    private var withdrawal: Operation?
    /// Offers of ours that were taken back, and whose answers may still come.
    private var withdrawn = 0
    private var isWanted = false
    private var unanswered = 0
    private var notBefore: Instant?
    private var nextID: Int64 = 1

    package init(_ role: Role) { self.role = role }

    // MARK: - In

    package mutating func handle(_ event: Event, now: Instant, into actions: inout [Action]) {
        guard !isOver else { return handleLate(event, &actions) }
        switch event {
        case .admitted: if role == .answerer { ask(.invite, .invite, &actions) }
        case .offer(let offer): wait(.offer(offer), id: offer.id, &actions)
        case .answer(let answer): wait(.answer(answer), id: answer.id, &actions)
        case .restart: wait(.restart, id: nil, &actions)
        case .wanted: isWanted = true
        case .done(let outcome): finish(outcome, now, &actions)
        case .socketLost:
            isOnline = false
            withdraw(isAnswerDue: false)
        case .socketBack:
            isOnline = true
            forgive()
        case .left:
            isOver = true
            waiting = []
            if isInside { actions.append(.leaveMedia) }
        }
        advance(now, &actions)
    }

    /// What the engine did after the participant had left is undone, and everything else ignored.
    private mutating func handleLate(_ event: Event, _ actions: inout [Action]) {
        guard case .done(let outcome) = event else { return }
        operation = nil
        if case .entered = outcome { actions.append(.leaveMedia) }
    }

    /// When `handleTimeout` has something to do.
    package var deadline: Instant? {
        guard !isOver else { return nil }
        if let outstanding { return outstanding.deadline }
        return mayOffer ? notBefore : nil
    }

    package mutating func handleTimeout(now: Instant, into actions: inout [Action]) {
        guard !isOver else { return }
        if let due = outstanding, due.deadline <= now, withdrawal == nil, !isAnswering {
            actions.append(.refuse(.timeout, id: due.id))
            unanswered += 1
            withdraw(isAnswerDue: true)
        }
        advance(now, &actions)
    }

    private var isAnswering: Bool { if case .acceptAnswer? = operation { true } else { false } }

    // MARK: - One thing after the other

    private mutating func wait(_ message: Waiting, id: Int64?, _ actions: inout [Action]) {
        guard waiting.count < Self.waitingLimit else { return actions.append(.refuse(.tooMany, id: id)) }
        waiting.append(message)
    }

    private mutating func advance(_ now: Instant, _ actions: inout [Action]) {
        while operation == nil, !isOver {
            if let withdrawal, outstanding != nil {
                self.withdrawal = nil
                return ask(.rollback, withdrawal, &actions)
            }
            if !waiting.isEmpty {
                begin(waiting.removeFirst(), &actions)
                continue
            }
            guard mayOffer, notBefore.map({ $0 <= now }) ?? true else { return }
            isWanted = false
            return ask(.makeOffer, .makeOffer, &actions)
        }
    }

    private var mayOffer: Bool {
        isWanted && isInside && isOnline && operation == nil && outstanding == nil && unanswered < Self.unansweredLimit
    }

    private mutating func ask(_ request: Request, _ operation: Operation, _ actions: inout [Action]) {
        self.operation = operation
        actions.append(.ask(request))
    }

    private mutating func begin(_ message: Waiting, _ actions: inout [Action]) {
        switch message {
        case .offer(let offer):
            if isInside {
                ask(.acceptOffer(offer.sdp), .acceptOffer(offer.id), &actions)
            } else {
                ask(.enter(offer: offer.sdp), .enter(offer.id), &actions)
            }
        case .answer(let answer): beginAnswer(answer, &actions)
        case .restart: if isInside { ask(.restartICE, .restartICE, &actions) }
        }
    }

    private mutating func beginAnswer(_ answer: Description, _ actions: inout [Action]) {
        if let outstanding, answer.id == nil || answer.id == outstanding.id {
            return ask(.acceptAnswer(answer.sdp), .acceptAnswer, &actions)
        }
        // To an offer that was taken back: by its name, or because one was.
        if let id = answer.id, (1..<nextID).contains(id) { return }
        if answer.id == nil, withdrawn > 0 {
            withdrawn -= 1
            return
        }
        actions.append(.refuse(.unexpectedAnswer, id: answer.id))
    }

    // MARK: - What the engine said

    private mutating func finish(_ outcome: Outcome, _ now: Instant, _ actions: inout [Action]) {
        guard let operation else { preconditionFailure("an outcome, and nothing was asked of the engine") }
        self.operation = nil
        if case .failed(let error) = outcome { return fail(operation, error, now, &actions) }
        switch (operation, outcome) {
        case (.enter(let id), .entered(let sdp)):
            isInside = true
            answer(sdp, id, now, &actions)
        case (.invite, .entered(let sdp)):
            isInside = true
            offer(sdp, now, &actions)
        case (.makeOffer, .offered(let sdp)): if let sdp { offer(sdp, now, &actions) }
        case (.acceptOffer(let id), .answered(let sdp)):
            if outstanding != nil { withdrawn += 1 }
            (outstanding, withdrawal) = (nil, nil)
            answer(sdp, id, now, &actions)
        case (.acceptAnswer, .done):
            (outstanding, withdrawal) = (nil, nil)
            settle(now)
        case (.rollback(let isAnswerDue), .done): takenBack(isAnswerDue)
        case (.restartICE, .done): break
        default: preconditionFailure("the engine was asked something else")
        }
    }

    private mutating func fail(
        _ operation: Operation, _ error: MediaError, _ now: Instant, _ actions: inout [Action]
    ) {
        if error == .noSuchSession, isInside {
            isOver = true
            return actions.append(.fail(error))
        }
        switch operation {
        case .enter(let id): actions.append(.refuse(.media(error), id: id))
        case .invite:
            isOver = true
            actions.append(.fail(error))
        case .acceptOffer(let id):
            actions.append(.refuse(.media(error), id: id))
            // A client with an offer of its own out has ignored ours.
            withdraw(isAnswerDue: false)
        case .acceptAnswer:
            actions.append(.refuse(.media(error), id: outstanding?.id))
            unanswered += 1
            notBefore = now + Self.answerTimeout
            withdraw(isAnswerDue: false)
        case .makeOffer:
            isWanted = true
            notBefore = now + Self.answerTimeout
        case .rollback(let isAnswerDue): takenBack(isAnswerDue)
        case .restartICE: actions.append(.refuse(.media(error), id: nil))
        }
    }

    private mutating func offer(_ sdp: String, _ now: Instant, _ actions: inout [Action]) {
        let patience = Self.answerTimeout * (1 << min(unanswered, Self.unansweredLimit))
        outstanding = Outstanding(id: nextID, deadline: now + patience)
        nextID += 1
        guard isOnline else { return withdraw(isAnswerDue: false) }
        actions.append(.sendOffer(sdp: sdp, id: nextID - 1))
    }

    private mutating func answer(_ sdp: String, _ id: Int64?, _ now: Instant, _ actions: inout [Action]) {
        settle(now)
        if isOnline { actions.append(.sendAnswer(sdp: sdp, id: id)) }
    }

    private mutating func settle(_ now: Instant) {
        forgive()
        notBefore = now + Self.offerSpacing
    }

    /// The client speaks of descriptions: it is worth an offer again.
    private mutating func forgive() {
        unanswered = 0
        notBefore = nil
    }

    private mutating func withdraw(isAnswerDue: Bool) {
        guard outstanding != nil else { return }
        withdrawal = .rollback(isAnswerDue: isAnswerDue)
    }

    private mutating func takenBack(_ isAnswerDue: Bool) {
        outstanding = nil
        if isAnswerDue { withdrawn += 1 }
        isWanted = true
    }
}

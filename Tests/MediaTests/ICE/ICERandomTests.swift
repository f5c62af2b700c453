import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

/// A driver that does what outcomes say, over random events: its tables and the session never disagree.
@Suite struct ICERandomTests {
    private struct Driver: ~Copyable {
        var server: LiteServer
        var paths = PathTable(capacity: 64, seed: (5, 6))
        var ufrags: Set<LocalUfrag> = []
        var selected: MediaPath?

        mutating func obey(_ outcome: ICEOutcome, _ path: MediaPath) {
            if outcome.isNewPath { _ = paths.set(path, 1) }
            if let evicted = outcome.evictedPath { _ = paths.remove(evicted) }
            if let retired = outcome.retiredUfrag { ufrags.remove(retired) }
            if case .respondAndSelect(let path) = outcome.action { selected = path }
        }

        mutating func timeOut(_ now: Instant) {
            while true {
                switch server.session.handleTimeout(now: now) {
                case .nothing: return
                case .pathExpired(let path): _ = paths.remove(path)
                case .consentExpired(let path):
                    _ = paths.remove(path)
                    selected = nil
                }
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6]) func `tables and session agree`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var generation: UInt8 = 1
        var driver = Driver(server: LiteServer(testCredentials(1)))
        driver.ufrags = [driver.server.session.localUfrag]
        var peers = [
            ICEControllingPeer(local: testCredentials(200), remote: testCredentials(1), seed: seed, now: at(0))
        ]
        var seconds = 0.0
        for _ in 0..<4_000 {
            seconds += Double.random(in: 0...(seed < 4 ? 4 : 0.5), using: &random)
            if Int.random(in: 0..<50, using: &random) == 0 { seconds += 25 }
            let now = at(seconds)
            driver.timeOut(now)
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                generation = generation == 100 ? 1 : generation + 1
                let local = testCredentials(generation)
                if let replaced = driver.server.session.restart(local: local, remoteUfrag: nil) {
                    driver.ufrags.remove(replaced)
                }
                if let ufrag = local.localUfrag { driver.ufrags.insert(ufrag) }
                peers.append(
                    ICEControllingPeer(local: testCredentials(200), remote: local, seed: random.next(), now: now))
                if peers.count > 3 { peers.removeFirst() }
            case 1:
                if let abandoned = driver.server.session.abandonRestart() { driver.ufrags.remove(abandoned) }
            default:
                let index = Int.random(in: 0..<peers.count, using: &random)
                peers[index].usesCandidate = Bool.random(using: &random)
                let path = testPath(UInt32.random(in: 0..<24, using: &random))
                guard let outcome = driver.server.take(peers[index].check(), on: path, at: now) else {
                    Issue.record("a check is a message")
                    return
                }
                driver.obey(outcome, path)
            }
            check(driver, now)
        }
    }

    private func check(_ driver: borrowing Driver, _ now: Instant) {
        let session = driver.server.session
        let count = driver.paths.count
        #expect(count == session.pathCount && count <= ICELiteSession.pathsMax)
        #expect(driver.selected == session.selectedPath)
        #expect(driver.ufrags == Set([session.localUfrag, session.pendingUfrag].compactMap { $0 }))
        if let selected = session.selectedPath { #expect(session.isValid(selected)) }
        #expect((session.deadline == nil) == (count == 0))
        if let deadline = session.deadline { #expect(deadline > now && deadline <= now + .seconds(30)) }
        for number in 0..<UInt32(24) {
            let isKnown = driver.paths.find(testPath(number)) != nil
            #expect(isKnown == session.isValid(testPath(number)))
        }
    }
}

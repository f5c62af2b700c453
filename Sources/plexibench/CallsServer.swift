// plexibench calls-server: HTTP, sockets, the call service over a database in memory, and media, in a process of its own
// with one loop. Who started it speaks to it over descriptor 0:
//
//     people COUNT\n   ->  ok COUNT\n and so many lines ID TOKEN\n
//     call FIRST COUNT\n   ->  ok CALL\n: person FIRST calls the next COUNT - 1, in one call

import Base
import Glibc
import Net
import Signaling
import Synchronization
import TestKit

private final class CallsServer: Sendable {
    private let server: CallServer
    private let people = Mutex<[APIHarness.Person]>([])

    init(_ server: CallServer) { self.server = server }

    func answer(_ line: String) async throws -> String {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().compactMap { Int($0) }
        switch words.first {
        case "people" where numbers.count == 1:
            var lines = "ok \(numbers[0])\n"
            for _ in 0..<numbers[0] {
                let person = try await server.api.register("person\(people.withLock { $0.count })")
                people.withLock { $0.append(person) }
                lines += "\(person.id) \(person.token)\n"
            }
            return lines
        case "call" where numbers.count == 2:
            let everybody = people.withLock { $0 }
            let invited = everybody[(numbers[0] + 1)..<(numbers[0] + numbers[1])]
            return "ok \(try await server.call(from: everybody[numbers[0]], to: Array(invited)))\n"
        default: return "error unknown\n"
        }
    }
}

func runCallsServer() {
    raiseDescriptorLimit()
    let channel = LineChannel(0)
    let started = Mutex<(server: CallsServer, port: UInt16)?>(nil)
    Task.detached {
        do {
            var setup = CallServer.Setup()
            setup.shards = 1
            setup.tick = .seconds(1)
            setup.calls.initiations = nil
            setup.http.connections = 100_000
            setup.http.connectionsPerAddress = 100_000
            try await CallServer.run(setup) { server in
                started.withLock { $0 = (CallsServer(server), server.port) }
                while true { try await Task.sleep(for: .seconds(3_600)) }
            }
        } catch {
            print("plexibench calls-server: \(error)")
            exit(1)
        }
    }
    while started.withLock({ $0 == nil }) { usleep(1_000) }
    guard let (server, port) = started.withLock({ $0 }) else { return }
    channel.say("port \(port)\n")
    // Blocks on the main thread, which nothing else needs.
    while let line = channel.line() {
        let answer = Mutex("")
        runToEnd {
            let text = try await server.answer(line)
            answer.withLock { $0 = text }
        }
        channel.say(answer.withLock { $0 })
    }
    exit(0)
}

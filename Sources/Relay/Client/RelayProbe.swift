// A look at a STUN or TURN server from outside, as a client has it: name, way, security, allocation, permission, and an
// echo through it. It runs on one loop and blocks nothing; the one thing that blocks, the system's resolver, has a
// thread of a pool.
//
//   resolved -> link -> allocate -> find out where the relay would see our echo socket -> permit -> bind -> echo
//
// The echo's peer is a UDP socket of our own. Behind a NAT the relay sees it at another address, which a binding request
// from that very socket tells; the socket greets the relayed address first, so that a NAT or a firewall lets the answer
// in. A relay whose policy forbids us as a peer is judged by the allocation and the permission's refusal alone.

package import Base
import CShims
import Crypto
import Glibc
import Wire

/// `@unchecked Sendable`: everything is touched on the loop's thread only.
package final class RelayProbe: RelayLinkOwner, @unchecked Sendable {
    private enum Phase { case linking, mapping, allocating, locating, permitting, binding, echoing, releasing, over }

    private let url: RelayURL
    private let credentials: RelayClientCredentials?
    private let options: RelayProbeOptions
    private let loop: any EventLoop
    private let finished: (RelayReport) -> Void
    private var report = RelayReport()
    private var phase = Phase.linking
    private var hopBegan = Instant.now()
    private var hopEnds = Instant.now()
    private var timer: (any ScheduledTimer)?
    private var link: RelayClientLink?
    private var client: RelayClient
    private var echo: RelayEcho?

    /// Looks at `url` on `loop`'s thread. Never throws: what fails is in the report.
    package static func run(
        _ url: RelayURL, _ credentials: RelayClientCredentials?, options: RelayProbeOptions = RelayProbeOptions(),
        resolver: HostResolver, on loop: any EventLoop
    ) async -> RelayReport {
        let began = Instant.now()
        var report = RelayReport()
        let addresses: [IPAddress]
        do throws(HostResolver.Failure) {
            addresses = try await resolver.addresses(of: url.host)
        } catch {
            report.add(
                .dns, .ill(remedy: "Correct the name, or look at the machine's name servers."),
                "\(url.host): \(error.description)", .now() - began)
            return report
        }
        if url.address == nil {
            let list = addresses.map(\.description).joined(separator: ", ")
            report.add(.dns, .well, "\(url.host) is \(list)", .now() - began)
        }
        // One after the other, as clients do: the first that lets itself be spoken with decides.
        var last = report
        for address in addresses {
            let before = report
            last = await withCheckedContinuation { continuation in
                loop.submit {
                    RelayProbe(url, credentials, options, on: loop, before) { continuation.resume(returning: $0) }
                        .begin(at: TransportAddress(address, url.port))
                }
            }
            guard last.hasNoWay else { return last }
        }
        return last
    }

    private init(
        _ url: RelayURL, _ credentials: RelayClientCredentials?, _ options: RelayProbeOptions, on loop: any EventLoop,
        _ report: RelayReport, _ finished: @escaping (RelayReport) -> Void
    ) {
        self.url = url
        self.credentials = credentials
        self.options = options
        self.loop = loop
        self.report = report
        self.finished = finished
        var settings = RelayClientSettings()
        settings.isReliable = url.isStream
        settings.requestLimit = options.hopLimit
        client = RelayClient(credentials, settings)
    }

    private func begin(at remote: TransportAddress) {
        timer = loop.timer { [self] in timerRang() }
        enter(.linking)
        let link = RelayClientLink(url, at: remote, trusting: options.trust, on: loop, owner: self)
        self.link = link
        link.open()
    }

    private var trustsAnyone: Bool { if case .anyone = options.trust { true } else { false } }

    // MARK: - Time

    private func enter(_ next: Phase) {
        phase = next
        hopBegan = .now()
        hopEnds = hopBegan + options.hopLimit
        arm()
    }

    private func arm() {
        guard phase != .over else { return }
        var next = hopEnds
        if let deadline = client.deadline { next = min(next, deadline) }
        if let deadline = echo?.deadline { next = min(next, deadline) }
        timer?.arm(at: next)
    }

    private func timerRang() {
        let now = Instant.now()
        client.handleTimeout(now: now)
        drain()
        echo?.handleTimeout(now: now)
        if phase != .over, hopEnds <= now { hopTimedOut() }
        arm()
    }

    private func hopTimedOut() {
        switch phase {
        case .linking: linkFailed(.transport("no answer within \(options.hopLimit.milliseconds) ms"))
        case .mapping, .allocating: fail(.allocate, RelayClientError.timedOut)
        case .permitting, .binding: fail(.permission, RelayClientError.timedOut)
        case .releasing: finish()
        case .locating, .echoing, .over: break
        }
    }

    // MARK: - The link

    package func linkIsReady() {
        let time = Instant.now() - hopBegan
        switch url.transport {
        // That somebody hears us is known with the first answer.
        case .udp: break
        case .tcp: report.add(.tcp, .well, "connected", time)
        case .tls:
            report.add(.tcp, .well, "connected")
            report.add(.tls, .well, link?.security ?? "", time)
            report.add(
                .certificate, trustsAnyone ? .skipped : .well,
                trustsAnyone ? "not looked at, as was asked" : "is for \(url.host) and trusted")
        case .dtls:
            report.add(.udp, .well, "datagrams come back")
            report.add(.tls, .well, link?.security ?? "", time)
            report.add(.certificate, .skipped, "not judged over DTLS; it is the one that TLS shows")
        }
        if url.isRelay {
            enter(.allocating)
            client.allocate(now: hopBegan)
        } else {
            enter(.mapping)
            client.askBinding(now: hopBegan)
        }
        drain()
    }

    package func linkReceived(_ message: RawSpan) {
        client.receive(message, now: .now())
        drain()
    }

    package func linkFailed(_ failure: RelayLinkFailure) {
        guard phase == .linking else { return fail(url.isStream ? .tcp : .udp, failure.text) }
        let time = Instant.now() - hopBegan
        let hop: RelayReport.Hop = url.isStream ? .tcp : .udp
        switch failure {
        case .transport(let text): report.add(hop, .ill(remedy: Remedy.way(url)), text, time)
        case .tls(let text):
            report.add(hop, .well, "connected")
            report.add(
                .tls, .ill(remedy: "Look at the relay's TLS versions, and whether the port speaks TLS."), text, time)
        case .certificate(let text):
            report.add(hop, .well, "connected")
            report.add(.certificate, .ill(remedy: Remedy.certificate(url.host)), text, time)
        }
        finish()
    }

    // MARK: - The client

    private func drain() {
        while phase != .over, let message = client.takeMessage() { link?.send(message) }
        while phase != .over, let event = client.takeEvent() { take(event) }
        while phase != .over, let message = client.takeMessage() { link?.send(message) }
        arm()
    }

    private func take(_ event: RelayClientEvent) {
        let time = Instant.now() - hopBegan
        switch event {
        case .mapped(let address) where phase == .mapping:
            noteWay(time)
            report.add(.allocate, .skipped, "a STUN server: it sees us at \(address)", time)
            report.isComplete = true
            finish()
        case .allocated(let allocation) where phase == .allocating:
            noteWay(nil)
            let life = "for \(allocation.lifetime.components.seconds) s"
            report.add(.allocate, .well, "\(allocation.relayed) \(life)", time)
            allocated(allocation)
        case .permitted where phase == .permitting:
            report.add(.permission, .well, "granted", time)
            permitted()
        case .bound where phase == .binding: echo?.bound()
        case .received(let bytes, _) where phase == .echoing: echo?.cameBack(bytes)
        case .released where phase == .releasing: finish()
        case .failed(let step, let error): failed(step, error)
        default: break
        }
    }

    /// The first answer over UDP: somebody is there.
    private func noteWay(_ time: Duration?) {
        if url.transport == .udp { report.add(.udp, .well, "datagrams come back", time) }
    }

    private func failed(_ step: RelayClientStep, _ error: RelayClientError) {
        switch step {
        case .binding, .allocate:
            if url.transport == .udp {
                guard error != .timedOut else { return fail(.udp, "\(error)") }
                noteWay(nil)
            }
            fail(.allocate, error)
        case .permit, .bind:
            if case .refused(.forbidden, _) = error { return forbidden() }
            fail(.permission, error)
        case .release: finish()
        case .refresh: break
        }
    }

    /// It answers, knows us, and holds to its policy: that is all that can be asked of it from here.
    private func forbidden() {
        report.add(
            .permission, .skipped,
            "the relay's policy does not let us be a peer (403); it is judged by its allocation")
        report.add(.echo, .skipped, "nothing may be relayed to us")
        succeed()
    }

    // MARK: - Permission and echo

    private func allocated(_ allocation: RelayAllocation) {
        if let peer = options.peer { return permit(peer) }
        guard let server = link?.remote, let local = link?.local else { return }
        enter(.locating)
        echo = RelayEcho(
            on: loop, options: options, local: local.ip, server: server,
            asksServer: !url.isSecure && allocation.mapped != local,
            relayed: allocation.relayed, owner: self)
        echo?.locate()
        arm()
    }

    private func permit(_ peer: TransportAddress) {
        enter(.permitting)
        client.permit([peer], now: hopBegan)
        drain()
    }

    private func permitted() {
        guard options.peer == nil, let peer = echo?.peer else {
            report.add(.echo, .skipped, "not asked of this peer")
            return succeed()
        }
        enter(.binding)
        client.bind(peer, now: hopBegan)
    }

    // MARK: - The end

    private func fail(_ hop: RelayReport.Hop, _ error: RelayClientError) {
        report.add(hop, .ill(remedy: Remedy.words(error, url)), error.description, Instant.now() - hopBegan)
        finish()
    }

    private func fail(_ hop: RelayReport.Hop, _ text: String) {
        report.add(hop, .ill(remedy: Remedy.way(url)), text, Instant.now() - hopBegan)
        finish()
    }

    private func succeed() {
        report.isComplete = true
        enter(.releasing)
        client.release(now: hopBegan)
        drain()
    }

    private func finish() {
        guard phase != .over else { return }
        phase = .over
        timer?.cancel()
        timer = nil
        echo?.close()
        echo = nil
        if client.allocation != nil {
            // Best effort: what is not heard of expires by itself.
            client.release(now: .now())
            while let message = client.takeMessage() { link?.send(message) }
        }
        link?.close()
        link = nil
        finished(report)
    }
}

extension RelayProbe: RelayEchoOwner {
    func echoFound(_ peer: TransportAddress) {
        guard phase == .locating else { return }
        permit(peer)
    }

    func echoSends(_ bytes: Bytes, to peer: TransportAddress) {
        if phase == .binding { enter(.echoing) }
        client.send(bytes.span.bytes, to: peer)
        drain()
    }

    func echoEnded(_ time: Duration?) {
        guard phase == .echoing || phase == .binding else { return }
        if let time {
            report.add(.echo, .well, "came back through the relay", time)
            succeed()
        } else {
            fail(.echo, "nothing came back through the relay")
        }
    }
}

// The sending half of one participant's transport: where its packets go, under which keys and transport-wide numbers,
// and when. Everything here is touched once per forwarded packet.

import Base
import CShims
import Crypto
import Wire

final class SendTransport {
    /// `nil` while no path is valid: what would be sent then is dropped.
    var destination: Destination?
    /// Behind a pointer for the same reason as a subscription's state.
    private let protection: UnsafeMutablePointer<SRTPSender>
    private(set) var bandwidth: SendBandwidth?
    private let bandwidthConfiguration: BandwidthConfiguration
    /// The peer reports on transport-wide numbers, or sends REMB: without either nothing is known, and nothing paced.
    /// Changes with what is agreed.
    var isEstimated: Bool
    private var nextTransportSequence: UInt16 = 1

    private(set) var packets: UInt64 = 0
    private(set) var bytes: UInt64 = 0

    init(_ protection: consuming SRTPSender, bandwidth: BandwidthConfiguration, isEstimated: Bool) {
        self.protection = .allocate(capacity: 1)
        self.protection.initialize(to: protection)
        bandwidthConfiguration = bandwidth
        self.isEstimated = isEstimated
    }

    deinit {
        protection.deinitialize(count: 1)
        protection.deallocate()
    }

    var isOpen: Bool { destination != nil }

    /// Where the memory is that `finish` needs, to be asked for ahead.
    var places: TransportPlaces {
        TransportPlaces(
            transport: UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()),
            protection: UnsafeRawPointer(protection),
            cipher: protection.pointee.places,
            bandwidth: bandwidth.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) })
    }

    /// The estimator and the pacer, made with the first video packet: a participant that only listens has none.
    func needBandwidth() -> SendBandwidth {
        if let bandwidth { return bandwidth }
        let made = SendBandwidth(bandwidthConfiguration)
        bandwidth = made
        return made
    }

    /// A packet that does not wait counts against those that do.
    @inline(__always)
    func charge(_ bytes: Int, now: Instant) { bandwidth?.pacer.charge(bytes, now: now) }

    /// The number for the packet that is being made; it counts once the packet has been sent.
    var transportSequence: UInt16 { nextTransportSequence }

    /// Encrypts what was written to the outbox's reservation, and commits it.
    @inline(__always)
    func finish(
        _ packet: UnsafeMutableRawBufferPointer, count: Int, headerLength: Int, ssrc: SSRC, index: ExtendedSequence,
        outbox: Outbox, now: Instant
    ) {
        guard let destination,
            let total = protection.pointee.protectRTP(
                packet, count: count, headerLength: headerLength, ssrc: ssrc, index: index)
        else { return }
        outbox.commit(total, to: destination)
        packets &+= 1
        bytes &+= UInt64(total)
        if let bandwidth {
            bandwidth.sent(transportSequence: nextTransportSequence, size: total, now: now)
        }
        nextTransportSequence &+= 1
    }

    /// Encrypts and sends a compound packet of reports.
    func sendReports(_ reports: [UInt8], outbox: Outbox) {
        guard let destination, !reports.isEmpty,
            reports.count + protection.pointee.profile.rtcpOverhead <= PacketSlab.slotSize
        else { return }
        let packet = outbox.reserve()
        packet.copyBytes(from: reports)
        guard let total = protection.pointee.protectRTCP(packet, count: reports.count) else { return }
        outbox.commit(total, to: destination)
    }
}

/// Addresses to prefetch from, and nothing else: what was there may be gone.
struct TransportPlaces: BitwiseCopyable {
    /// Of the estimator, what is touched when a packet is sent lies at its beginning.
    private static let bandwidthBytes: UInt = 192
    private static let transportBytes: UInt = 128

    let transport: UnsafeRawPointer
    let protection: UnsafeRawPointer
    let cipher: SRTPPlaces
    let bandwidth: UnsafeRawPointer?

    @inline(__always)
    func prefetch() {
        plexi_prefetch(transport, Self.transportBytes)
        plexi_prefetch(protection, UInt(MemoryLayout<SRTPSender>.size))
        cipher.prefetch()
        if let bandwidth { plexi_prefetch(bandwidth, Self.bandwidthBytes) }
    }
}

/// What one subscriber's network can carry, and the packets that wait for it.
final class SendBandwidth {
    @exclusivity(unchecked) var estimator: SendSideEstimator
    @exclusivity(unchecked) var pacer: Pacer

    init(_ configuration: BandwidthConfiguration) {
        estimator = SendSideEstimator(configuration)
        pacer = Pacer(bitsPerSecond: configuration.start * 5 / 2)
    }

    @inline(__always)
    func sent(transportSequence: UInt16, size: Int, now: Instant) {
        estimator.onSent(sequence: transportSequence, size: size, cluster: pacer.cluster, now: now)
    }
}

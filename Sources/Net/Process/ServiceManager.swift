// systemd, or whatever speaks its two small protocols: sockets that it opened for us (sd_listen_fds), and telling it
// how we are (sd_notify). Without a service manager nothing here does anything.

package import Base
import CShims
import Glibc

package enum ServiceManager {
    package enum State: Sendable {
        /// All endpoints listen.
        case ready
        case reloading
        case stopping
        /// Still alive; wanted every `watchdogInterval`.
        case alive
        /// One line for `systemctl status`.
        case status(String)

        fileprivate var message: String {
            switch self {
            case .ready: "READY=1"
            // Type=notify-reload wants the time, so that it knows which reload is meant.
            case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(Instant.now().nanoseconds / 1_000)"
            case .stopping: "STOPPING=1"
            case .alive: "WATCHDOG=1"
            case .status(let line): "STATUS=\(line.split(separator: "\n").first ?? "")"
            }
        }
    }

    /// systemd passes descriptors from this one on.
    private static let firstDescriptor: Int32 = 3
    /// More than any unit has; a larger number is a mistake in the environment.
    private static let mostDescriptors: Int32 = 64

    /// The listening sockets that were passed to this process. They are taken once: child processes do not see them.
    package static func takeListeners() -> [Endpoint] {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        guard variable("LISTEN_PID").flatMap({ Int32($0) }) == getpid(),
            let count = variable("LISTEN_FDS").flatMap({ Int32($0) }), (1...mostDescriptors).contains(count)
        else { return [] }
        return (firstDescriptor..<(firstDescriptor + count)).map { descriptor in
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            return .inherited(descriptor: descriptor)
        }
    }

    /// True when it was told; false when there is no service manager.
    @discardableResult
    package static func notify(_ state: State) throws(SystemError) -> Bool {
        let result = plexi_notify_service_manager(state.message)
        guard result >= 0 else { throw SystemError("tell the service manager", code: -result) }
        return result > 0
    }

    /// How often `.alive` is to be sent: half of what the unit's WatchdogSec says. `nil` when nobody watches.
    package static var watchdogInterval: Duration? {
        guard let microseconds = variable("WATCHDOG_USEC").flatMap({ Int64($0) }), microseconds > 0 else { return nil }
        if let process = variable("WATCHDOG_PID").flatMap({ Int32($0) }), process != getpid() { return nil }
        return .microseconds(microseconds / 2)
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

// Sockets that were opened by logins, for who ends those whose login is over. Declared here, since calls and chat each
// have their own; see `LoginWatch` in Signaling.

package import Base

package protocol LoginSockets: Sendable {
    /// The logins of open sockets, each once.
    var principals: [Principal] { get }
    func principals(of user: UserID) -> [Principal]

    /// Closes those for which it holds, of one user or of everybody. Returns their logins.
    @discardableResult
    func close(of user: UserID?, where isMeant: (Principal) -> Bool) -> [Principal]
}

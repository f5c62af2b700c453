// What can go wrong with a client setting.

package import Store

package enum ClientSettingError: Error, Sendable, Equatable {
    /// A key or a value that is not as it must be: which member, and a sentence that never repeats the value.
    case invalid(String, String)
    case notFound
    /// It is not in the state that the client knows.
    case preconditionFailed
    case valueTooLarge(limit: Int)
    case quotaExceeded(ClientSettingUsage)
    case imageTooLarge(limit: Int)
    case imageQuotaExceeded(BlobUsage)
    case image(ClientImageRefusal)
    case account(AccountError)
    case store(StoreError)
}

extension ClientSettingError: StoreFailureConvertible {
    /// The only thing that a setting's row refers to is its user, who was deleted a moment ago.
    package init(_ failure: StoreError) {
        if case .conflict = failure { self = .account(.notFound) } else { self = .store(failure) }
    }
}

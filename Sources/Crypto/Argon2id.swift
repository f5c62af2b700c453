// Password hashing: Argon2id (RFC 9106) by libargon2, stored as PHC strings
// (`$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`).
//
// A hash takes tens of milliseconds and as many megabytes as its parameters say: never call it on a loop's thread, and
// bound how many run at once. Both are the caller's business.

package import Base
import CArgon2

package enum Argon2id {
    package struct Parameters: Sendable, Equatable {
        package var memoryKiB: Int
        package var iterations: Int
        package var parallelism: Int

        /// The default is OWASP's: 19 MiB, two passes, one lane.
        package init(memoryKiB: Int = 19_456, iterations: Int = 2, parallelism: Int = 1) {
            self.memoryKiB = memoryKiB
            self.iterations = iterations
            self.parallelism = parallelism
        }
    }

    package static let saltCount = 16
    package static let tagCount = 32
    /// Above these a stored hash is damage or an attack on our memory, not a choice.
    package static let memoryKiBLimit = 4 << 20
    package static let iterationLimit = 1_000
    package static let parallelismLimit = 64
    /// NIST SP 800-63B asks for 64 at least; more than this only costs time to copy.
    package static let passwordLimit = 4_096

    package static func hash(
        _ password: Secret, _ parameters: Parameters = Parameters()
    ) throws(CryptoError) -> String {
        try check(password, parameters)
        let salt = SecureRandom.bytes(saltCount)
        let capacity = argon2_encodedlen(
            UInt32(parameters.iterations), UInt32(parameters.memoryKiB), UInt32(parameters.parallelism),
            UInt32(saltCount), UInt32(tagCount), Argon2_id)
        var text = [CChar](repeating: 0, count: capacity)
        let code = password.withExposedBytes {
            argon2id_hash_encoded(
                UInt32(parameters.iterations), UInt32(parameters.memoryKiB), UInt32(parameters.parallelism),
                $0.baseAddress, $0.count, salt, salt.count, tagCount, &text, text.count)
        }
        try throwing(code)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// False for a wrong password and for a hash that cannot be read.
    package static func verify(_ password: Secret, against phc: String) -> Bool {
        guard password.count <= passwordLimit, parameters(of: phc) != nil else { return false }
        return password.withExposedBytes { argon2id_verify(phc, $0.baseAddress, $0.count) } == ARGON2_OK.rawValue
    }

    /// `nil` unless `phc` is an Argon2id string within the limits. Asked after a login, to see whether the hash is to
    /// be made anew with stronger parameters.
    package static func parameters(of phc: String) -> Parameters? {
        let parts = phc.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0].isEmpty, parts[1].elementsEqual("argon2id".utf8),
            parts[2].elementsEqual("v=19".utf8)
        else { return nil }
        let fields = parts[3].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard fields.count == 3, let memory = number(fields[0], after: "m="),
            let iterations = number(fields[1], after: "t="), let parallelism = number(fields[2], after: "p=")
        else { return nil }
        let parameters = Parameters(memoryKiB: memory, iterations: iterations, parallelism: parallelism)
        return problem(with: parameters) == nil ? parameters : nil
    }

    /// The raw tag: keys from passphrases.
    package static func derive(
        _ password: Secret, salt: Bytes, _ parameters: Parameters = Parameters(), count: Int = tagCount
    ) throws(CryptoError) -> Secret {
        try check(password, parameters)
        guard salt.count >= 8, count >= 4, count <= 1_024 else {
            throw .badParameters("a salt has at least 8 bytes, a tag 4 to 1024")
        }
        return try Secret(count: count) { tag throws(CryptoError) in
            let code = password.withExposedBytes {
                argon2id_hash_raw(
                    UInt32(parameters.iterations), UInt32(parameters.memoryKiB), UInt32(parameters.parallelism),
                    $0.baseAddress, $0.count, salt, salt.count, tag.baseAddress, tag.count)
            }
            try throwing(code)
        }
    }

    /// What is wrong with the parameters, in words for an operator.
    package static func problem(with parameters: Parameters) -> String? {
        guard (1...parallelismLimit).contains(parameters.parallelism) else {
            return "parallelism \(parameters.parallelism) is not in 1...\(parallelismLimit)"
        }
        guard (1...iterationLimit).contains(parameters.iterations) else {
            return "iterations \(parameters.iterations) is not in 1...\(iterationLimit)"
        }
        // RFC 9106 §3.1: at least eight blocks per lane.
        guard (8 * parameters.parallelism...memoryKiBLimit).contains(parameters.memoryKiB) else {
            return "memory \(parameters.memoryKiB) KiB is not in \(8 * parameters.parallelism)...\(memoryKiBLimit)"
        }
        return nil
    }

    private static func check(_ password: Secret, _ parameters: Parameters) throws(CryptoError) {
        if let problem = problem(with: parameters) { throw .badParameters(problem) }
        guard password.count <= passwordLimit else {
            throw .badParameters("a password has at most \(passwordLimit) bytes")
        }
    }

    private static func throwing(_ code: Int32) throws(CryptoError) {
        guard code != ARGON2_OK.rawValue else { return }
        throw .failed("Argon2id: \(String(cString: argon2_error_message(code)))")
    }

    private static func number(_ field: Substring.UTF8View, after name: String) -> Int? {
        guard field.starts(with: name.utf8) else { return nil }
        let digits = field.dropFirst(2)
        guard (1...10).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }
}

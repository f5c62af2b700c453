// Password hashing: Argon2id (RFC 9106) by libargon2, stored as PHC strings
// (`$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`).
//
// A hash takes tens of milliseconds and as many megabytes as its parameters say: never call it on a loop's thread, and
// bound how many run at once. Both are the caller's business.

package import Base
import CArgon2
import CShims

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
        let salt = SecureRandom.bytes(saltCount)
        let tag = try derive(password, salt: salt, parameters)
        let costs = "m=\(parameters.memoryKiB),t=\(parameters.iterations),p=\(parameters.parallelism)"
        return "$argon2id$v=19$\(costs)$\(unpadded(salt))$\(unpadded(tag.exposedBytes))"
    }

    /// False for a wrong password and for a hash that cannot be read.
    package static func verify(_ password: Secret, against phc: String) -> Bool {
        guard let parameters = parameters(of: phc) else { return false }
        let parts = phc.split(separator: "$", omittingEmptySubsequences: false)
        guard let salt = padded(parts[4]), let tag = padded(parts[5]),
            let computed = try? derive(password, salt: salt, parameters, count: tag.count)
        else { return false }
        return constantTimeEquals(computed.exposedBytes, tag)
    }

    /// The PHC format writes Base64 without its padding.
    private static func unpadded(_ bytes: Bytes) -> String { Base64.encode(bytes).filter { $0 != "=" } }

    private static func padded(_ text: Substring) -> Bytes? {
        Base64.decode(text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4))
    }

    /// Gives back the memory that this thread's hashes used; it is kept between hashes until then.
    package static func releaseMemory() { plexi_scratch_release() }

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
            var salt = salt
            let code = password.withExposedBytes { password in
                salt.withUnsafeMutableBufferPointer { salt in
                    run(UnsafeMutableRawBufferPointer(mutating: password), salt, tag, parameters)
                }
            }
            try throwing(code)
        }
    }

    /// libargon2 reads the password and the salt and writes the tag; its interface has no `const`.
    private static func run(
        _ password: UnsafeMutableRawBufferPointer, _ salt: UnsafeMutableBufferPointer<UInt8>,
        _ tag: UnsafeMutableRawBufferPointer, _ parameters: Parameters
    ) -> Int32 {
        var context = argon2_context()
        context.out = tag.bindMemory(to: UInt8.self).baseAddress
        context.outlen = UInt32(tag.count)
        context.pwd = password.bindMemory(to: UInt8.self).baseAddress
        context.pwdlen = UInt32(password.count)
        context.salt = salt.baseAddress
        context.saltlen = UInt32(salt.count)
        context.t_cost = UInt32(parameters.iterations)
        context.m_cost = UInt32(parameters.memoryKiB)
        context.lanes = UInt32(parameters.parallelism)
        context.threads = UInt32(parameters.parallelism)
        context.version = ARGON2_VERSION_13.rawValue
        context.allocate_cbk = { memory, count in
            guard let memory else { return -1 }
            return plexi_scratch_allocate(memory, UInt(count))
        }
        context.free_cbk = { memory, count in plexi_scratch_free(memory, UInt(count)) }
        return argon2_ctx(&context, Argon2_id)
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

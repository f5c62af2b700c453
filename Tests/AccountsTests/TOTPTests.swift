// One-time passwords against the values of their RFCs.

import Base
import Testing
import Wire

@testable import Accounts

@Suite struct TOTPTests {
    @Test func `the values of RFC 4226 appendix D`() throws {
        let vectors = try Vectors.array("crypto/totp/hotp-rfc4226.json")
        #expect(vectors.count == 7)
        for vector in vectors {
            let code = TOTP.code(Secret(vector.bytes("secret_hex")), step: vector.number("counter"))
            #expect(code == vector.text("hotp"))
        }
    }

    @Test func `the SHA-1 values of RFC 6238 appendix B`() throws {
        let vectors = try Vectors.array("crypto/totp/totp-rfc6238.json").filter { $0.text("algorithm") == "SHA1" }
        #expect(vectors.count == 4)
        for vector in vectors {
            let step = TOTP.step(at: Timestamp(secondsSinceEpoch: vector.number("time")))
            let secret = Secret(vector.bytes("secret_hex"))
            #expect(TOTP.code(secret, step: step, digits: 8) == vector.text("totp"))
        }
    }

    private let secret = Secret(Bytes("12345678901234567890".utf8))
    private let now = Timestamp(secondsSinceEpoch: 1_111_111_109)

    @Test(arguments: [(-2, false), (-1, true), (0, true), (1, true), (2, false)])
    func `one step to either side is accepted`(_ offset: Int, _ isAccepted: Bool) {
        let step = TOTP.step(at: now) + Int64(offset)
        let match = TOTP.match(TOTP.code(secret, step: step), secret: secret, at: now, after: 0)
        #expect(match == (isAccepted ? step : nil))
    }

    @Test func `a step that was used, or an older one, is refused`() {
        let step = TOTP.step(at: now)
        for last in [step, step + 1] {
            #expect(TOTP.match(TOTP.code(secret, step: step), secret: secret, at: now, after: last) == nil)
        }
        #expect(TOTP.match(TOTP.code(secret, step: step), secret: secret, at: now, after: step - 1) == step)
    }

    @Test(arguments: ["", "12345", "1234567", "½23456", "081 804", "0818O4"])
    func `what is not six right digits is refused`(_ code: String) {
        #expect(TOTP.match(code, secret: secret, at: now, after: 0) == nil)
    }

    @Test func `the URI escapes what an app would misread`() {
        let uri = TOTP.uri(secret: secret, issuer: "Plexi Chat", account: "a+b@example.org").exposedText
        #expect(
            uri == "otpauth://totp/Plexi%20Chat:a%2Bb%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                + "&issuer=Plexi%20Chat&algorithm=SHA1&digits=6&period=30")
    }
}

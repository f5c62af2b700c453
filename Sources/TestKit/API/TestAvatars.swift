// Makes pictures without drawing any: what begins as a PNG becomes a "JPEG" that names its length.

package import Accounts
package import Base

package struct TestAvatars: AvatarImages {
    package init() {}

    package func make(from bytes: Bytes) async throws(AvatarError) -> (bytes: Bytes, type: String) {
        let text = String(decoding: bytes, as: UTF8.self)
        if text.contains("EICAR") { throw .infected }
        if text.contains("broken") { throw .unreadable("truncated or damaged") }
        guard text.contains("PNG") else { throw .notAnImage(type: "text/plain") }
        return (Bytes("small \(bytes.count)".utf8), "image/jpeg")
    }
}

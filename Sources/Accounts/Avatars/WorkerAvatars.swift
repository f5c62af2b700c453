// Pictures of users, made by the workers of `Content`: looked at by their bytes, scanned where there is a scanner, and
// always encoded anew, so that nothing of what was sent is ever served.

package import Base
package import Content

package struct WorkerAvatars: AvatarImages {
    /// As large as a profile page shows it, on screens of twice the density.
    package static let box = ImageBox(width: 512, height: 512)

    private let images: ImageWorkers?
    private let scanner: (any VirusScanner)?

    /// Without `images` every upload is refused as `unavailable`.
    package init(images: ImageWorkers?, scanner: (any VirusScanner)?) {
        self.images = images
        self.scanner = scanner
    }

    package func make(from bytes: Bytes) async throws(AvatarError) -> (bytes: Bytes, type: String) {
        let found = ContentSniffer.sniff(
            prefix: bytes, suffix: Bytes(bytes.suffix(ContentSniffer.suffixBytes)))
        guard found.type.isReadableImage, !found.isPolyglot else { throw .notAnImage(type: found.type.name) }
        guard let images else {
            throw .unavailable("this server makes no pictures: set files.thumbnails")
        }
        switch await scanner?.scan(bytes) {
        case nil, .clean: break
        case .infected: throw .infected
        // A picture is shown to everybody at once: there is nobody who could hold it back until it is scanned.
        case .unavailable(let reason): throw .unavailable(reason)
        }
        do throws(ImageError) {
            let made = try await images.thumbnail(.bytes(bytes), box: Self.box)
            return (made.bytes, made.format.type.name)
        } catch {
            if error.isTemporary { throw .unavailable(error.description) }
            throw .unreadable(error.description)
        }
    }
}

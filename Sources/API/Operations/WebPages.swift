// The client for browsers at `/`: the files of `web/`, under a policy that lets them load nothing from elsewhere and run
// nothing that is not a file of theirs. docs/web.md says what the pages do.

import Base
package import Net
import Wire

package struct WebPages: Sendable {
    /// `nil` when they are not installed: `/` then says so.
    private let files: StaticFiles?

    package init(files: StaticFiles?) { self.files = files }

    package var areInstalled: Bool { files != nil }

    /// Scripts and styles from files of ours only, neither inline nor evaluated. `blob:` and `data:` pictures and sounds
    /// are what a page makes itself; `connect-src 'self'` covers the sockets of the same origin (CSP 3, §6.7.2.8).
    static let contentSecurityPolicy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
        font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'
        """

    /// What calls need, for this origin only; the rest of what a browser could give is not asked for.
    static let permissionsPolicy = """
        camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), autoplay=(self), \
        geolocation=(), payment=(), usb=()
        """

    /// `nil` where there is no such file, or for another method than GET and HEAD.
    func answer(_ head: RequestHead, at segments: [String]) -> HTTPResponse? {
        guard let files else { return segments.isEmpty && head.method != .options ? Self.notInstalled : nil }
        guard var response = files.answer(head, at: segments[...]) else { return nil }
        response.headers.add("Permissions-Policy", Self.permissionsPolicy)
        // A window that opened this one, or that it opens, gets no hold of it.
        response.headers.add("Cross-Origin-Opener-Policy", "same-origin")
        return response
    }

    private static let notInstalled = HTTPResponse(
        .notFound, headers: ResponseHeaders(["Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"]),
        body: .bytes(
            Bytes(
                """
                <!doctype html>
                <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
                <title>PlexiChat</title></head><body>
                <h1>The server runs; its pages are not installed</h1>
                <p>For the administrator: copy the folder <code>web</code> of the sources to
                <code>/usr/local/share/plexichat/web</code>, or name it in <code>web.folder</code>, and start the server
                again. With <code>web.enabled: false</code> nothing is served here.</p>
                <p>The interface for programs is described at <a href="/docs">/docs</a>.</p>
                </body></html>

                """.utf8)))
}

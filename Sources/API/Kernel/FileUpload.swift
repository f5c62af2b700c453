// A multipart upload, in whichever dialect: the form is read, the file goes to the store as it comes.

import Accounts
import Base
import Chat
import Net
import Wire

extension Call {
    /// `place` is what the dialect calls the conversation. `limit`: of this row, where its document has one.
    func receiveFile(place: String, isNeeded: Bool = false, limit: Int64? = nil) async throws -> StoredFile {
        let (files, principal) = (try files, try principal)
        let form = try FileForm(request)
        try await form.findFile()
        var sizes = form.fileSizes
        if let limit {
            guard sizes.lowerBound <= limit else { throw FileError.tooLarge(limit: limit) }
            sizes = sizes.lowerBound...min(sizes.upperBound, limit)
        }
        return try await files.upload(
            try Self.file(of: form, place: place), sizes,
            from: { try await form.nextBytes() },
            rest: {
                try await form.finish()
                if isNeeded, form.value(place)?.isEmpty ?? true {
                    throw RequestFault.validation(FieldFault(place, .required, "is required"))
                }
                return try Self.file(of: form, place: place)
            }, by: principal)
    }

    private static func file(of form: FileForm, place: String) throws -> NewFile {
        var file = NewFile(
            name: form.file?.filename, declaredType: form.file?.contentType?.essence,
            summary: form.value("description"))
        file.isSealed = try isSealed(form.value("encrypted"))
        // A field that is left empty is one that was not filled in.
        if let text = form.value(place), !text.isEmpty {
            guard let id = ConversationID(text) else { throw ChatError.notFound(.conversation) }
            file.conversation = id
        }
        return file
    }

    static func isSealed(_ text: String?) throws(RequestFault) -> Bool {
        switch text {
        case nil, "", "false", "0": return false
        case "true", "1": return true
        default: throw .validation(FieldFault("encrypted", .value, "must be true or false"))
        }
    }
}

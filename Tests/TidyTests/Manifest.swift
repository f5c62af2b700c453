// What Package.swift says of targets. A module that is there is found by the compiler whoever asked for it, so an import
// that the manifest does not know works until the day that the build's order is another one.

enum Manifest {
    /// Names in the list behind a target's name; `nil` for a target that is not there.
    static func dependencies(of target: String, in manifest: String) -> Set<String>? {
        let text = manifest.filter { !$0.isWhitespace }
        guard let name = text.firstRange(of: "(\"\(target)\",[") else { return nil }
        let list = text[name.upperBound...].prefix { $0 != "]" }
        return Set(list.split(separator: ",").map { String($0.filter { $0 != "\"" }) })
    }

    /// What is imported and not declared, and what is declared for nothing.
    static func findings(
        _ target: String, _ files: [SourceFile], in manifest: String
    ) -> (undeclared: Set<String>, unused: Set<String>) {
        guard let declared = dependencies(of: target, in: manifest) else { return ([], []) }
        let implied: Set = target.hasSuffix("Tests") ? ["Base", "TestKit"] : []
        let imported = Set(files.flatMap(Rules.modules(importedBy:)).map(\.0)).filter {
            $0 != target && (Rules.layers[$0] != nil || Rules.cModules[$0] != nil)
        }
        return (imported.subtracting(declared).subtracting(implied), declared.subtracting(imported))
    }
}

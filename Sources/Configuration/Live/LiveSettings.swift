// The settings of a running server: what is in effect, what administrators change, and what waits for the next start.
//
// A stored setting is the weakest source: what the operator gives in the file, the environment or on the command line
// stands above it, and such a key cannot be changed here. Storing is the caller's business, in one step with whatever
// it notes about it; applying what takes effect at once is that of whoever made this.

package struct LiveSetting: Sendable, Equatable {
    package let key: String
    package let type: String
    package let allowed: String?
    package let documentation: String
    package let adjustment: Adjustment
    /// In effect now.
    package let value: ShownValue
    package let standard: ShownValue
    /// Where the value comes from that is in effect.
    package let origin: Origin
    /// What the next start will take, where that is another value.
    package let pending: ShownValue?
    /// `nil` where an administrator may set it; else why not.
    package let hindrance: String?
}

/// Why a change was refused; nothing of it was stored.
package struct SettingFault: Error, Sendable, Equatable {
    package let key: String
    package let reason: String
}

package actor LiveSettings {
    /// Keys in one change: all that there are, and a few wrong ones.
    package static let changesMax = 256

    private var sources: ConfigurationSources
    /// As the server started.
    private let started: LoadedConfiguration
    /// As it would start now; what takes effect at once is in effect.
    private var latest: LoadedConfiguration
    private let apply: @Sendable (Configuration) -> Void

    /// `apply` is called after each change, and has to take up what takes effect at once.
    package init(_ started: LoadedConfiguration, apply: @escaping @Sendable (Configuration) -> Void) {
        sources = started.sources
        self.started = started
        latest = started
        self.apply = apply
    }

    /// All that are no secrets, in the order of the reference.
    package var all: [LiveSetting] { Configuration.keys.filter { !$0.isSecret }.map(setting) }

    /// Sets keys, or with `nil` gives them back to their defaults: all of them or none. `keep` stores them; when it
    /// throws, nothing has changed. Returns the keys that were named.
    package func change(
        _ changes: [(key: String, value: String?)],
        keep: @Sendable ([(key: String, value: String?)]) async throws -> Void
    ) async throws -> [LiveSetting] {
        var proposed = sources
        for (name, value) in changes {
            guard let key = Configuration.keysByPath[name] else {
                throw SettingFault(key: String(name.prefix(100)), reason: "is no setting")
            }
            if let hindrance = hindrance(key) { throw SettingFault(key: name, reason: hindrance) }
            proposed.stored[name] = value
        }
        // While it is kept another change may come: it is checked against what this one will have made of the settings.
        let before = (sources, latest)
        latest = try Self.load(proposed, changing: changes.map(\.key))
        sources = proposed
        do {
            try await keep(changes)
        } catch {
            // Of two that cross, the one that fails takes back no more than its own.
            for (name, _) in changes { sources.stored[name] = before.0.stored[name] }
            latest = (try? Configuration.load(sources)) ?? before.1
            throw error
        }
        apply(latest.values)
        return changes.compactMap { Configuration.keysByPath[$0.key] }.map(setting)
    }

    private static func load(
        _ sources: ConfigurationSources, changing keys: [String]
    ) throws(SettingFault) -> LoadedConfiguration {
        do throws(ConfigurationProblems) {
            return try Configuration.load(sources)
        } catch {
            // The sources were good before, so a problem of the new ones is the change's, whatever key it is told of.
            let problem = error.all.first { $0.key.map(keys.contains) ?? false } ?? error.all.first
            let allowed = problem?.allowed.map { "; allowed: \($0)" } ?? ""
            throw SettingFault(
                key: problem?.key ?? keys.first ?? "", reason: (problem?.reason ?? "cannot be set") + allowed)
        }
    }

    private func hindrance(_ key: Key) -> String? {
        if key.adjustment == .never { return "is the operator's: it is set in the file, the environment or by --set" }
        switch latest.origins[key.path] ?? .standard {
        case .standard, .stored: return nil
        case .file, .environment, .option, .secretFile:
            return "is set by the operator, in \(Self.place(latest.origins[key.path]))"
        }
    }

    /// Without paths and names of the machine: an administrator of the service need not know them.
    private static func place(_ origin: Origin?) -> String {
        switch origin {
        case .file, .secretFile: "the configuration file"
        case .environment: "the environment"
        default: "the command line"
        }
    }

    private func setting(_ key: Key) -> LiveSetting {
        let loaded = key.adjustment == .now ? latest : started
        let value = key.show(loaded.values)
        let next = key.show(latest.values)
        return LiveSetting(
            key: key.path, type: key.type, allowed: key.allowed, documentation: key.documentation,
            adjustment: key.adjustment, value: value, standard: key.show(Configuration()),
            origin: loaded.origins[key.path] ?? .standard, pending: next == value ? nil : next,
            hindrance: hindrance(key))
    }
}

extension LoadedConfiguration {
    /// The same with what administrators have stored. What of it does not fit any more (a range that a new version
    /// narrowed, a rule that the operator's file now breaks) is passed over and named: a server that was running must
    /// start again.
    package func adding(stored: [String: String]) -> (LoadedConfiguration, passedOver: [String]) {
        var sources = sources
        sources.stored = stored
        var passedOver: [String] = []
        while !sources.stored.isEmpty {
            do throws(ConfigurationProblems) {
                return (try Configuration.load(sources), passedOver)
            } catch {
                let culprits = Self.culprits(of: error, in: sources)
                for key in culprits { sources.stored[key] = nil }
                passedOver += culprits
            }
        }
        return (self, passedOver)
    }

    /// The stored settings that a problem names; else one without which all is good, for a rule may have been told of the
    /// operator's key; else all of them.
    private static func culprits(
        of problems: ConfigurationProblems, in sources: ConfigurationSources
    ) -> [String] {
        let named = problems.all.compactMap(\.key).filter { sources.stored[$0] != nil }
        if !named.isEmpty { return named }
        let keys = sources.stored.keys.sorted()
        let alone = keys.first { key in
            var others = sources
            others.stored[key] = nil
            return (try? Configuration.load(others)) != nil
        }
        return alone.map { [$0] } ?? keys
    }
}

// swift-tools-version: 6.2
import PackageDescription

// Layers import downwards only; siblings never import each other. `Tests/TidyTests` checks what this file cannot.

/// Language settings of every Swift target.
let language: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// Targets that call C all day (OpenSSL, SQLite, libpq) would only repeat `unsafe` on every line; the others
/// must mark each unsafe expression, so a reader finds them by searching for one word.
let memorySafe = language + [.strictMemorySafety()]

func library(
    _ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = memorySafe
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: language)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["Base", "TestKit"], exclude: [], swiftSettings: language)
}

/// A module map over an installed C library; see `Sources/CLibraries/README.md`.
func system(_ name: String) -> Target {
    .systemLibrary(name: name, path: "Sources/CLibraries/\(name)")
}

let package = Package(
    name: "PlexiChat",
    products: [
        .executable(name: "plexichat", targets: ["plexichat"]),
        .executable(name: "plexibench", targets: ["plexibench"]),
    ],
    targets: [
        // C: libraries that the system provides, and our own few lines of C.
        system("COpenSSL"), system("CArgon2"), system("CCurl"), system("CSQLite"), system("CPQ"),
        system("CYAML"), system("CZlib"), system("CZstd"),
        .target(name: "CShims", publicHeadersPath: "include"),
        .target(name: "CImages", publicHeadersPath: "include"),
        .target(name: "CFloor", publicHeadersPath: "include", linkerSettings: [.linkedLibrary("crypto")]),

        // L0
        library("Base", ["CShims"], settings: language),
        library("Wire", ["Base"]),
        library("Crypto", ["Base", "COpenSSL", "CArgon2", "CShims"], settings: language),
        // L1
        library("Net", ["Base", "Wire", "Crypto", "CShims", "CCurl", "CZlib"], settings: language),
        library("Store", ["Base", "Wire", "Crypto", "CShims", "CSQLite", "CPQ"], settings: language),
        library("Vault", ["Base", "Crypto", "CShims"], settings: language),
        library("Content", ["Base", "CShims", "CImages", "CZlib"], settings: language),
        // L2
        library("Accounts", ["Base", "Wire", "Crypto", "Store", "Vault", "Content"]),
        library("Media", ["Base", "Wire", "Crypto", "CShims"], settings: language),
        library("Relay", ["Base", "Wire", "Crypto", "Net", "CShims"], settings: language),
        library("Tasks", ["Base", "Wire", "Store"]),
        // L3
        library("Chat", ["Base", "Wire", "Crypto", "Store", "Vault", "Content", "Accounts"]),
        // L4
        library("Signaling", ["Base", "Wire", "Crypto", "Store", "Vault", "Accounts", "Media", "Chat"]),
        library(
            "Backup", ["Base", "Wire", "Crypto", "Store", "Vault", "Tasks", "CShims", "CZstd"], settings: language),
        library(
            "Recorder", ["Base", "Wire", "Crypto", "Store", "Vault", "Media", "CShims"], settings: language),
        // L5
        library(
            "API",
            [
                "Base", "Wire", "Crypto", "Net", "Store", "Accounts", "Media", "Chat", "Signaling", "Configuration",
                "Vault", "Tasks", "Backup",
            ]),
        library(
            "TestKit",
            [
                "Base", "Wire", "Crypto", "Net", "Store", "Vault", "Content", "Accounts", "Chat", "Media", "Relay",
                "Signaling", "Tasks", "Backup", "Recorder", "API", "Configuration", "CShims",
            ],
            settings: language),
        // L6
        library("Configuration", ["Base", "Wire", "CYAML"], settings: language),
        program(
            "plexichat",
            [
                "Base", "Wire", "Crypto", "Net", "Store", "Vault", "Content", "Accounts", "Media", "Relay", "Chat",
                "Signaling", "Tasks", "Backup", "Recorder", "API", "Configuration", "CShims",
            ]),
        program(
            "plexibench",
            [
                "Base", "Wire", "Crypto", "Net", "Store", "Vault", "Content", "Accounts", "Chat", "Media", "Relay",
                "Signaling", "Backup", "Recorder", "API", "TestKit", "CShims", "CImages", "CFloor",
            ]),

        tests("BaseTests", []),
        tests("WireTests", ["Wire"]),
        tests("CryptoTests", ["Wire", "Crypto", "COpenSSL", "CZlib"]),
        tests("NetTests", ["Wire", "Crypto", "Net"]),
        tests("StoreTests", ["Wire", "Crypto", "Net", "Store"]),
        tests("VaultTests", ["Crypto", "Vault", "CZlib"]),
        tests("ContentTests", ["Net", "Content", "CImages", "CZlib", "CShims"]),
        tests("AccountsTests", ["Wire", "Crypto", "Store", "Vault", "Accounts"]),
        tests("ChatTests", ["Wire", "Crypto", "Net", "Store", "Accounts", "Chat"]),
        tests("MediaTests", ["Wire", "Crypto", "Media", "CShims"]),
        tests("RelayTests", ["Wire", "Crypto", "Net", "Relay", "CShims"]),
        tests(
            "SignalingTests",
            ["Wire", "Crypto", "Net", "Store", "Accounts", "Media", "Signaling", "API"]),
        tests(
            "APITests",
            [
                "Wire", "Crypto", "Net", "Store", "Vault", "Accounts", "Media", "Chat", "Signaling", "Tasks", "Backup",
                "API", "Configuration",
            ]),
        tests("TasksTests", ["Tasks"]),
        tests("BackupTests", ["Wire", "Crypto", "Store", "Vault", "Tasks", "Backup"]),
        tests("RecorderTests", ["Wire", "Crypto", "Vault", "Media", "Recorder"]),
        tests("ConfigurationTests", ["Wire", "Configuration"]),
        tests("TidyTests", []),
    ]
)

// libFuzzer brings its own `main`, so an ordinary build could not link this.
if Context.environment["FUZZ"] != nil {
    package.products.append(.executable(name: "plexifuzz", targets: ["plexifuzz"]))
    package.targets.append(program("plexifuzz", ["Base", "TestKit"]))
}

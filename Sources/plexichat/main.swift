// plexichat: from arguments to an exit code. The commands' table is in `Configuration/CommandLine/Commands.swift`, the
// bodies that need the server in `Commands/`, the object graph in `Assembly/`.

import Base
import Configuration
import Content
import Glibc
import Recorder

/// The variables of the process.
private func environment() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
        let text = String(cString: entry)
        if let sign = text.firstIndex(of: "=") {
            variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
        }
        next += 1
    }
    return variables
}

let words = Array(CommandLine.arguments.dropFirst())
// Not a command for people, and not in their table: a worker gives up its rights before anything else of this program
// has run. It comes back only when somebody called it by hand.
if words.first == ImageWorkerMain.command {
    ImageWorkerMain.run(Array(words.dropFirst()))
    Output.standard.complain("plexichat: \(ImageWorkerMain.command) is started by the server, not by hand")
    exit(ExitCode.usage.rawValue)
}
if words.first == RecordingWorkerMain.command {
    RecordingWorkerMain.run(Array(words.dropFirst()))
    Output.standard.complain("plexichat: \(RecordingWorkerMain.command) is started by an export, not by hand")
    exit(ExitCode.usage.rawValue)
}
let code = await Command.plexichat(.server).run(words, environment: environment())
exit(code.rawValue)
